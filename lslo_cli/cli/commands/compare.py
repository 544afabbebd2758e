"""``lslo compare``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.completion import offering, runs
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import seed_list, takes
from lslo_cli.cli.options import BaseModelName, OutputOptions, TextOptions
from lslo_cli.cli.run import print_artifacts, say_beside
from lslo_cli.errors import UsageError
from lslo_cli.wording import counted, typed

if TYPE_CHECKING:
    from lslo_cli.artifacts.evaluations import ComparedRow, ComparisonResult
    from lslo_cli.tasks.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class CompareOptions(OutputOptions, TextOptions, ExperimentOptions):
    reads_seeds = True

    runs: Annotated[
        list[str],
        Argument(
            metavar="RUN RUN...",
            autocompletion=offering(runs),
            help="Evaluated runs, or base; the first is compared with the rest.",
        ),
    ]
    seeds: Annotated[
        str | None,
        Option("--seeds", metavar="LIST", help="Only these seeds of the experiment; default: all."),
    ] = None
    resamples: Annotated[
        int, Option("--resamples", min=100, max=1_000_000, help="Bootstrap samples of the test sentences.")
    ] = 1000
    by_direction: Annotated[bool, Option("--by-direction", help="Also show every direction.")] = False
    model: BaseModelName = None


@takes(CompareOptions)
def compare(options: CompareOptions) -> None:
    """Compare a run with others: score differences with intervals over sentences and seeds.

    Reads: runs/RUN/evaluation.json and hypotheses/, of the experiment or of its seed-N/, and the test text.
    Writes: comparisons/RUN-vs-OTHER.json.

    Example: lslo compare 2-2-8-gps0.9 2-2-8 base
    """
    experiment = options.experiment()
    _check_not_flares(experiment)
    from lslo_cli.cli.progress import listening
    from lslo_cli.tasks.compare import compare as compared

    if not options.quiet:
        say_beside(experiment.folder)
    with listening(options.quiet) as on_event:
        written = compared(
            experiment,
            options.runs,
            seeds=seed_list(options.seeds),
            resamples=options.resamples,
            on_event=on_event,
        )
    if print_artifacts(options, written):
        return
    for number, item in enumerate(written):
        if number:
            console.results.print()
        show_comparison(item.artifact.result, options.by_direction)
    if not options.quiet:
        console.say(f"wrote {', '.join(str(item.path) for item in written)}")


def _check_not_flares(experiment: Experiment) -> None:
    """Raise UsageError for an experiment of FLARE, whose runs have no translations to compare."""
    from lslo_cli.flare.folder import is_flares

    folder = experiment.folder
    is_new = not any(seed.has_artifacts() for seed in folder.seeds())
    if is_flares(folder) or (is_new and experiment.recipe.is_flares):
        raise UsageError(
            f"{folder.path} is a FLARE experiment, whose runs are compared in its report",
            typed("flare report", folder.path),
        )


def show_comparison(result: ComparisonResult, by_direction: bool = False) -> None:
    """Print the difference in the average and by group, with both intervals, and a verdict in words."""
    shown = [row for row in result.rows if by_direction or row.scope != "direction"]
    seeds = counted(len(result.seeds), "seed")
    columns = ("", "difference", "over sentences", "over seeds", result.run)
    rows = [
        (
            row.name,
            f"{row.difference:+.2f}",
            _interval(row.over_sentences),
            _interval(row.over_seeds),
            row.verdict,
        )
        for row in shown
    ]
    console.show_table(f"{result.run} against {result.other}: spBLEU, 95 % intervals, {seeds}", columns, rows)
    console.show_facts(
        [("directions", _directions([row for row in result.rows if row.scope == "direction"]))]
    )


def _interval(ends: tuple[float, float] | None) -> str | None:
    return ends and f"{ends[0]:+.2f} to {ends[1]:+.2f}"


def _directions(rows: list[ComparedRow]) -> str:
    """How many directions are higher and lower, and how many of equal ones would be by chance."""
    counted = Counter(row.verdict for row in rows)
    told = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    return f"{told}; by chance up to {len(rows) * 0.05:.0f} of {len(rows)} equal ones would be told apart"
