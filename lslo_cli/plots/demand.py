"""The parameter demand of each language and each matrix, as tables (paper, figures 2, 4, 5 and 6).

Demand is the negative of eq. 6: the share of B left after pruning minus the target share, in percentage
points of the matrix or, as in the paper, in entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pandas import DataFrame, Series

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError
from lslo_cli.method.importance import Pool, PrunedMatrix, mean_demand, mean_demand_by_layer
from lslo_cli.method.languages import Language, Resource
from lslo_cli.method.sites import KINDS, Kind, Stack
from lslo_cli.wording import Command

POOLS = {
    Pool.LAYER: "all languages and matrices of a layer",
    Pool.LAYER_KIND: "all languages of a matrix",
    Pool.LANGUAGE: "all matrices of a language",
}


@dataclass(frozen=True)
class Pair:
    """The two panels of one map: rows x kinds of matrices, for the encoder and for the decoder.

    NaN if the model has no such matrix.
    """

    title: str
    panels: Mapping[Stack, DataFrame]


@dataclass(frozen=True)
class Demand:
    """Maps that share one scale, and a description of the pruning. ``counts``: entries, not points."""

    pairs: Sequence[Pair]
    description: str
    counts: bool

    @property
    def unit(self) -> str:
        """The unit of a value."""
        return "entries of B" if self.counts else "% of B"

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the scale, one below zero and one above: the lowest and the highest value.

        Neither end is nearer to zero than a quarter of the other, or than the error of rounding to whole
        entries.
        """
        values = np.concatenate([f.to_numpy().ravel() for pair in self.pairs for f in pair.panels.values()])
        return ends_around_zero(values, 1.0 if self.counts else 0.1)


def ends_around_zero(values: np.ndarray, least: float) -> tuple[float, float]:
    """The lowest and the highest value as ends of a scale, each at least ``least`` from zero.

    Neither end is nearer to zero than a quarter of the other. NaN is ignored.
    """
    below, above = (max(least, float(np.nanmax(side, initial=0))) for side in (-values, values))
    return -max(below, above / 4), max(above, below / 4)


def by_resource(languages: Sequence[Language]) -> list[Language]:
    """Most resources first; within a class in the order given."""
    return sorted(languages, key=lambda language: list(Resource).index(language.resource))


def of_languages(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    by_layer: bool = False,
    counts: bool = False,
) -> Demand:
    """Languages x matrices, averaged over layers (figure 2), or one map for each layer (figure 5).

    Several results, as of several seeds, give their mean. Raises InputError for an estimate that pruned each
    language alone, so that languages cannot be compared, and for results of different studies.
    """
    for result in results:
        if result.pool is Pool.LANGUAGE:
            raise InputError(
                "this subspace estimate pruned each language alone (pool language), so demand cannot be "
                "compared between languages",
                "estimate across languages",
                Command("estimate-subspace", "--pool", "layer"),
            )
    codes = [language.code for language in by_resource(languages)]
    return _mean([_of_languages(result, codes, by_layer, counts) for result in results], results, counts)


def of_matrices(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    by_language: bool = False,
    counts: bool = False,
) -> Demand:
    """Layers x matrices, averaged over languages (figure 4), or one map for each language (figure 6).

    The paper prunes each language alone for these. An estimate with one pool per layer also compares the
    matrices of a layer, but not layers with each other, and the description says so. Several results give
    their mean. Raises InputError for an estimate with one pool per matrix, so that matrices cannot be
    compared, and for results of different studies.
    """
    for result in results:
        if result.pool is Pool.LAYER_KIND:
            raise InputError(
                "this subspace estimate pruned every matrix alone (pool layer-kind), so demand cannot be "
                "compared between matrices",
                "estimate within languages",
                Command("estimate-subspace", "--pool", "language"),
            )
    maps = [_of_matrices(result, languages, by_language, counts) for result in results]
    found = _mean(maps, results, counts)
    limits = "; compare within a layer only" if results[0].pool is Pool.LAYER else ""
    return replace(found, description=found.description + limits)


def _of_languages(result: SubspaceResult, codes: Sequence[str], by_layer: bool, counts: bool) -> list[Pair]:
    everything = list(result.pruned.matrices("B"))
    parts = {"": everything}
    if by_layer:
        numbers = sorted({matrix.site.layer.number for matrix in everything})
        parts = {f"Layer {n}": [m for m in everything if m.site.layer.number == n] for n in numbers}
    kinds = _kinds(everything)
    pairs = []
    for title, part in parts.items():
        demand = {stack: mean_demand(part, result.target_ratio, stack, not counts) for stack in Stack}
        pairs.append(Pair(title, {stack: _frame(demand[stack], codes, kinds[stack]) for stack in kinds}))
    return pairs


def _of_matrices(
    result: SubspaceResult, languages: Sequence[Language], by_language: bool, counts: bool
) -> list[Pair]:
    everything = list(result.pruned.matrices("B"))
    numbers = range(1, 1 + max(matrix.site.layer.number for matrix in everything))
    parts = {"": everything}
    if by_language:
        titles = {lang.code: f"{lang.code} ({lang.resource.letter})" for lang in by_resource(languages)}
        parts = {title: [m for m in everything if m.language == code] for code, title in titles.items()}
    kinds = _kinds(everything)
    return [
        Pair(title, dict(_layers_by_kind(part, result.target_ratio, numbers, kinds, counts)))
        for title, part in parts.items()
    ]


def _mean(maps: Sequence[Sequence[Pair]], results: Sequence[SubspaceResult], counts: bool) -> Demand:
    """The mean of the same maps of several results. Raises InputError if maps or settings differ."""
    first = results[0]
    pruned = {row[:3] for row in first.pruned.rows}
    for result in results:
        settings = (result.pool, result.target_ratio) == (first.pool, first.target_ratio)
        if not settings or {row[:3] for row in result.pruned.rows} != pruned:
            raise InputError(
                "these subspace estimates differ in pool, target ratio, matrices or languages, so they have "
                "no mean",
                "draw them separately, or estimate them with the same settings",
            )
    scale = 1 if counts else 100
    frames = [
        {stack: [scale * pairs[number].panels[stack] for pairs in maps] for stack in pair.panels}
        for number, pair in enumerate(maps[0])
    ]
    means = [
        Pair(pair.title, {stack: sum(each) / len(each) for stack, each in panels.items()})
        for pair, panels in zip(maps[0], frames, strict=True)
    ]
    description = _describe(first) + (_larger(first) if counts else "")
    if len(results) > 1:
        deviations = (np.std(each, axis=0, ddof=1) for panels in frames for each in panels.values())
        largest = max(float(np.nan_to_num(deviation).max()) for deviation in deviations)
        digits = 0 if counts else 1
        description += (
            f"; mean of {len(results)} seeds, standard deviation of a cell at most {largest:.{digits}f}"
        )
    return Demand(means, description, counts)


def _layers_by_kind(
    matrices: Sequence[PrunedMatrix],
    target_ratio: float,
    numbers: Sequence[int],
    kinds: Mapping[Stack, Sequence[Kind]],
    counts: bool,
) -> Iterator[tuple[Stack, DataFrame]]:
    demand = mean_demand_by_layer(matrices, target_ratio, not counts)
    for stack, columns in kinds.items():
        own = {(layer.number, kind): value for (layer, kind), value in demand.items() if layer.stack is stack}
        yield stack, _frame(own, numbers, columns)


def _describe(result: SubspaceResult) -> str:
    return f"{POOLS[result.pool]} pruned together, target ratio {result.target_ratio:g}"


def _larger(result: SubspaceResult) -> str:
    """The kinds of matrices with more entries than others, and so larger counts."""
    sizes = {matrix.site.kind: matrix.size for matrix in result.pruned.matrices("B")}
    smallest = min(sizes.values())
    return "".join(
        f"; B of {kind} has {size / smallest:g} times the entries of others"
        for kind, size in sizes.items()
        if size > smallest
    )


def _kinds(matrices: Sequence[PrunedMatrix]) -> dict[Stack, list[Kind]]:
    """The kinds that carry adapters, by stack, in the column order of the paper's figures."""
    present = {(matrix.site.layer.stack, matrix.site.kind) for matrix in matrices}
    return {stack: [kind for kind in KINDS[stack] if (stack, kind) in present] for stack in Stack}


def _frame(
    demand: Mapping[tuple[str, Kind], float] | Mapping[tuple[int, Kind], float],
    rows: Sequence,
    kinds: Sequence[Kind],
) -> DataFrame:
    if not demand:
        return DataFrame(np.nan, index=list(rows), columns=list(kinds))
    return Series(demand).unstack().reindex(index=list(rows), columns=list(kinds))
