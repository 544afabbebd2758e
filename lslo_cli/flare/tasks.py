"""Tasks in many languages: NusaX-senti, XNLI and TyDiQA-GoldP as published, and the built-in world's."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lslo_cli.errors import InputError, nearest
from lslo_cli.flare.examples import AGAIN, Example, Pairs, Prompt, Question, paired
from lslo_cli.method.task_scores import accuracy, exact_match, macro_f1
from lslo_cli.parsing import parse_json
from lslo_cli.world import PIVOT, WORLD
from lslo_cli.world.task import KINDS, task_rows


@dataclass(frozen=True)
class Task:
    """A task: its labels, its score, and how a split is read.

    ``score(answers, labels)`` takes numbers of labels. Where answers are spans, ``answers`` are instead the
    two grades of each, exact match and token F1.

    ``prompt`` is how a decoder is asked for the answer, as the released code does; encoders have a head.

    ``pairs(folder, language, split)`` returns the texts of a language beside those of the source language,
    for ``train``, ``dev`` or ``test``; of the source language beside themselves. Without ``labels`` answers
    are spans of the context.
    """

    labels: tuple[str, ...]
    metric: str
    score: Callable[[Sequence[Any], Sequence[Any]], float]
    prompt: Callable[[Any], Prompt]
    pairs: Callable[[Path, str, str], Pairs]


SOURCE = "en"
"""The language that tasks are transferred from."""

TYDIQA_LANGUAGES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}
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

    ``language`` keeps one language. Of several answers the first counts; where there is none, the question
    has an empty one. Raises InputError where the file is missing, damaged, or an answer does not stand where
    it is said to start.
    """
    try:
        document = parse_json(path.read_bytes())
        questions = [
            Question(item["id"], item["question"], paragraph["context"], *_first_answer(item["answers"]))
            for article in document["data"]
            for paragraph in article["paragraphs"]
            for item in paragraph["qas"]
        ]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"cannot read TyDiQA-GoldP from {path}: {error!r}", AGAIN) from None
    for question in questions:
        if question.pair[slice(*question.label)] != question.answer:
            raise InputError(
                f"{path}: the answer of {question.id} is not at character {question.start}", AGAIN
            )
    return [q for q in questions if language is None or q.id.startswith(f"{language}-")]


def _first_answer(answers: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Its words and where they start."""
    return (answers[0]["text"], answers[0]["answer_start"]) if answers else ("", 0)


def tydiqa_pairs(folder: Path, language: str, split: str) -> Pairs:
    """English training questions beside their translations, and test questions beside theirs into English.

    ``tydiqa-goldp-v1.1-train.json`` and ``-dev.json`` are TyDiQA's own, ``tydiqa.translate.train.en-fi.json``
    and ``tydiqa.translate.test.fi-en.json`` XTREME's translations. A question without an answer, or whose
    translation was lost or has none, is left out and counted. The test is TyDiQA's dev set; there is none for
    development, which gets the last tenth of the training set. Raises InputError for an unknown language and
    as :func:`read_tydiqa` does.
    """
    if language not in TYDIQA_LANGUAGES:
        raise InputError(
            f"TyDiQA-GoldP has no language '{language}'", f"choose among {', '.join(TYDIQA_LANGUAGES)}"
        )
    name = TYDIQA_LANGUAGES[language]
    if split == "test":
        target = read_tydiqa(folder / "tydiqa-goldp-v1.1-dev.json", name)
        english = folder / f"tydiqa.translate.test.{language}-{SOURCE}.json"
        source = target if language == SOURCE else read_tydiqa(english)
    else:
        source = read_tydiqa(folder / "tydiqa-goldp-v1.1-train.json", TYDIQA_LANGUAGES[SOURCE])
        translated = folder / f"tydiqa.translate.train.{SOURCE}-{language}.json"
        target = source if language == SOURCE else read_tydiqa(translated)
    both = {q.id for q in source if q.answer} & {q.id for q in target if q.answer}
    if not both:
        raise InputError(
            f"TyDiQA-GoldP {language} {split} has no question with an answer in both texts", AGAIN
        )
    pairs = paired([q for q in source if q.id in both], [q for q in target if q.id in both], "TyDiQA-GoldP")
    left_out = len({q.id for q in (*source, *target)} - both)
    if split == "test":
        return replace(pairs, left_out=left_out)
    held_out = max(1, len(pairs.target) // 10)
    kept = slice(None, -held_out) if split == "train" else slice(-held_out, None)
    return Pairs(pairs.source[kept], pairs.target[kept], left_out if split == "train" else 0)


def read_world(folder: Path, language: str, split: str) -> list[Example]:
    """The built-in world's task, which needs no files: which kind of action a report tells of.

    Its pivot plays the part of English. Raises InputError for a language that is not the world's.
    """
    code = PIVOT if language == SOURCE else language
    if code not in WORLD:
        raise InputError(
            f"the built-in world has no language '{code}'.{nearest(code, WORLD)}",
            f"choose among {', '.join(WORLD)}",
        )
    rows = enumerate(task_rows(split, code), start=1)
    return [Example(str(number), text, label) for number, (text, label) in rows]


def _aligned(read: Callable[[Path, str, str], list[Example]], what: str) -> Callable[[Path, str, str], Pairs]:
    """Pairs of a task whose files have the same rows in every language."""

    def pairs(folder: Path, language: str, split: str) -> Pairs:
        source = read(folder, SOURCE, split)
        target = source if language == SOURCE else read(folder, language, split)
        return paired(source, target, f"{what} {language} {split}")

    return pairs


def _macro_f1(labels: Sequence[str]) -> Callable[[Sequence[int], Sequence[int]], float]:
    return lambda predicted, right: macro_f1(predicted, right, len(labels))


TASKS = {
    "nusax": Task(
        NUSAX_LABELS,
        "macro-F1",
        _macro_f1(NUSAX_LABELS),
        lambda example: Prompt(example.text, "\nSentiment:"),
        _aligned(read_nusax, "NusaX"),
    ),
    "world": Task(
        KINDS,
        "macro-F1",
        _macro_f1(KINDS),
        lambda example: Prompt(example.text, "\nKind of action:"),
        _aligned(read_world, "the built-in world"),
    ),
    "xnli": Task(
        XNLI_LABELS,
        "accuracy",
        accuracy,
        lambda example: Prompt(f"Premise: {example.text} Hypothesis: {example.pair}", "\nLabel:"),
        _aligned(read_xnli, "XNLI"),
    ),
    # As the released code scores them: of an encoder first and last token must both be right, of a decoder
    # the words, case and punctuation aside. Token F1 stands beside, over the same tokens or words.
    "tydiqa": Task(
        (),
        "exact match",
        lambda graded, _: exact_match(graded),
        lambda question: Prompt(f"Context: {question.pair}", f"\nQuestion: {question.text}\nAnswer:"),
        tydiqa_pairs,
    ),
}


def _table(path: Path, columns: Sequence[str], delimiter: str) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file. Raises InputError where it has none, lacks a column or is damaged."""
    try:
        rows = list(_rows(path, columns, delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}", AGAIN) from None
    if not rows:
        raise InputError(f"{path} has a header and no rows", AGAIN)
    return rows


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
