"""How a command of the pipeline ends: with its plan, or with what it wrote and the next step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from lslo_cli.cli import console
from lslo_cli.cli.options import OutputOptions

if TYPE_CHECKING:
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.tasks.experiment import Written
    from lslo_cli.tasks.plan import Plan


def print_artifacts(options: OutputOptions, written: Sequence[Written]) -> bool:
    """With ``--json``, print the artifacts as stored on disk. Returns whether it was given."""
    if options.json:
        for item in written:
            print(item.path.read_text(encoding="utf-8"), end="")
    return options.json


def say_next(options: OutputOptions, written: Sequence[Written], command: str, *more: object) -> None:
    """Name what was written, and the ``command`` that usually comes next with the flags it needs."""
    if not options.quiet:
        console.say(f"{_what_was_written(written)}; next: {options.command(command, *more)}")


def say_beside(folder: ExperimentFolder) -> None:
    """Say which seeds a folder holds beside its seed-N/, where only these are read."""
    from lslo_cli.artifacts.store import beside_seeds

    if note := beside_seeds(folder):
        console.say(note)


def show_plan(options: OutputOptions, plan: Plan) -> None:
    """Print what a run would do."""
    if not options.quiet:
        console.say("dry run: nothing was written")
    if options.json:
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
    return "; ".join(f"{verb} {_named(paths)}" for verb, paths in parts if paths)


def _named(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return str(paths[0])
    named = f" named {paths[0].name}" if len({path.name for path in paths}) == 1 else ""
    return f"{len(paths)} files{named} under {os.path.commonpath(paths)}"
