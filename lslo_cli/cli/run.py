"""One step of the pipeline from flags to files: plan or run it, show the result, name the next step."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from lslo_cli.cli import console
from lslo_cli.cli.options import StageOptions
from lslo_cli.events import OnEvent

if TYPE_CHECKING:
    from lslo_cli.tasks import Experiment, Plan, Written


def run_stage(
    options: StageOptions,
    command: str,
    work: Callable[[Experiment, OnEvent], Sequence[Written]],
    show: Callable[[Experiment, Sequence[Written]], None],
    then: str,
    **choices: Any,
) -> None:
    """Do ``work`` and ``show`` what it wrote, or with ``--dry-run`` show the plan for ``command``.

    ``then`` is the command that usually comes next; ``choices`` are flags the plan depends on that no
    recipe key holds.
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening

    if options.dry_run:
        from lslo_cli.tasks import plan

        show_plan(plan(experiment, command, **choices), options.json)
        if not options.quiet:
            console.say("dry run: nothing was written")
        return
    with listening(options.quiet) as on_event:
        written = work(experiment, on_event)
    if options.json:
        for item in written:
            print(item.path.read_text(encoding="utf-8"), end="")
    else:
        show(experiment, written)
    if not options.quiet:
        console.say(f"{_what_was_written(written)}; next: {options.command(then)}")


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print what a run would do."""
    if as_json:
        print(json.dumps(asdict(plan), default=str, indent=1))
        return
    console.results.print(Text(plan.title, style="bold"))
    console.show_facts(plan.facts)
    console.results.print()
    if plan.parameters:
        total = ("total", "", None, sum(row[3] for row in plan.parameters))
        columns = ("language", "resource", "rank", "parameters")
        console.show_table("Trainable parameters", columns, [*plan.parameters, total], names=2)
        console.results.print()
    console.show_facts([("would write", str(path)) for path in plan.files])


def _what_was_written(written: Sequence[Written]) -> str:
    fresh = [item.path for item in written if not item.up_to_date]
    kept = [item.path for item in written if item.up_to_date]
    parts = (("wrote", fresh), ("up to date:", kept))
    return "; ".join(f"{said} {_named(paths)}" for said, paths in parts if paths)


def _named(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return str(paths[0])
    return f"{len(paths)} files named {paths[0].name} under {os.path.commonpath(paths)}"
