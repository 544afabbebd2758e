"""How far a model that reads a source repeats the source's answer, in percent: controls for fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reliance:
    """The answers of a model that is given the source of another row.

    Over the rows whose own label is not that of the source: ``source`` is the share answered with the label
    of the source, ``target`` with that of the text itself. A model that reads only the source has a high
    ``source``; one that reads only the target, a high ``target``.
    """

    source: float
    target: float


def reliance(answers: Sequence[int], labels: Sequence[int], shuffled: Sequence[int]) -> Reliance | None:
    """``answers`` were given with the source of row ``shuffled[i]`` in row i.

    None if no row has a source with another label.
    """
    rows = [row for row, other in enumerate(shuffled) if labels[row] != labels[other]]
    if not rows:
        return None
    source = sum(answers[row] == labels[shuffled[row]] for row in rows)
    target = sum(answers[row] == labels[row] for row in rows)
    return Reliance(100 * source / len(rows), 100 * target / len(rows))


def agreement(answers: Sequence[int], reference: Sequence[int]) -> float:
    """The share of rows whose answer is that of ``reference``."""
    return 100 * sum(one == other for one, other in zip(answers, reference, strict=True)) / len(answers)


def repeated_errors(answers: Sequence[int], reference: Sequence[int], labels: Sequence[int]) -> float | None:
    """The share of the wrong answers of ``reference`` that ``answers`` repeat; None if it has none."""
    wrong = [row for row, label in enumerate(labels) if reference[row] != label]
    if not wrong:
        return None
    return 100 * sum(answers[row] == reference[row] for row in wrong) / len(wrong)
