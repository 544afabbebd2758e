"""``lslo reproduce``."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import flags_of, split_commas, takes
from lslo_cli.cli.options import MACHINE, StageOptions, command_line
from lslo_cli.errors import UsageError

if TYPE_CHECKING:
    from lslo_cli.reproduce import Jobs


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(StageOptions):
    targets: Annotated[
        list[str],
        Argument(
            metavar="TARGET...",
            help="A recipe, such as table-1, figure-3 or demo; or tables, figures, all.",
        ),
    ]
    only: Annotated[
        list[str] | None,
        Option(
            "--only", metavar="PART", help="Only this run, stage or figure, and what it needs. Repeatable."
        ),
    ] = None
    seeds: Annotated[
        str | None,
        Option("--seeds", metavar="LIST", help="One experiment for each of these seeds, in seed-N/."),
    ] = None
    jobs: Annotated[
        int,
        Option("--jobs", min=1, rich_help_panel=MACHINE, help="Processes that work at the same time."),
    ] = 1
    print_jobs: Annotated[
        bool,
        Option("--print-jobs", help="Print a command for every part, for a cluster; run nothing."),
    ] = False


@takes(ReproduceOptions)
def reproduce(options: ReproduceOptions) -> None:
    """Make tables and figures of the paper: every run behind them, each once, and nothing twice.

    What is up to date is kept, and what was interrupted goes on where it was, so the same line may be
    given again at any time. With --recipe the runs are those of another experiment, such as demo.
    Writes: what the commands of the pipeline write, in the experiment's folder.

    Example: lslo reproduce table-1 figure-3 --recipe demo --seeds 2,3,4 --jobs 2
    """
    from lslo_cli.cli.progress import listening

    with listening(options.quiet) as on_event:
        from lslo_cli.reproduce import execute, find_targets, jobs_of, only

        options.resolve()  # complains in terms of flags
        targets = find_targets(
            options.targets, options.recipe, options.given(), options.assignments or (), on_event
        )
        jobs = jobs_of(targets, options.results, seed_list(options.seeds), command_line())
        if options.only:
            jobs = only(jobs, options.only)
        if not (options.print_jobs or options.dry_run):
            execute(jobs, options.jobs, on_event)
    if options.print_jobs:
        print_jobs(options, jobs)
    elif options.dry_run:
        show_plan(options, jobs)
    else:
        show_made(options, jobs)


def seed_list(text: str | None) -> list[int]:
    """Read ``2,3,4``."""
    if text is None:
        return []
    for part in split_commas(text):
        if not part.isdecimal():
            raise UsageError(f"--seeds names '{part}', which is no whole number", "write --seeds 2,3,4")
    return [int(part) for part in split_commas(text)]


def print_jobs(options: ReproduceOptions, jobs: Jobs) -> None:
    """A command line for every job on stdout, and on stderr which lines have to wait for which."""
    from lslo_cli.reproduce import waves

    words = shlex.split(options.command("reproduce"))
    words[2:2] = options.targets
    if options.seeds:
        words += ["--seeds", options.seeds]
    for flag in flags_of(type(options)):
        value = getattr(options, flag.field)
        if flag.key and flag.option.rich_help_panel == MACHINE and value is not None:
            words += [flag.name, str(value)]
    notes = ("in this order before all others", "in any order or all at once", "after all others")
    line = 1
    for wave, note in zip(waves(jobs), notes, strict=True):
        for job in wave:
            print(shlex.join([*words, "--only", job.label]))
        if wave and not options.quiet:
            console.say(f"lines {line} to {line + len(wave) - 1}: {note}")
        line += len(wave)


def show_plan(options: ReproduceOptions, jobs: Jobs) -> None:
    """What would be made, what is up to date, and what each job costs."""
    from lslo_cli.reproduce.forecast import forecasts

    rows = forecasts(jobs)
    if options.json:
        print(json.dumps([row.as_dict() for row in rows], indent=1))
        return
    columns = ("job", "epochs", "updates", "trainable", "as the paper counts", "memory", "")
    console.show_table("What would be made", columns, [row.cells() for row in rows])
    for note in dict.fromkeys(row.note for row in rows if row.note):
        console.say(note)
    if not options.quiet:
        console.say("dry run: nothing was written")


def show_made(options: ReproduceOptions, jobs: Jobs) -> None:
    """The folders that everything is in."""
    folders = list(dict.fromkeys(job.experiment.folder.path for job in jobs.values()))
    if options.json:
        places = [{"job": label, "folder": str(job.experiment.folder.path)} for label, job in jobs.items()]
        print(json.dumps(places, indent=1))
    else:
        console.show_facts(("experiment", folder) for folder in folders)
    if not options.quiet:
        console.say(f"made {len(jobs)} parts; next: {options.command('report')}")
