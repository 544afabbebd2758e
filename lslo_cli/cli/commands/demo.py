"""``lslo demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import split_commas
from lslo_cli.errors import UsageError

SEEDS = "2"
RUNS = "full,2-2-8-gps0.9"


def demo(
    results: Annotated[
        Path,
        Option(
            "--results", envvar="LSLO_RESULTS", metavar="FOLDER", help="Folder that holds the experiments."
        ),
    ] = Path("results"),
    seeds: Annotated[
        str, Option("--seeds", metavar="LIST", help="One experiment for each of these seeds.")
    ] = SEEDS,
    runs: Annotated[
        str, Option("--runs", metavar="LIST", help="What to train: full, and ranks with or without pruning.")
    ] = RUNS,
    quiet: Annotated[bool, Option("--quiet", help="Nothing on stderr but errors.")] = False,
) -> None:
    """Run the whole pipeline offline, in minutes, on a small built-in world of twelve languages.

    Paper: tables 1, 9 and 10 and figures 1 to 6, in small.
    Reads: nothing; the text and the base model come with lslo.
    Writes: demo/ in the results folder: artifacts and figures.

    Example: lslo demo --seeds 2,3,4
    """
    numbers = [_seed(text) for text in split_commas(seeds)]
    from lslo_cli.cli.commands.evaluate import show_quality
    from lslo_cli.cli.commands.prune_report import show_correlations
    from lslo_cli.cli.progress import listening
    from lslo_cli.demo import run_demo

    with listening(quiet) as on_event:
        summary = run_demo(results, numbers, split_commas(runs), on_event)
    show_quality(summary.evaluations)
    show_correlations(summary.correlations)
    if not quiet:
        console.say(f"wrote {summary.folder}; next: lslo plot heatmap --text --recipe demo")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--seeds names '{text}', which is no whole number", "write --seeds 2,3,4")
    return int(text)
