"""A task's texts on disk: tables as published, and files of machine translations."""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from lslo_cli.artifacts.writing import write_text
from lslo_cli.errors import InputError
from lslo_cli.flare.examples import AGAIN, Example, Question
from lslo_cli.wording import Command

COLUMNS = ("id", "text", "pair", "label")
"""The columns of a file of translated texts with labels; ``pair`` is empty if a task has one text."""

TRANSLATE = Command("flare translate")
TRANSLATE_TESTS = Command("flare translate", "--set", "flare.translated=test")

E = TypeVar("E", Example, Question)


def translated_file(folder: Path, src: str, tgt: str, split: str, *, questions: bool) -> Path:
    """The file of texts of ``src`` in ``tgt``: ``jv-en/test.csv``, or XTREME's name for questions."""
    if questions:
        return folder / f"tydiqa.translate.{split}.{src}-{tgt}.json"
    return folder / f"{src}-{tgt}" / f"{split}.csv"


def read_translated(path: Path, labels: Sequence[str]) -> list[Example]:
    """Translated texts with their labels. Raises InputError if they are missing or damaged."""
    check_translated(path)
    rows = table(path, COLUMNS, delimiter=",")
    return each_once(
        path,
        {
            number: Example(row["id"], row["text"], label(row["label"], labels, path, number), row["pair"])
            for number, row in rows.items()
        },
    )


def check_translated(path: Path, made_with: Command = TRANSLATE) -> None:
    """Raise InputError if a translation is missing; the hint says that ``made_with`` makes it."""
    if not path.exists():
        raise InputError(
            f"no translation at {path}",
            "make it with the same recipe, and give its settings here as well",
            made_with,
        )


def write_translated(path: Path, examples: Sequence[Example], labels: Sequence[str]) -> None:
    """Write texts with labels, in the format of :func:`read_translated`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((each.id, each.text, each.pair, labels[each.label]) for each in examples)
    write_text(path, text.getvalue())


def write_questions(path: Path, questions: Sequence[Question]) -> None:
    """Write questions in SQuAD's JSON format, one paragraph each."""
    paragraphs = [
        {
            "context": each.pair,
            "qas": [
                {
                    "id": each.id,
                    "question": each.text,
                    "answers": [{"text": each.answer, "answer_start": each.start}],
                }
            ],
        }
        for each in questions
    ]
    write_text(path, json.dumps({"data": [{"paragraphs": paragraphs}]}, ensure_ascii=False) + "\n")


def table(path: Path, columns: Sequence[str], delimiter: str) -> dict[int, dict[str, str]]:
    """The rows of a CSV or TSV file by number, from 1; a byte order mark before its header is skipped.

    Raises InputError if it has none, lacks a column or has it twice, or is damaged.
    """
    try:
        rows = dict(enumerate(_rows(path, columns, delimiter), start=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}", AGAIN) from None
    if not rows:
        raise InputError(f"{path} has a header and no rows", AGAIN)
    return rows


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(
            file,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,  # a tab needs no quotes
        )
        if not reader.fieldnames:
            raise InputError(f"{path} is empty", AGAIN)
        repeated = [name for name in columns if reader.fieldnames.count(name) > 1]
        if repeated:
            raise InputError(f"{path} has several columns '{repeated[0]}'", "keep one of them")
        missing = [name for name in columns if name not in reader.fieldnames]
        if missing:
            raise InputError(f"{path} has no column '{missing[0]}'", AGAIN)
        for number, row in enumerate(reader, start=1):
            if None in row or any(row[name] is None for name in columns):
                raise InputError(f"{path}: row {number} has another number of columns", AGAIN)
            yield row


def json_text(path: Path) -> bytes:
    """The bytes of a JSON file, without a byte order mark. Raises InputError if it is missing or empty."""
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}", AGAIN) from None
    if not text.strip():
        raise InputError(f"{path} is empty", AGAIN)
    return text


def label(
    name: str, labels: Sequence[str], path: Path, row: int, synonyms: Mapping[str, str] = MappingProxyType({})
) -> int:
    """The number of a label, apart from case and surrounding spaces; ``synonyms`` are other words for some.

    Raises InputError for an unknown one.
    """
    plain = name.strip().casefold()
    plain = synonyms.get(plain, plain)
    if plain not in labels:
        raise InputError(f"{path}: row {row} has the label '{name}'", f"labels are {', '.join(labels)}")
    return labels.index(plain)


def each_once(path: Path, rows: Mapping[int, E], what: str = "rows") -> list[E]:
    """Examples by the number of their row, as a list. Raises InputError if two have one id."""
    first: dict[str, int] = {}
    for number, example in rows.items():
        if example.id in first:
            raise InputError(
                f"{path}: id {example.id} occurs twice, in {what} {first[example.id]} and {number}", AGAIN
            )
        first[example.id] = number
    return list(rows.values())
