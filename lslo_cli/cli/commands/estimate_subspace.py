"""``lslo estimate-subspace``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, takes
from lslo_cli.cli.run import print_artifacts, say_next, show_plan
from lslo_cli.cli.stage_options import FitOptions

if TYPE_CHECKING:
    from lslo_cli.artifacts.results import SubspaceResult
    from lslo_cli.artifacts.schema import Artifact, LanguageRecord


@dataclass(frozen=True, kw_only=True)
class EstimateSubspaceOptions(FitOptions):
    pool: Annotated[str | None, Option("--pool"), Key("estimate_subspace.pool")] = None
    target_ratio: Annotated[float | None, Option("--target-ratio"), Key("estimate_subspace.target_ratio")] = (
        None
    )
    start_epoch: Annotated[int | None, Option("--start-epoch"), Key("estimate_subspace.start_epoch")] = None
    duration: Annotated[int | None, Option("--duration"), Key("estimate_subspace.duration")] = None
    rank: Annotated[int | None, Option("--rank"), Key("estimate_subspace.rank")] = None
    mean_rank: Annotated[float | None, Option("--mean-rank"), Key("estimate_subspace.mean_rank")] = None
    index: Annotated[str | None, Option("--index", metavar="INDEX"), Key("estimate_subspace.index")] = None
    epochs: Annotated[int | None, Option("--epochs"), Key("estimate_subspace.epochs")] = None
    quick: Annotated[bool | None, Option("--quick"), Key("estimate_subspace.quick")] = None


@takes(EstimateSubspaceOptions)
def estimate_subspace(options: EstimateSubspaceOptions) -> None:
    """Estimate how much adapter capacity each language needs, and derive a rank for each.

    Paper: sections 4.2 and 7.3, eq. 6, figures 2 and 4 to 6.
    Reads: the base model, the training text, and index-strategy.json if there is one.
    Writes: subspace.json, or subspace-language.json with --pool language.

    Example: lslo estimate-subspace --langs lang12
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks import commands as tasks

    if options.dry_run:
        return show_plan(options, tasks.plan(experiment, "estimate-subspace"))
    with listening(options.quiet) as on_event:
        written = tasks.estimate_subspace(experiment, resume=options.resume, on_event=on_event)
    if not print_artifacts(options, [written]):
        show_subspace(written.artifact)
    say_next(options, [written], "plot matrices --by-language" if options.pool == "language" else "train")


def show_subspace(artifact: Artifact[SubspaceResult]) -> None:
    """Print score and rank of every language or, if each was pruned alone, demand by matrix and layer."""
    from lslo_cli.method.importance import Pool

    if artifact.result.pool is Pool.LANGUAGE:
        show_demand_by_layer(artifact.result)
    else:
        show_ranks(artifact.result, artifact.languages)


def show_ranks(result: SubspaceResult, languages: Sequence[LanguageRecord]) -> None:
    """Print importance score, surviving share of B, gain on dev rows and estimated rank by language."""
    from lslo_cli.method.languages import Resource

    kept: dict[str, int] = {}
    size: dict[str, int] = {}
    for matrix in result.pruned.matrices("B"):
        kept[matrix.language] = kept.get(matrix.language, 0) + matrix.size - matrix.pruned
        size[matrix.language] = size.get(matrix.language, 0) + matrix.size
    rows: list[tuple[object, ...]] = [
        (
            language.code,
            language.resource,
            language.bitext,
            f"{result.scores[language.code]:,.0f}",
            f"{kept[language.code] / size[language.code]:.1%}",
            result.ranks[language.code],
        )
        for language in languages
    ]
    columns = ["language", "resource", "bitext", "score", "B kept", "rank"]
    if result.gains:
        columns.insert(5, "gain on dev")
        rows = [
            (*row[:5], f"{result.gains[language.code]:+.4f}", row[5])
            for row, language in zip(rows, languages, strict=True)
        ]
    console.show_table("Importance score (eq. 6) and estimated rank", columns, rows, names=2)
    if result.gains_by_fold:
        reliable = result.estimate().reliability
        console.show_facts(
            [("reliability of gains", f"{reliable:.2f}: the part of their differences that is not chance")]
        )
    unlabelled = [language.code for language in languages if language.resource is Resource.UNLABELLED]
    if unlabelled:
        classes = classes_by_need(result, unlabelled)
        console.results.print(f"classes by need, for reports: --resource {classes}", soft_wrap=True)


def classes_by_need(result: SubspaceResult, codes: Sequence[str]) -> str:
    """Classes for languages without one: very-low where the rank is at least the mean, else high."""
    mean = sum(result.ranks.values()) / len(result.ranks)
    return ",".join(f"{code}={'very-low' if result.ranks[code] >= mean else 'high'}" for code in codes)


def show_demand_by_layer(result: SubspaceResult) -> None:
    """Print the entries of B kept beyond the target share, averaged over languages (figure 4)."""
    from lslo_cli.method.importance import mean_demand_by_layer
    from lslo_cli.method.sites import Kind

    demand = mean_demand_by_layer(result.pruned.matrices("B"), result.target_ratio)
    kinds = [kind for kind in Kind if any(kind is present for _, present in demand)]
    rows = [
        (str(layer), *(f"{demand[layer, kind]:,.1f}" if (layer, kind) in demand else None for kind in kinds))
        for layer in dict.fromkeys(layer for layer, _ in demand)
    ]
    console.show_table("Demand by matrix, averaged over languages", ("layer", *kinds), rows)
