"""Tasks in many languages: NusaX-senti, XNLI and TyDiQA-GoldP in their public file formats."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError, nearest
from lslo_cli.method.task_scores import accuracy, macro_f1

AGAIN = "take the file as it was published"


@dataclass(frozen=True)
class Example:
    """A text, or a pair of texts, with the number of its label; ``id`` is the same in all languages."""

    id: str
    text: str
    label: int
    pair: str = ""

    @property
    def whole(self) -> str:
        """Both texts in one."""
        return f"{self.text} {self.pair}".strip()


@dataclass(frozen=True)
class Question:
    """A question about a context; ``answers`` are right ones, each with the character where it starts."""

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Task:
    """A classification task: its labels, its score, and how a split of a language is read.

    ``read(folder, language, split)`` returns examples, for ``train``, ``dev`` or ``test``.
    """

    name: str
    labels: tuple[str, ...]
    metric: str
    score: Callable[[Sequence[int], Sequence[int]], float]
    read: Callable[[Path, str, str], list[Example]]
    source: str
    """The language that tasks are transferred from."""


@dataclass(frozen=True)
class Pairs:
    """Examples of a target language beside those of the source language, row by row."""

    source: tuple[Example, ...]
    target: tuple[Example, ...]

    @property
    def labels(self) -> list[int]:
        return [example.label for example in self.target]

    @property
    def digest(self) -> str:
        """sha256 over all ids, texts and labels."""
        rows = [(e.id, e.text, e.pair, e.label) for side in (self.source, self.target) for e in side]
        return digest_of(rows)


def paired(source: Sequence[Example], target: Sequence[Example], what: str) -> Pairs:
    """Examples matched by id, in the order of their ids. Raises InputError where ids or labels differ."""
    by_id = {example.id: example for example in source}
    missing = [example.id for example in target if example.id not in by_id]
    if missing or len(by_id) != len(target):
        raise InputError(
            f"{what}: source and target have different rows ({len(by_id)} and {len(target)}"
            + (f"; the source lacks id {missing[0]})" if missing else ")"),
            "give the same split in both languages",
        )
    rows = sorted(target, key=lambda example: (len(example.id), example.id))
    other = [by_id[example.id].label for example in rows]
    differing = [row.id for row, label in zip(rows, other, strict=True) if row.label != label]
    if differing:
        raise InputError(f"{what}: the labels of id {differing[0]} differ between languages", AGAIN)
    return Pairs(tuple(by_id[example.id] for example in rows), tuple(rows))


NUSAX_FOLDERS = {
    "ace": "acehnese",
    "ban": "balinese",
    "bbc": "toba_batak",
    "bjn": "banjarese",
    "bug": "buginese",
    "en": "english",
    "id": "indonesian",
    "jv": "javanese",
    "mad": "madurese",
    "min": "minangkabau",
    "nij": "ngaju",
    "su": "sundanese",
}
NUSAX_LABELS = ("negative", "neutral", "positive")
XNLI_LABELS = ("entailment", "neutral", "contradiction")
NLI_LABEL_NAMES = {**{label: label for label in XNLI_LABELS}, "contradictory": "contradiction"}
"""The translated training files of XNLI have a word of their own for contradiction."""


def read_nusax(folder: Path, language: str, split: str) -> list[Example]:
    """NusaX-senti: ``javanese/train.csv`` with columns id, text, label; dev is ``valid.csv``.

    Raises InputError for a language, file, column or label that is not there.
    """
    if language not in NUSAX_FOLDERS:
        raise InputError(
            f"NusaX has no language '{language}'.{nearest(language, NUSAX_FOLDERS)}",
            f"choose among {', '.join(NUSAX_FOLDERS)}",
        )
    path = folder / NUSAX_FOLDERS[language] / f"{'valid' if split == 'dev' else split}.csv"
    rows = _table(path, ("id", "text", "label"), delimiter=",")
    return [
        Example(row["id"], row["text"], _label(row["label"], NUSAX_LABELS, path, number))
        for number, row in enumerate(rows, start=1)
    ]


def read_xnli(folder: Path, language: str, split: str) -> list[Example]:
    """XNLI 1.0: ``xnli.dev.tsv`` and ``xnli.test.tsv``; training is ``multinli.train.xx.tsv``.

    Rows of the training files are aligned across languages and get their number as id. Raises InputError
    for a file, column or label that is not there, and for a language without rows.
    """
    if split == "train":
        path = folder / f"multinli.train.{language}.tsv"
        rows = _table(path, ("premise", "hypo", "label"), delimiter="\t")
        return [
            Example(
                str(number),
                row["premise"],
                _label(NLI_LABEL_NAMES.get(row["label"], row["label"]), XNLI_LABELS, path, number),
                row["hypo"],
            )
            for number, row in enumerate(rows, start=1)
        ]
    path = folder / f"xnli.{split}.tsv"
    columns = ("language", "gold_label", "sentence1", "sentence2", "pairID")
    rows = [row for row in _table(path, columns, delimiter="\t") if row["language"] == language]
    if not rows:
        raise InputError(f"{path} has no rows of language '{language}'", "give a language of XNLI")
    return [
        Example(
            row["pairID"],
            row["sentence1"],
            _label(row["gold_label"], XNLI_LABELS, path, number),
            row["sentence2"],
        )
        for number, row in enumerate(rows, start=1)
    ]


def read_tydiqa(path: Path, language: str | None = None) -> list[Question]:
    """TyDiQA-GoldP: SQuAD's JSON, whose ids begin with the language, such as ``finnish-123-0``.

    ``language`` keeps one language. Raises InputError where the file is missing, damaged, or an answer does
    not stand where it is said to start.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        questions = [
            Question(
                item["id"],
                item["question"],
                paragraph["context"],
                tuple((answer["text"], answer["answer_start"]) for answer in item["answers"]),
            )
            for article in document["data"]
            for paragraph in article["paragraphs"]
            for item in paragraph["qas"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read TyDiQA-GoldP from {path}: {error!r}", AGAIN) from None
    for question in questions:
        for text, start in question.answers:
            if question.context[start : start + len(text)] != text:
                raise InputError(f"{path}: the answer of {question.id} is not at character {start}", AGAIN)
    return [q for q in questions if language is None or q.id.startswith(f"{language}-")]


TASKS = {
    "nusax": Task(
        "nusax",
        NUSAX_LABELS,
        "macro-F1",
        lambda predicted, labels: macro_f1(predicted, labels, len(NUSAX_LABELS)),
        read_nusax,
        "en",
    ),
    "xnli": Task("xnli", XNLI_LABELS, "accuracy", accuracy, read_xnli, "en"),
}


def _table(path: Path, columns: Sequence[str], delimiter: str) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file. Raises InputError where it cannot be read or lacks a column."""
    try:
        return list(_rows(path, columns, delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}", AGAIN) from None


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[dict[str, str]]:
    quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE  # a tab needs no quotes
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter, quoting=quoting)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path} has no column '{missing[0]}'", AGAIN)
        for number, row in enumerate(reader, start=1):
            if None in row or any(row[name] is None for name in columns):
                raise InputError(f"{path}: row {number} has another number of columns", AGAIN)
            yield row


def _label(name: str, labels: Sequence[str], path: Path, row: int) -> int:
    if name not in labels:
        raise InputError(f"{path}: row {row} has the label '{name}'", f"labels are {', '.join(labels)}")
    return labels.index(name)
