"""The text of the built-in world: line-aligned sentences per split, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from random import Random

from lslo_cli.errors import UsageError, nearest
from lslo_cli.world.languages import NEWCOMERS, WORLD
from lslo_cli.world.meaning import REPORT, TALK, Meaning, meanings
from lslo_cli.world.sizes import Sizes, world
from lslo_cli.world.speech import Speaker


class WorldSplit(StrEnum):
    """The parts of the text. No meaning occurs in two of them."""

    DEVTEST = "devtest"
    TEST = "test"
    TRAIN = "train"
    VALID = "valid"
    PRETRAIN = "pretrain"


ROWS: dict[WorldSplit, int] = {
    WorldSplit.DEVTEST: 40,
    WorldSplit.TEST: 160,
    WorldSplit.TRAIN: 200,
    WorldSplit.VALID: 100,
    WorldSplit.PRETRAIN: 40_000,
}
"""Rows of every split.

``pretrain`` is the base model's uneven bitext; the others exist in all languages: ``valid`` is for
validation of the base model's training, ``train`` for fine-tuning, ``test`` for scores, and ``devtest`` for
choosing settings, so that ``test`` stays unseen. ``pretrain`` and ``valid`` are talk, the rest are reports:
as on FLORES, fine-tuning changes the domain.
"""

REPORTS = (WorldSplit.DEVTEST, WorldSplit.TEST, WorldSplit.TRAIN)
"""The splits of reports, in the order in which they are taken from one stream."""


def sentences(
    split: WorldSplit | str,
    rows: int | None = None,
    codes: Sequence[str] = tuple(WORLD),
    sizes: Sizes = Sizes.SHIPPED,
) -> dict[str, list[str]]:
    """The first ``rows`` rows (default: all) of a split, as language code -> aligned lines.

    In ``pretrain`` a language has lines in as many of the 40,000 rows as ``sizes`` give it, drawn uniformly,
    and empty strings in the others; the pivot has lines in all, and newcomers in none. ``codes`` choose the
    languages, newcomers only if they are named. Raises UsageError for an unknown split or language, or more
    rows than there are.
    """
    split = _known(split)
    rows = ROWS[split] if rows is None else rows
    if not 0 < rows <= ROWS[split]:
        message = f"the world's {split} split has {ROWS[split]} rows, not {rows}"
        raise UsageError(message, f"ask for 1 to {ROWS[split]} rows")
    known = (*WORLD, *NEWCOMERS)
    for code in codes:
        if code not in known:
            raise UsageError(
                f"the built-in world has no language '{code}'",
                f"its languages are {', '.join(known)}; give real text with --data",
            )
    said = _meanings(split)[:rows]
    return {code: _lines(code, split, said, sizes) for code in codes}


def write_world(
    folder: Path, splits: Iterable[WorldSplit | str] = tuple(WorldSplit), rows: int | None = None
) -> list[Path]:
    """Write splits in the FLORES layout, ``folder/train/qta.train``; a gap is an empty line.

    ``rows`` shortens every split to its first rows. Returns the files written.
    """
    written = []
    for split in map(_known, splits):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for code, lines in sentences(split, rows).items():
            path = folder / split / f"{code}.{split}"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
            written.append(path)
    return written


def _known(split: str) -> WorldSplit:
    try:
        return WorldSplit(split)
    except ValueError:
        hint = f"choose one of {', '.join(WorldSplit)}"
        raise UsageError(f"the world has no split '{split}'.{nearest(split, WorldSplit)}", hint) from None


def _meanings(split: WorldSplit) -> list[Meaning]:
    """Reports for the splits of :data:`REPORTS`, and for the others talk without any of their meanings."""
    reports = list(islice(meanings("reports", REPORT), sum(ROWS[part] for part in REPORTS)))
    if split in REPORTS:
        start = sum(ROWS[part] for part in REPORTS[: REPORTS.index(split)])
        return reports[start : start + ROWS[split]]
    talk = meanings("talk", TALK, known=reports)
    valid = list(islice(talk, ROWS[WorldSplit.VALID]))
    return valid if split is WorldSplit.VALID else list(islice(talk, ROWS[split]))


def _lines(code: str, split: WorldSplit, said: list[Meaning], sizes: Sizes) -> list[str]:
    speaker = Speaker(code)
    if split is WorldSplit.PRETRAIN and code in NEWCOMERS:
        return [""] * len(said)
    bitext = {**world(sizes), **NEWCOMERS}[code].bitext
    if split is not WorldSplit.PRETRAIN or bitext is None:
        return [speaker.say(meaning) for meaning in said]
    present = _translated_rows(code, bitext)
    return [speaker.say(meaning) if row in present else "" for row, meaning in enumerate(said)]


def _translated_rows(code: str, bitext: int) -> set[int]:
    """The rows of ``pretrain`` that exist in a language: the ``bitext`` with the smallest random numbers."""
    random = Random(f"{code} bitext")
    chances = [(random.random(), row) for row in range(ROWS[WorldSplit.PRETRAIN])]
    return {row for _, row in sorted(chances)[:bitext]}
