"""``lslo demo``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.cli import console
from lslo_cli.cli.command_options import CommandOptions
from lslo_cli.cli.flags import seed_list, split_commas, takes
from lslo_cli.cli.record import command_line
from lslo_cli.wording import typed

if TYPE_CHECKING:
    from lslo_cli.reproduce.demo import DemoSummary

MOST_JOBS = 2
"""Default number of processes: one seed has little more to run at a time, and each process takes memory."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions(CommandOptions):
    results: Annotated[
        Path,
        Option(
            "--results", envvar="LSLO_RESULTS", metavar="FOLDER", help="Folder that holds the experiments."
        ),
    ] = RESULTS
    seeds: Annotated[
        str | None,
        Option(
            "--seeds",
            metavar="LIST",
            help="One experiment for each of these seeds, in seed-N/; default: 2, without it.",
        ),
    ] = None
    runs: Annotated[
        str | None,
        Option(
            "--runs",
            metavar="LIST",
            help="Runs to train, such as 8-8-8,2-2-8-gps0.5; default: full and 2-2-8-gps0.9.",
        ),
    ] = None
    jobs: Annotated[
        int | None,
        Option(
            "--jobs",
            min=1,
            help="Processes to run at the same time; default: 2, or 1 on a machine with one core.",
        ),
    ] = None
    quiet: Annotated[bool, Option("--quiet", help="Nothing on stderr but errors.")] = False


@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Run the whole pipeline offline, in minutes, on a small built-in world of twelve languages.

    Paper: tables 1, 9 and 10 and figures 1, 2, 3 and 5, in small; `lslo reproduce all --recipe demo` makes
    all of them.
    Reads: nothing; the text and the base model come with lslo.
    Writes: demo/ in the results folder: artifacts and figures.

    Example: lslo demo --seeds 2,3,4
    """
    numbers = seed_list(options.seeds)
    from lslo_cli.cli.progress import listening
    from lslo_cli.reproduce.demo import run_demo

    with listening(options.quiet) as on_event:
        processes = options.jobs or min(cores(), MOST_JOBS)
        summary = run_demo(
            options.results,
            numbers,
            split_commas(options.runs or ""),
            processes,
            command_line("--results"),
            on_event,
        )
    show_summary(summary)
    if not options.quiet:
        first = summary.seeds[0].folder
        where = ("--results", first.parent, "--name", first.name)
        then = typed("plot heatmap", "--text", "--recipe", "demo", *where)
        console.say(f"wrote {summary.study or summary.folder}; next: {then}")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def show_summary(summary: DemoSummary) -> None:
    """Print findings in words, quality by group, importance by bitext size, and the paths of figures."""
    from lslo_cli.cli.commands.evaluate import show_quality
    from lslo_cli.report.quality import quality_table
    from lslo_cli.report.seeds import over_seeds
    from lslo_cli.report.sizes import MEASURE_COLUMNS, measure_cells
    from lslo_cli.report.table import Column, Table

    console.show_sentences(sentences_of(summary))
    console.results.print()
    tables = [quality_table(seed.evaluations, seed.trainings) for seed in summary.seeds]
    show_quality(over_seeds(tables) if len(tables) > 1 else tables[0])
    rows = [
        (seed.seed, *measure_cells(row))
        for seed in summary.seeds
        for row in seed.correlations
        if row.kind == "total"
    ]
    table = Table(
        "Correlation of importance score with bitext size, all matrices",
        (Column("seed"), *MEASURE_COLUMNS),
        tuple(rows),
    )
    console.results.print()
    console.show_table(table.title, table.header, table.text_rows())
    console.results.print()
    folders = dict.fromkeys(path.parent for seed in summary.seeds for path in seed.figures)
    report = f"{summary.report}, tables and figures in one file: open it in a browser"
    console.show_facts([*(("figures", path) for path in folders), ("report", report)])


def sentences_of(summary: DemoSummary) -> list[str]:
    """The findings of the runs in words."""
    from lslo_cli.artifacts.folder import BASE_RUN
    from lslo_cli.report.summary import correlation_sentence, summarise

    runs = [{result.run: result for result in seed.evaluations} for seed in summary.seeds]
    totals = [row for seed in summary.seeds for row in seed.correlations if row.kind == "total"]
    correlation = correlation_sentence(totals)
    return [*summarise(runs, BASE_RUN), *([correlation] if correlation else [])]
