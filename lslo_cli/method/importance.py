"""Intrinsic subspace estimation as arithmetic (paper, section 4.2, eq. 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.method.sites import Kind, Layer, Site, Stack


class Pool(StrEnum):
    """Which B matrices are pruned against each other.

    ``LAYER``: all languages and all matrices of a layer (section 4.2, layer-wise cross-language).
    ``LAYER_KIND``: all languages of one matrix, the narrower reading of the same sentence.
    ``LANGUAGE``: all matrices of a language (section 7.3, language-specific).
    """

    LAYER = "layer"
    LAYER_KIND = "layer-kind"
    LANGUAGE = "language"

    def key(self, site: Site, language: str) -> str:
        """The name of the pool that the B of ``site`` and ``language`` belongs to."""
        if self is Pool.LANGUAGE:
            return language
        return str(site.layer) if self is Pool.LAYER else str(site)


@dataclass(frozen=True)
class PrunedMatrix:
    """One language's B at one site after pruning: ``pruned`` of ``size`` entries are zero."""

    site: Site
    language: str
    pruned: int
    size: int


def importance_score(matrix: PrunedMatrix, target_ratio: float) -> float:
    """Score(B) = #pruned_B - P * #B (eq. 6).

    Positive: more was pruned than the target ratio, so a small subspace is enough. Negative: the language
    needs more capacity here. Its negative, the parameter demand, is red in the paper's figures.
    """
    return matrix.pruned - target_ratio * matrix.size


def scores_by_language(matrices: Iterable[PrunedMatrix], target_ratio: float) -> dict[str, float]:
    """Eq. 6 summed over all sites, for each language."""
    totals: dict[str, float] = {}
    for matrix in matrices:
        totals[matrix.language] = totals.get(matrix.language, 0.0) + importance_score(matrix, target_ratio)
    return totals


def demand(matrix: PrunedMatrix, target_ratio: float, as_share: bool = False) -> float:
    """Parameter demand: entries of B that survived beyond the share 1 - P, the negative of eq. 6.

    With ``as_share``, a share of B's entries, from P - 1 (all pruned) to P (nothing pruned), so that
    matrices of different size compare.
    """
    entries = -importance_score(matrix, target_ratio)
    return entries / matrix.size if as_share else entries


def mean_demand(
    matrices: Iterable[PrunedMatrix], target_ratio: float, stack: Stack, as_share: bool = False
) -> dict[tuple[str, Kind], float]:
    """Demand of each language for each kind of matrix, averaged over the layers of ``stack`` (figure 2)."""
    values: dict[tuple[str, Kind], list[float]] = {}
    for matrix in matrices:
        if matrix.site.layer.stack is stack:
            key = (matrix.language, matrix.site.kind)
            values.setdefault(key, []).append(demand(matrix, target_ratio, as_share))
    return {key: sum(demands) / len(demands) for key, demands in values.items()}


def mean_demand_by_layer(
    matrices: Iterable[PrunedMatrix], target_ratio: float, as_share: bool = False
) -> dict[tuple[Layer, Kind], float]:
    """Demand of each matrix of each layer, averaged over languages (figure 4)."""
    values: dict[tuple[Layer, Kind], list[float]] = {}
    for matrix in matrices:
        key = (matrix.site.layer, matrix.site.kind)
        values.setdefault(key, []).append(demand(matrix, target_ratio, as_share))
    return {key: sum(demands) / len(demands) for key, demands in values.items()}
