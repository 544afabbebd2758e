"""Demand as tables: how much room each language and each matrix needs (paper, figures 2, 4, 5 and 6).

Demand is the negative of eq. 6: entries of B that pruning kept beyond the share it was to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pandas import DataFrame, Series

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError
from lslo_cli.method.importance import Pool, PrunedMatrix, mean_demand, mean_demand_by_layer
from lslo_cli.method.languages import Language, Resource
from lslo_cli.method.sites import KINDS, Kind, Stack

POOLS = {
    Pool.LAYER: "all languages and matrices of a layer",
    Pool.LAYER_KIND: "all languages of a matrix",
    Pool.LANGUAGE: "all matrices of a language",
}


@dataclass(frozen=True)
class Pair:
    """The two panels of one map: rows x kinds of matrices, for the encoder and for the decoder.

    NaN where the model has no such matrix.
    """

    title: str
    panels: Mapping[Stack, DataFrame]


@dataclass(frozen=True)
class Demand:
    """Maps that share one scale, and what was pruned against what."""

    pairs: Sequence[Pair]
    description: str

    @property
    def limit(self) -> float:
        """The largest demand in size over all maps; at least one entry, which rounding alone can make."""
        frames = [frame for pair in self.pairs for frame in pair.panels.values()]
        return max(1.0, *(float(np.nanmax(np.abs(frame.to_numpy()), initial=0)) for frame in frames))


def by_resource(languages: Sequence[Language]) -> list[Language]:
    """Most resources first; within a class in the order given."""
    return sorted(languages, key=lambda language: list(Resource).index(language.resource))


def of_languages(result: SubspaceResult, languages: Sequence[Language], by_layer: bool = False) -> Demand:
    """Languages x matrices, averaged over layers (figure 2), or one map for each layer (figure 5).

    Raises InputError for an estimate that pruned each language alone, which compares no languages.
    """
    if result.pool is Pool.LANGUAGE:
        raise InputError(
            "this subspace estimate pruned each language alone (pool language), so demand cannot be compared "
            "between languages",
            "estimate across languages: lslo estimate-subspace --pool layer",
        )
    everything = list(result.pruned.matrices("B"))
    codes = [language.code for language in by_resource(languages)]
    parts = {"": everything}
    if by_layer:
        numbers = sorted({matrix.site.layer.number for matrix in everything})
        parts = {f"Layer {n}": [m for m in everything if m.site.layer.number == n] for n in numbers}
    kinds = _kinds(everything)
    pairs = []
    for title, part in parts.items():
        demand = {stack: mean_demand(part, result.target_ratio, stack) for stack in Stack}
        pairs.append(Pair(title, {stack: _frame(demand[stack], codes, kinds[stack]) for stack in kinds}))
    return Demand(pairs, _describe(result))


def of_matrices(result: SubspaceResult, languages: Sequence[Language], by_language: bool = False) -> Demand:
    """Layers x matrices, averaged over languages (figure 4), or one map for each language (figure 6).

    The paper prunes each language alone for these. An estimate with one pool per layer compares the
    matrices of a layer as well, but not layers with each other, and the description says so. Raises
    InputError for an estimate with one pool per matrix, which compares no matrices.
    """
    if result.pool is Pool.LAYER_KIND:
        raise InputError(
            "this subspace estimate pruned every matrix apart (pool layer-kind), so demand cannot be "
            "compared between matrices",
            "estimate within languages: lslo estimate-subspace --pool language",
        )
    everything = list(result.pruned.matrices("B"))
    numbers = range(1, 1 + max(matrix.site.layer.number for matrix in everything))
    parts = {"": everything}
    if by_language:
        titles = {lang.code: f"{lang.code} ({lang.resource.letter})" for lang in by_resource(languages)}
        parts = {title: [m for m in everything if m.language == code] for code, title in titles.items()}
    kinds = _kinds(everything)
    pairs = [
        Pair(title, dict(_layers_by_kind(part, result.target_ratio, numbers, kinds)))
        for title, part in parts.items()
    ]
    limits = "; compare within a layer only" if result.pool is Pool.LAYER else ""
    return Demand(pairs, _describe(result) + limits)


def _layers_by_kind(
    matrices: Sequence[PrunedMatrix],
    target_ratio: float,
    numbers: Sequence[int],
    kinds: Mapping[Stack, Sequence[Kind]],
) -> Iterator[tuple[Stack, DataFrame]]:
    demand = mean_demand_by_layer(matrices, target_ratio)
    for stack, columns in kinds.items():
        own = {(layer.number, kind): value for (layer, kind), value in demand.items() if layer.stack is stack}
        yield stack, _frame(own, numbers, columns)


def _describe(result: SubspaceResult) -> str:
    return f"{POOLS[result.pool]} pruned together, target ratio {result.target_ratio:g}"


def _kinds(matrices: Sequence[PrunedMatrix]) -> dict[Stack, list[Kind]]:
    """The kinds that carry adapters, by stack, in the column order of the paper's figures."""
    present = {(matrix.site.layer.stack, matrix.site.kind) for matrix in matrices}
    return {stack: [kind for kind in KINDS[stack] if (stack, kind) in present] for stack in Stack}


def _frame(
    demand: Mapping[tuple[str | int, Kind], float], rows: Sequence, kinds: Sequence[Kind]
) -> DataFrame:
    if not demand:
        return DataFrame(np.nan, index=list(rows), columns=list(kinds))
    return Series(demand).unstack().reindex(index=list(rows), columns=list(kinds))
