"""A task's texts on disk: tables as published, and files of machine translations."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from lslo_cli.artifacts.writing import write_text
from lslo_cli.errors import InputError
from lslo_cli.flare.examples import AGAIN, Example, Question

COLUMNS = ("id", "text", "pair", "label")
"""The columns of a file of translated texts with labels; ``pair`` is empty if a task has one text."""

TRANSLATE = "lslo flare translate"


def translated_file(folder: Path, src: str, tgt: str, split: str, *, questions: bool) -> Path:
    """The file of texts of ``src`` in ``tgt``: ``jv-en/test.csv``, or XTREME's name for questions."""
    if questions:
        return folder / f"tydiqa.translate.{split}.{src}-{tgt}.json"
    return folder / f"{src}-{tgt}" / f"{split}.csv"


def read_translated(path: Path, labels: Sequence[str]) -> list[Example]:
    """Translated texts with their labels. Raises InputError if they are missing or damaged."""
    check_translated(path)
    rows = table(path, COLUMNS, delimiter=",")
    return [
        Example(row["id"], row["text"], label(row["label"], labels, path, number), row["pair"])
        for number, row in enumerate(rows, start=1)
    ]


def check_translated(path: Path) -> None:
    """Raise InputError if a translation is missing; the hint says how to make it."""
    if not path.exists():
        raise InputError(f"no translation at {path}", f"make it with the same recipe: {TRANSLATE}")


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


def table(path: Path, columns: Sequence[str], delimiter: str) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file. Raises InputError if it has none, lacks a column or is damaged."""
    try:
        rows = list(_rows(path, columns, delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}", AGAIN) from None
    if not rows:
        raise InputError(f"{path} has a header and no rows", AGAIN)
    return rows


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(
            file,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,  # a tab needs no quotes
        )
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path} has no column '{missing[0]}'", AGAIN)
        for number, row in enumerate(reader, start=1):
            if None in row or any(row[name] is None for name in columns):
                raise InputError(f"{path}: row {number} has another number of columns", AGAIN)
            yield row


def label(name: str, labels: Sequence[str], path: Path, row: int) -> int:
    if name not in labels:
        raise InputError(f"{path}: row {row} has the label '{name}'", f"labels are {', '.join(labels)}")
    return labels.index(name)
