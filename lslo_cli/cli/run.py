"""One step of the pipeline from flags to files: plan or run it, show the result, name the next step."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lslo_cli.cli import console
from lslo_cli.cli.options import StageOptions
from lslo_cli.events import OnEvent

if TYPE_CHECKING:
    from lslo_cli.pipeline import Experiment, Plan, Written


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
        from lslo_cli.pipeline import plan

        show_plan(plan(experiment, command, **choices), options.json)
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
    console.results.print(plan.title, style="bold", markup=False)
    console.show_facts(plan.facts)
    if plan.parameters:
        total = ("total", "", None, sum(row[3] for row in plan.parameters))
        columns = ("language", "resource", "rank", "parameters")
        console.show_table("Trainable parameters", columns, [*plan.parameters, total], names=2)
    console.show_facts([("would write", str(path)) for path in plan.files])
    console.say("dry run: nothing was written")


def _what_was_written(written: Sequence[Written]) -> str:
    fresh = [str(item.path) for item in written if not item.up_to_date]
    kept = [str(item.path) for item in written if item.up_to_date]
    parts = ([f"wrote {', '.join(fresh)}"] if fresh else []) + (
        [f"up to date: {', '.join(kept)}"] if kept else []
    )
    return "; ".join(parts)
