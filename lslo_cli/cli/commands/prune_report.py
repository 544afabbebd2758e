"""``lslo prune-report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import takes
from lslo_cli.cli.options import StageOptions
from lslo_cli.cli.run import run_stage
from lslo_cli.events import OnEvent

if TYPE_CHECKING:
    from lslo_cli.artifacts.schema import CorrelationRow
    from lslo_cli.pipeline import Experiment, Written


@dataclass(frozen=True, kw_only=True)
class PruneReportOptions(StageOptions):
    run: Annotated[
        str | None,
        Option("--run", metavar="NAME", help="The run to report on; default: the latest with adapters."),
    ] = None
    subspace: Annotated[
        Path | None, Option("--subspace", metavar="FILE", help="Take the scores from this subspace.json.")
    ] = None


@takes(PruneReportOptions)
def prune_report(options: PruneReportOptions) -> None:
    """Show who was pruned how much, parameter counts, and how scores follow bitext size.

    Paper: tables 9 and 10, and the #Params of tables 1 to 4.
    Reads: subspace.json and runs/RUN/training.json.
    Writes: prune-report.json.

    Example: lslo prune-report
    """

    def work(experiment: Experiment, on_event: OnEvent) -> Sequence[Written]:
        from lslo_cli import pipeline

        return [
            pipeline.prune_report(experiment, run=options.run, subspace=options.subspace, on_event=on_event)
        ]

    run_stage(
        options,
        "prune-report",
        work,
        show_report,
        then="evaluate",
        run=options.run,
        subspace=options.subspace,
    )


def show_report(experiment: Experiment, written: Sequence[Written]) -> None:
    """Parameters by language, the totals, and the correlations."""
    result = written[0].artifact.result
    if result.sizes:
        rows = [
            (
                row.language,
                row.resource,
                row.rank,
                row.parameters,
                row.pruned,
                f"{row.pruned / row.parameters:.1%}",
            )
            for row in result.sizes
        ]
        columns = ("language", "resource", "rank", "parameters", "pruned", "share")
        console.show_table(f"Adapters of run {result.run}", columns, rows, names=2)
        console.results.print()
    totals = (
        ("trainable", result.trainable_parameters),
        ("not zero", result.nonzero_parameters),
        ("trainable, counted as the paper does", result.trainable_parameters_paper_style),
        ("base model", result.base_parameters),
    )
    console.show_facts((name, count) for name, count in totals if count is not None)
    if result.correlations:
        show_correlations(result.correlations)


def show_correlations(correlations: Sequence[CorrelationRow]) -> None:
    """Importance score against bitext size, by kind of matrix (tables 9 and 10)."""
    rows = [
        (
            row.stack,
            row.kind,
            row.n,
            _coefficient(row.pearson),
            _probability(row.pearson_p),
            _coefficient(row.pearson_log),
            _probability(row.pearson_log_p),
            _coefficient(row.spearman),
            _probability(row.spearman_p),
        )
        for row in correlations
    ]
    columns = ("stack", "matrix", "n", "r", "p", "r log", "p", "rho", "p")
    console.results.print()
    title = "Score and bitext size: Pearson r, r with log10 of the size, Spearman rho"
    console.show_table(title, columns, rows, names=2)


def _coefficient(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _probability(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"
