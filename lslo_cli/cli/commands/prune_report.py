"""``lslo prune-report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import takes
from lslo_cli.cli.options import DryRun, OutputOptions
from lslo_cli.cli.run import print_artifacts, say_next, show_plan

if TYPE_CHECKING:
    from lslo_cli.artifacts.results import PruneReportResult


@dataclass(frozen=True, kw_only=True)
class PruneReportOptions(OutputOptions, ExperimentOptions):
    run: Annotated[
        str | None,
        Option("--run", metavar="NAME", help="The run to report on; default: the latest with adapters."),
    ] = None
    subspace: Annotated[
        Path | None, Option("--subspace", metavar="FILE", help="File of the scores; default: subspace.json.")
    ] = None
    dry_run: DryRun = False


@takes(PruneReportOptions)
def prune_report(options: PruneReportOptions) -> None:
    """Report the pruned share by language, parameter counts, and correlations with bitext size.

    Paper: tables 9 and 10, and the #Params of tables 1 to 4.
    Reads: subspace.json and runs/RUN/training.json.
    Writes: prune-report.json.

    Example: lslo prune-report
    """
    experiment = options.experiment()
    run, subspace = options.run, options.subspace
    if options.dry_run:
        from lslo_cli.tasks.plan import plan

        return show_plan(options, plan(experiment, "prune-report", run=run, subspace=subspace))
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks.prune_report import prune_report as report

    with listening(options.quiet) as on_event:
        written = report(experiment, run=run, subspace=subspace, on_event=on_event)
    if not print_artifacts(options, [written]):
        show_report(written.artifact.result)
    say_next(options, [written], "evaluate")


def show_report(result: PruneReportResult) -> None:
    """Print parameters by language, the totals, and the correlations of tables 9 and 10."""
    from lslo_cli.report.sizes import correlation_tables, size_table

    if result.sizes:
        table = size_table(result)
        console.show_table(table.title, table.header, table.text_rows(), names=2)
        console.results.print()
    totals = (
        ("trainable", result.trainable_parameters),
        ("not pruned", result.nonzero_parameters),
        ("trainable, counted as the paper does", result.trainable_parameters_paper_style),
        ("base model", result.base_parameters),
    )
    console.show_facts((name, count) for name, count in totals if count is not None)
    for table in correlation_tables(result):
        console.results.print()
        console.show_table(table.title, table.header, table.text_rows())
