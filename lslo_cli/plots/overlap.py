"""The similarity of languages' updates, as a table and a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Language
from lslo_cli.plots.demand import ends_around_zero
from lslo_cli.wording import Command

LEAST = 1e-3
"""The least distance from zero of the ends of a scale of cosines."""


@dataclass(frozen=True)
class Overlap:
    """Cosines of the updates of every two languages, in the order of a tree that joins similar ones first.

    ``cosines`` has NaN on its diagonal. ``tree`` is a linkage of scipy with 1 - cosine as the distance, its
    leaves numbered in the order of ``languages``.
    """

    languages: Sequence[Language]
    cosines: DataFrame
    tree: NDArray[np.float64]
    description: str

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the scale: the lowest and the highest cosine of two languages, zero between them."""
        return ends_around_zero(self.cosines.to_numpy(), LEAST)

    def nearest(self, code: str) -> list[tuple[str, float]]:
        """The other languages with their cosines, most similar first."""
        return list(self.cosines.loc[code].dropna().sort_values(ascending=False, kind="stable").items())


def overlap_of(results: Sequence[SubspaceResult], languages: Sequence[Language]) -> Overlap:
    """The overlap of an estimate, or the mean of several, as of several seeds.

    The tree joins groups by the mean over their pairs (UPGMA). Raises InputError if an estimate of an earlier
    version has no overlaps, if estimates differ in languages, and for fewer than three languages.
    """
    codes = [language.code for language in languages]
    for result in results:
        if not result.overlaps:
            raise InputError(
                "this subspace estimate is of an earlier version and lacks the similarity of languages",
                "estimate again",
                Command("estimate-subspace"),
            )
        if list(result.overlaps) != codes:
            raise InputError(
                "these subspace estimates differ in languages, so they have no mean",
                "draw them separately, or estimate them with the same languages",
            )
    if len(codes) < 3:
        raise InputError(
            f"a tree needs three languages, not {len(codes)}",
            "name one more",
            Command("estimate-subspace", "--langs", ",".join([*codes, "LANGUAGE"])),
        )
    mean = np.mean([list(result.overlaps.values()) for result in results], axis=0)
    distances = 1 - (mean + mean.T) / 2
    np.fill_diagonal(distances, 0.0)
    tree = hierarchy.linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    order = hierarchy.leaves_list(tree)
    cosines = mean[np.ix_(order, order)]
    np.fill_diagonal(cosines, np.nan)
    ordered = [languages[position] for position in order]
    names = [language.code for language in ordered]
    frame = DataFrame(cosines, index=names, columns=names)
    return Overlap(ordered, frame, _renumbered(tree, order), _describe(frame, ordered, len(results)))


def _renumbered(tree: NDArray[np.float64], order: NDArray[np.int32]) -> NDArray[np.float64]:
    """The same tree with its leaves numbered by their position in ``order``."""
    position = {leaf: number for number, leaf in enumerate(order)}
    renumbered = tree.copy()
    for row in renumbered:
        row[:2] = [position.get(int(node), node) for node in row[:2]]
    return renumbered


def _describe(cosines: DataFrame, languages: Sequence[Language], seeds: int) -> str:
    """The meaning of a cell, and how often the most similar language is of the same family."""
    text = "cosine of the updates B A of two languages over all matrices"
    if seeds > 1:
        text += f", mean of {seeds} seeds"
    family = {language.code: language.family for language in languages if language.family}
    related = [code for code in family if list(family.values()).count(family[code]) > 1]
    if related:
        nearest = cosines.loc[related].idxmax(axis=1)
        alike = sum(family.get(other) == family[code] for code, other in nearest.items())
        chance = sum(list(family.values()).count(family[code]) - 1 for code in related) / (len(languages) - 1)
        text += (
            f"; of {len(related)} languages with relatives here, {alike} are most similar to one of these "
            f"({chance:.1f} by chance)"
        )
    return text
