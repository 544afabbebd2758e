"""``lslo reproduce``."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.completion import offering, targets
from lslo_cli.cli.flags import flags_of, seed_list, takes
from lslo_cli.cli.options import MACHINE
from lslo_cli.cli.record import from_environment, line_for_record
from lslo_cli.cli.stage_options import StageOptions
from lslo_cli.errors import UsageError
from lslo_cli.wording import counted, typed

if TYPE_CHECKING:
    from lslo_cli.reproduce import Jobs
    from lslo_cli.reproduce.forecast import Forecast


class Cluster(StrEnum):
    """Where jobs can run other than on this machine."""

    SLURM = "slurm"


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(StageOptions):
    remembers = False

    targets: Annotated[
        list[str],
        Argument(
            metavar="TARGET...",
            autocompletion=offering(targets),
            help="A recipe, such as table-1, figure-3, demo or flare-demo; or tables, figures, all.",
        ),
    ]
    only: Annotated[
        list[str] | None,
        Option(
            "--only",
            metavar="PART",
            help="Only this run, stage or figure, and what it needs. Repeatable; default: all.",
        ),
    ] = None
    seeds: Annotated[
        str | None,
        Option(
            "--seeds",
            metavar="LIST",
            help="One experiment for each of these seeds, in seed-N/; default: the recipe's, without it.",
        ),
    ] = None
    jobs: Annotated[
        int, Option("--jobs", min=1, rich_help_panel=MACHINE, help="Processes to run at the same time.")
    ] = 1
    on: Annotated[
        Cluster | None,
        Option(
            "--on",
            rich_help_panel=MACHINE,
            help="Run on a cluster, one job per part, with the resources that slurm.time etc. request; "
            "default: this machine.",
        ),
    ] = None
    print_jobs: Annotated[
        bool, Option("--print-jobs", help="Print a command for every part, for a cluster; run nothing.")
    ] = False

    def command(self, name: str, *more: object) -> str:
        """The line of another command on the experiment that the only target names, if it does."""
        if self.recipe is None and len(self.targets) == 1 and name != "reproduce":
            return replace(self, recipe=self.targets[0]).command(name, *more)
        return super().command(name, *more)

    def without_stray_recipe(self) -> ReproduceOptions:
        """The options without the recipe of LSLO_RECIPE if a target has settings of its own, with a note."""
        from lslo_cli.recipe import has_settings

        given = from_environment("--recipe")
        own = next(filter(has_settings, self.targets), None)
        if given is None or self.recipe != given or own is None:
            return self
        if not self.quiet:
            console.say(
                f"LSLO_RECIPE={given} is not applied: {own} has settings of its own; "
                f"--recipe {given} would replace them"
            )
        return replace(self, recipe=None)

    def line(self) -> list[str]:
        """The words of a command that makes the same; ``--only`` is added for a single part."""
        words = shlex.split(self.command("reproduce"))
        words[2:2] = self.targets
        if self.seeds:
            words += ["--seeds", self.seeds]
        for flag in flags_of(type(self)):
            value = getattr(self, flag.field)
            if flag.key and flag.option.rich_help_panel == MACHINE and value is not None:
                words += [flag.name, str(value)]
        return words

    def line_elsewhere(self) -> list[str]:
        """The same for another machine, where ``lslo`` may not be on PATH."""
        return [sys.executable, "-m", "lslo_cli", *self.line()[1:]]


@takes(ReproduceOptions)
def reproduce(options: ReproduceOptions) -> None:
    """Make tables and figures of the papers, with every run behind them.

    Up-to-date artifacts are kept and interrupted training is resumed, so the same line may be run again at
    any time. With --recipe the runs are those of another experiment, such as demo.
    A FLARE recipe makes its translations, tuning, trainings, tests, figures and report.
    Writes: what the commands of the pipeline write, in the experiment's folder.

    Example: lslo reproduce table-1 figure-3 --recipe demo --seeds 2,3,4 --jobs 2
    """
    from lslo_cli.cli.progress import listening

    options = options.without_stray_recipe()
    with listening(options.quiet) as on_event:
        from lslo_cli.reproduce import execute, execute_on_slurm, find_targets, jobs_of, only

        if options.on and options.jobs > 1:
            raise UsageError(
                "--jobs counts processes on this machine, and --on runs the work elsewhere",
                "leave out one of them; Slurm decides how many jobs run at the same time",
            )
        options.resolve()  # complains in terms of flags
        targets = find_targets(
            options.targets, options.recipe, options.given(), options.assignments or (), on_event
        )
        line = line_for_record(options, *(target.recipe() for target in targets))
        jobs = jobs_of(targets, options.results, seed_list(options.seeds), line, on_event)
        if options.only:
            jobs = only(jobs, options.only)
        if options.print_jobs or options.dry_run:
            pass
        elif options.on:
            execute_on_slurm(jobs, options.line_elsewhere(), on_event)
        else:
            execute(jobs, options.jobs, on_event)
    if options.print_jobs and options.on:
        print_script(options, jobs)
    elif options.print_jobs:
        print_jobs(options, jobs)
    elif options.dry_run:
        show_plan(options, jobs)
    else:
        show_made(options, jobs)


def print_jobs(options: ReproduceOptions, jobs: Jobs) -> None:
    """Print a command line for every job to stdout, and to stderr which lines have to wait for which."""
    from lslo_cli.reproduce import waves

    words = options.line()
    notes = (
        "in this order before all others",
        "in any order or all at once",
        "after those, in any order or all at once",
        "after all others",
    )
    line = 1
    for wave, note in zip(waves(jobs), notes, strict=True):
        for job in wave:
            print(shlex.join([*words, "--only", job.label]))
        if wave and not options.quiet:
            last = line + len(wave) - 1
            console.say(f"{f'line {line}' if line == last else f'lines {line} to {last}'}: {note}")
        line += len(wave)


def print_script(options: ReproduceOptions, jobs: Jobs) -> None:
    """Print a shell script that submits every job to Slurm, each after those that it needs."""
    from lslo_cli.reproduce import submissions

    given = submissions(jobs, options.line_elsewhere())
    for folder in dict.fromkeys(submission.log.parent for submission in given.values()):
        print(shlex.join(["mkdir", "-p", str(folder)]))
    numbers = {label: f"job_{number}" for number, label in enumerate(given, 1)}
    for label, submission in given.items():
        needs = "".join(f":${numbers[need]}" for need in jobs[label].needs)
        waits = f" --dependency=afterok{needs}" if needs else ""
        print(f"{numbers[label]}=$({shlex.join(submission.words)}{waits})")


def show_plan(options: ReproduceOptions, jobs: Jobs) -> None:
    """Print the jobs: those to run, those that are up to date, and the cost of each."""
    from lslo_cli.reproduce.forecast import forecasts

    plan = forecasts(jobs)
    if options.json:
        print(json.dumps([asdict(each) for each in plan], indent=1))
        return
    columns = ("job", "epochs", "updates", "trainable", "paper's", "memory", "")
    for place, rows in groupby(
        sorted(plan, key=lambda each: jobs[each.label].place), key=lambda each: jobs[each.label].place
    ):
        cells = (_cells(row, jobs[row.label].name) for row in rows)
        console.show_table(str(options.results / place), columns, cells)
        console.results.print()
    todo = [each for each in plan if not each.current]
    console.show_facts(
        [
            ("to be made", f"{len(todo)} of {len(plan)}"),
            ("epochs", f"{sum(each.epochs for each in todo):,}"),
            ("updates", f"{sum(each.epochs * (each.updates or 0) for each in todo):,}"),
        ]
    )
    if options.on:
        show_submissions(options, jobs)
    if options.quiet:
        return
    estimated = {jobs[each.label].experiment.recipe.is_flares for each in plan if not each.counted}
    if False in estimated:
        console.say("base model or text is missing: updates are estimated from the size of FLORES-101")
    if True in estimated:
        console.say("the task's files are missing: updates are estimated from the published number of rows")
    console.say("dry run: nothing was written")


def show_submissions(options: ReproduceOptions, jobs: Jobs) -> None:
    """Print how many jobs would be submitted, by their options of sbatch."""
    from lslo_cli.reproduce import outstanding, submissions

    given = submissions(jobs, options.line_elsewhere())
    counts = Counter(shlex.join(given[label].options) for label in outstanding(jobs))
    console.show_facts(
        ("sbatch", f"{counted(count, 'job')}: {words or 'the defaults of the cluster'}")
        for words, count in counts.items()
    )


def _cells(plan: Forecast, name: str) -> tuple[object, ...]:
    from lslo_cli.models.work import in_binary_units

    state = "done" if plan.current else ""
    if not plan.epochs:
        return name, None, None, None, None, None, state
    updates = f"{plan.updates:,}" if plan.counted else f"~{plan.updates:,}"
    counts = (f"{n / 1e6:,.2f}M" if n else None for n in (plan.trainable, plan.trainable_paper_style))
    memory = in_binary_units(plan.memory.total) if plan.memory else None
    return name, plan.epochs, updates, *counts, memory, state


def show_made(options: ReproduceOptions, jobs: Jobs) -> None:
    """Print the folders of the experiments."""
    folders = list(dict.fromkeys(job.experiment.folder.path for job in jobs.values()))
    if options.json:
        places = [{"job": label, "folder": str(job.experiment.folder.path)} for label, job in jobs.items()]
        print(json.dumps(places, indent=1))
    else:
        console.show_facts(("experiment", folder) for folder in folders)
    if not options.quiet:
        whole = dict.fromkeys(options.results / label.partition("/")[0] for label in jobs)
        then = typed("report", *whole)
        console.say(f"{counted(len(jobs), 'part')} done; next: {then}")
