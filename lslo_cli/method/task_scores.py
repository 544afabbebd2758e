"""Scores of classification and question answering, all from 0 to 100, and ranks over tasks."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

A = TypeVar("A")


def accuracy(predicted: Sequence[int], labels: Sequence[int]) -> float:
    """The share of texts whose label was predicted."""
    return 100 * sum(p == y for p, y in zip(predicted, labels, strict=True)) / len(labels)


def macro_f1(predicted: Sequence[int], labels: Sequence[int], classes: int) -> float:
    """The mean over classes of ``2 TP / (2 TP + FP + FN)``; a class that never occurs counts 0."""
    pairs = list(zip(predicted, labels, strict=True))
    scores = []
    for c in range(classes):
        hits = sum(p == y == c for p, y in pairs)
        named = sum(p == c for p, _ in pairs) + sum(y == c for _, y in pairs)
        scores.append(2 * hits / named if named else 0.0)
    return 100 * sum(scores) / classes


def exact_match(graded: Sequence[Sequence[float]]) -> float:
    """The share of questions that were answered exactly; ``graded`` are (exact, token F1) of each, 0 to 1."""
    return 100 * sum(exact for exact, _ in graded) / len(graded)


def token_f1(graded: Sequence[Sequence[float]]) -> float:
    """The mean of questions' :func:`overlap`; ``graded`` as in :func:`exact_match`."""
    return 100 * sum(overlap for _, overlap in graded) / len(graded)


def best_grades(grades: Callable[[A, A], tuple[float, float]], answer: A, right: Iterable[A]) -> list[float]:
    """Exact match and token F1 of one answer, each the best over its right ones, as in SQuAD's script."""
    return [max(each) for each in zip(*(grades(answer, one) for one in right), strict=True)]


def overlap(answer: Iterable[Hashable], right: Iterable[Hashable]) -> float:
    """Token F1 of one answer, 0 to 1: the harmonic mean of precision and recall of its tokens, as bags."""
    one, other = Counter(answer), Counter(right)
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def normalised_answer(text: str) -> str:
    """An answer without case, punctuation and superfluous space."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\s+", " ", kept).strip()


def average_ranks(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over tasks of each method's rank, 1 for the best; ties share the mean of their ranks.

    ``scores`` are by method, then by task; every method has every task.
    """
    from scipy import stats

    tasks = list(next(iter(scores.values())))
    ranks = stats.rankdata([[-own[task] for task in tasks] for own in scores.values()], axis=0)
    return dict(zip(scores, ranks.mean(axis=1).tolist(), strict=True))
