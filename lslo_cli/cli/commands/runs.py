"""``lslo runs`` and ``lslo show``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.text import Text
from typer import Argument, Option

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.cli import console
from lslo_cli.cli.command_options import CommandOptions
from lslo_cli.cli.flags import takes
from lslo_cli.errors import UsageError

if TYPE_CHECKING:
    from lslo_cli.artifacts.schema import Artifact


@dataclass(frozen=True, kw_only=True)
class RunsOptions(CommandOptions):
    results: Annotated[
        Path,
        Option(
            "--results",
            envvar="LSLO_RESULTS",
            metavar="FOLDER",
            help="Folder that holds the experiments, or one of them.",
        ),
    ] = RESULTS
    where: Annotated[
        list[str] | None,
        Option(
            "--where",
            metavar="CONDITION",
            help="Only runs that meet it: 'score>40', method=lslo, 'V2V>=10'. Repeatable; default: all.",
        ),
    ] = None
    sort: Annotated[
        str | None,
        Option("--sort", metavar="COLUMN", help="Sort by a column, best first; default: by folder."),
    ] = None
    json: Annotated[bool, Option("--json", help="Print the runs as JSON; default: as a table.")] = False


@takes(RunsOptions)
def runs(options: RunsOptions) -> None:
    """List trained and evaluated runs: settings, spBLEU, size on disk, age.

    Reads: every runs/RUN/ below --results.

    Example: lslo runs --sort score
    """
    from datetime import UTC, datetime

    from lslo_cli.report.overview import chosen, find_runs, records, runs_table

    found = find_runs(options.results)
    listed = chosen(found, options.where or (), options.sort)
    if options.json:
        print(json.dumps(list(records(listed)), indent=1))
        return
    for run in listed:
        if run.problem:
            console.say(f"{run.experiment}/{run.run}: {run.problem}")
    if not listed:
        none = "no run meets the conditions" if found else f"no runs in {options.results}"
        console.say(f"{none}; next: {'lslo runs' if found else 'lslo demo'}")
        return
    table = runs_table(listed, datetime.now(UTC)).shown()
    console.show_table(table.title, table.header, table.text_rows(), names=table.names)


@dataclass(frozen=True, kw_only=True)
class ShowOptions(CommandOptions):
    artifact: Annotated[
        Path,
        Argument(metavar="FILE|FOLDER", help="An artifact's JSON file, or a run's or experiment's folder."),
    ]


@takes(ShowOptions)
def show(options: ShowOptions) -> None:
    """Show an artifact as a page: what was found, and how, when and from what it was made.

    Reads: one JSON file, or every artifact in a folder.

    Example: lslo show out/demo/index-strategy.json
    """
    files = [options.artifact]
    if options.artifact.is_dir():
        files = sorted(path for path in options.artifact.glob("*.json"))
        if not files:
            raise UsageError(f"{options.artifact} holds no artifact", "name a JSON file, or see `lslo runs`")
    for number, path in enumerate(files):
        if number:
            console.results.print()
        _show_file(path)


def _show_file(path: Path) -> None:
    from lslo_cli.artifacts import store
    from lslo_cli.cli.shown import SHOWN

    document = store.read_any(path, SHOWN)
    console.results.print(Text.assemble((document.result.kind, "bold"), f"  {path}"), soft_wrap=True)
    console.show_facts(_provenance(document))
    console.results.print()
    SHOWN[type(document.result)](document)


def _provenance(document: Artifact[Any]) -> list[tuple[str, object]]:
    made = document.made
    commit = f", commit {made.commit[:12]}{' with changes' if made.dirty else ''}" if made.commit else ""
    facts: list[tuple[str, object]] = [
        ("made", f"{made.started[:16].replace('T', ' ')} in {made.seconds:,.0f} s on {made.device}"),
        ("by", made.command),
        ("with", f"lslo {made.version}{commit}"),
        ("experiment", f"{document.experiment}, seed {document.seed}"),
        ("languages", ", ".join(record.code for record in document.languages)),
        ("base model", f"{document.model.name} ({document.model.digest[:12]})"),
    ]
    facts += [
        ("text", f"{text.path}, {text.split or 'no split'}, {text.rows:,} rows") for text in document.data
    ]
    facts += [("made from", f"{item.role} {item.path} ({item.digest[:12]})") for item in document.inputs]
    return facts
