"""The texts of an evaluation: sources, hypotheses and references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lslo_cli.artifacts.again import evaluate_again
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import EvaluationFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.writing import write_text
from lslo_cli.data.corpus import Corpus
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Direction

Translations = Mapping[Direction, Sequence[str]]
"""Sentences by direction."""


def write_translations(folder: EvaluationFolder, corpus: Corpus, hypotheses: Translations) -> None:
    """Write the hypotheses, sources and references of each direction line by line, and all three aligned.

    The first three files have equally many lines, without gaps; ``aligned`` has a line for each row of the
    test text, gaps included.
    """
    for direction, lines in hypotheses.items():
        sources, references = corpus.pairs(direction)
        texts = (folder.hypotheses, lines), (folder.sources, sources), (folder.references, references)
        for place, text in texts:
            write_text(place / f"{direction}.txt", "".join(f"{line}\n" for line in text))
        rows = aligned(corpus, direction, lines)
        write_text(folder.aligned / f"{direction}.jsonl", "".join(f"{row}\n" for row in rows))


def read_hypotheses(evaluation: Path, result: EvaluationResult) -> Translations:
    """The translations beside the artifact ``evaluation``, from which it was made.

    Raises InputError if one cannot be read, or if they were changed.
    """
    folder = evaluation.parent / "hypotheses"
    found = {row.direction: _lines(folder / f"{row.direction}.txt") for row in result.directions}
    if digest_of_translations(found) != result.hypotheses_digest:
        raise InputError(
            f"the translations in {folder} are not those that {evaluation.name} was made from",
            "translate again",
            evaluate_again(folder, "--run", result.run),
        )
    return found


def digest_of_translations(hypotheses: Translations) -> str:
    """The digest by which an evaluation knows its translations."""
    return digest_of({str(direction): lines for direction, lines in hypotheses.items()})


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the translations in {path}: {error}", "translate again", evaluate_again(path)
        ) from None


def aligned(corpus: Corpus, direction: Direction, hypotheses: Sequence[str]) -> Iterator[str]:
    """A JSON object for each row in which a direction could have a pair, in the order of the user's files.

    ``row`` is its number there, from 1; ``hypothesis`` is null if source or reference is missing.
    """
    remaining = iter(hypotheses)
    for section in corpus.sections:
        if not (direction.src in section.text and direction.tgt in section.text):
            continue
        pairs = zip(section.text[direction.src], section.text[direction.tgt], strict=True)
        for index, (source, reference) in enumerate(pairs):
            row = {
                "section": section.name,
                "row": section.number(index),
                "source": source,
                "reference": reference,
                "hypothesis": next(remaining) if source and reference else None,
            }
            yield json.dumps(row, ensure_ascii=False)
