"""Tasks in many languages: NusaX-senti, XNLI and TyDiQA-GoldP as published, and the built-in world's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.flare.examples import Example, Pairs, Prompt, paired, part_of
from lslo_cli.flare.task_files import each_once, label, read_translated, table, translated_file
from lslo_cli.flare.translations import checked_record
from lslo_cli.flare.tydiqa import read_questions, tydiqa_pairs
from lslo_cli.method.flare import SOURCE
from lslo_cli.method.task_scores import accuracy, exact_match, macro_f1
from lslo_cli.world import PIVOT, WORLD
from lslo_cli.world.task import KINDS, TASK_ROWS, task_rows


@dataclass(frozen=True)
class Task:
    """A task: its labels, its score, and the functions that read its splits.

    ``score(answers, labels)`` takes label numbers. If answers are spans, ``answers`` are instead exact match
    and token F1 of each.

    ``prompt`` makes a decoder's prompt, as the released code does; encoders have a head.

    ``pairs(folder, language, split, translations, rows)`` returns the first ``rows``, or all, of the texts of
    a language paired with those of the source language, for ``train``, ``dev`` or ``test``; the source
    language is paired with itself. Machine translations in the folder ``translations`` replace one of the
    two: the target's texts in training and development, the source's in a test. ``read`` returns the texts
    of one language to translate, ``forward`` are the splits to translate into target languages. ``source`` is
    the translator's code of the source language, ``rows`` the published number of training rows. Without
    ``labels`` answers are spans of the context.
    """

    labels: tuple[str, ...]
    metric: str
    score: Callable[[Sequence[Any], Sequence[Any]], float]
    prompt: Callable[[Any], Prompt]
    pairs: Callable[[Path, str, str, Path | None, int | None], Pairs]
    read: Callable[[Path, str, str], Sequence[Any]]
    rows: int
    forward: tuple[str, ...] = ("train", "dev")
    source: str = "en"


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
XNLI_SYNONYMS = {"contradictory": "contradiction"}
"""The training files of XNLI use another word for contradiction."""


def read_nusax(folder: Path, language: str, split: str) -> list[Example]:
    """NusaX-senti: ``javanese/train.csv`` with columns id, text, label; dev is ``valid.csv``.

    Raises InputError for a missing file or column, and an unknown language or label.
    """
    if language not in NUSAX_FOLDERS:
        raise InputError(
            f"NusaX has no language '{language}'.{nearest(language, NUSAX_FOLDERS)}",
            f"choose among {', '.join(NUSAX_FOLDERS)}",
        )
    path = folder / NUSAX_FOLDERS[language] / f"{'valid' if split == 'dev' else split}.csv"
    rows = table(path, ("id", "text", "label"), delimiter=",")
    return each_once(
        path,
        {
            number: Example(row["id"], row["text"], label(row["label"], NUSAX_LABELS, path, number))
            for number, row in rows.items()
        },
    )


def read_xnli(folder: Path, language: str, split: str) -> list[Example]:
    """XNLI 1.0: ``xnli.dev.tsv`` and ``xnli.test.tsv``; training is ``multinli.train.xx.tsv``.

    Rows of the training files are aligned across languages; their ids are their numbers. Raises InputError
    for a missing file or column, an unknown label, and a language without rows.
    """
    if split == "train":
        path = folder / f"multinli.train.{language}.tsv"
        rows = table(path, ("premise", "hypo", "label"), delimiter="\t")
        return [
            Example(
                str(number),
                row["premise"],
                label(row["label"], XNLI_LABELS, path, number, XNLI_SYNONYMS),
                row["hypo"],
            )
            for number, row in rows.items()
        ]
    path = folder / f"xnli.{split}.tsv"
    columns = ("language", "gold_label", "sentence1", "sentence2", "pairID")
    rows = {
        number: row
        for number, row in table(path, columns, delimiter="\t").items()
        if row["language"] == language
    }
    if not rows:
        raise InputError(f"{path} has no rows of language '{language}'", "give a language of XNLI")
    return each_once(
        path,
        {
            number: Example(
                row["pairID"],
                row["sentence1"],
                label(row["gold_label"], XNLI_LABELS, path, number),
                row["sentence2"],
            )
            for number, row in rows.items()
        },
    )


def read_world(folder: Path, language: str, split: str) -> list[Example]:
    """The built-in world's task, which needs no files: the kind of action in a report.

    Its pivot takes the place of English. Raises InputError for a language outside the world.
    """
    code = PIVOT if language == SOURCE else language
    if code not in WORLD:
        raise InputError(
            f"the built-in world has no language '{code}'.{nearest(code, WORLD)}",
            f"choose among {', '.join(WORLD)}",
        )
    rows = enumerate(task_rows(split, code), start=1)
    return [Example(str(number), text, label) for number, (text, label) in rows]


def _aligned(
    read: Callable[[Path, str, str], list[Example]], labels: Sequence[str], what: str
) -> Callable[[Path, str, str, Path | None, int | None], Pairs]:
    """The function ``pairs`` of a task whose files have the same rows in every language."""

    def pairs(
        folder: Path, language: str, split: str, translations: Path | None = None, rows: int | None = None
    ) -> Pairs:
        name = f"{what} {language} {split}"
        if language == SOURCE or not translations:
            source, target = (part_of(read(folder, each, split), rows) for each in (SOURCE, language))
            return paired(source, target, name)
        src, tgt = (language, SOURCE) if split == "test" else (SOURCE, language)
        own, path = read(folder, src, split), translated_file(translations, src, tgt, split, questions=False)
        record = checked_record(path, own, rows)
        texts, translated = part_of(own, rows), part_of(read_translated(path, labels), rows)
        pairs = paired(translated, texts, name) if split == "test" else paired(texts, translated, name)
        return replace(pairs, translation=record)

    return pairs


def task_named(name: str) -> Task:
    """A task by its name. Raises UsageError for an unknown one."""
    if name not in TASKS:
        raise UsageError(f"unknown task '{name}'.{nearest(name, TASKS)}", f"tasks: {', '.join(TASKS)}")
    return TASKS[name]


def _macro_f1(labels: Sequence[str]) -> Callable[[Sequence[int], Sequence[int]], float]:
    return lambda predicted, right: macro_f1(predicted, right, len(labels))


TASKS = {
    "nusax": Task(
        NUSAX_LABELS,
        "macro-F1",
        _macro_f1(NUSAX_LABELS),
        lambda example: Prompt((("", example.text),), (("\nSentiment:", ""),)),
        _aligned(read_nusax, NUSAX_LABELS, "NusaX"),
        read_nusax,
        rows=500,
    ),
    "world": Task(
        KINDS,
        "macro-F1",
        _macro_f1(KINDS),
        lambda example: Prompt((("", example.text),), (("\nKind of action:", ""),)),
        _aligned(read_world, KINDS, "the built-in world"),
        read_world,
        rows=TASK_ROWS["train"],
        source=PIVOT,
    ),
    "xnli": Task(
        XNLI_LABELS,
        "accuracy",
        accuracy,
        lambda example: Prompt(
            (("Premise: ", example.text), (" Hypothesis: ", example.pair)), (("\nLabel:", ""),)
        ),
        _aligned(read_xnli, XNLI_LABELS, "XNLI"),
        read_xnli,
        rows=392_702,
    ),
    # Scored as in the released code: an encoder's first and last token must both be right, a decoder's words
    # apart from case and punctuation. Token F1 is over the same tokens or words.
    "tydiqa": Task(
        (),
        "exact match",
        lambda graded, _: exact_match(graded),
        lambda question: Prompt(
            (("Context: ", question.pair),), (("\nQuestion: ", question.text), ("\nAnswer:", ""))
        ),
        tydiqa_pairs,
        read_questions,
        rows=3_327,  # nine tenths of the English questions
        forward=("train",),
    ),
}
