"""``lslo diff``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.text import Text
from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.completion import offering, runs
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import split_commas, takes
from lslo_cli.cli.options import OutputOptions
from lslo_cli.errors import UsageError
from lslo_cli.wording import counted

if TYPE_CHECKING:
    from lslo_cli.report.changes import Change

FORMATS = (".tsv", ".html", ".json")


@dataclass(frozen=True, kw_only=True)
class DiffOptions(OutputOptions, ExperimentOptions):
    run: Annotated[
        str, Argument(metavar="RUN", autocompletion=offering(runs), help="An evaluated run, or base.")
    ]
    other: Annotated[
        str,
        Argument(metavar="OTHER", autocompletion=offering(runs), help="The run to compare it with, or base."),
    ]
    directions: Annotated[
        str | None,
        Option(
            "--directions", metavar="LIST", help="Only these directions or groups: en-wo,V2V; default: all."
        ),
    ] = None
    limit: Annotated[
        int, Option("--limit", min=1, metavar="N", help="Sentences to print, most changed first.")
    ] = 10
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write all sentences to a .tsv, .html or .json file; default: print.",
        ),
    ] = None


@takes(DiffOptions)
def diff(options: DiffOptions) -> None:
    """Show how two runs translate the same sentences, most changed first by sentence chrF++.

    Reads: runs/RUN/evaluation.json and aligned/, which `lslo evaluate` writes.
    Writes: the file of --output.

    Example: lslo diff 2-2-8-gps0.9 base --directions V2V -o changes.html
    """
    if options.output and options.output.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{options.output} does not say its format", f"end the name with one of {', '.join(FORMATS)}"
        )
    if options.output and options.json:
        raise UsageError(
            f"--json prints the sentences, and -o {options.output} writes them instead",
            "leave out one of the two; a file whose name ends with .json holds what --json prints",
        )
    folder = options.folder(options.resolve())
    from lslo_cli.tasks.diff import diff as changed

    changes = changed(folder, options.run, options.other, split_commas(options.directions or ""))
    if options.json:
        print(json.dumps([asdict(change) for change in changes], ensure_ascii=False, indent=1))
    elif options.output:
        _write(options.output, changes, options.run, options.other)
        print(options.output)
    else:
        for number, change in enumerate(changes[: options.limit]):
            if number:
                console.results.print()
            _show(change, options.run, options.other)
    if not options.quiet:
        better = sum(change.difference > 0 for change in changes)
        worse = sum(change.difference < 0 for change in changes)
        console.say(
            f"{counted(len(changes), 'sentence')} changed: {options.run} is better by chrF++ in {better:,}, "
            f"worse in {worse:,}; next: {options.command('compare', options.run, options.other)}"
        )


def _show(change: Change, run: str, other: str) -> None:
    place = " ".join(word for word in (change.direction, change.group, change.section) if word)
    heading = f"{place}, row {change.row}: {change.difference:+.1f}"
    console.results.print(Text(heading, style="bold"))
    console.show_facts(
        [
            ("source", change.source),
            ("reference", change.reference),
            (f"{run} ({change.first_score:.1f})", change.first),
            (f"{other} ({change.other_score:.1f})", change.other),
        ]
    )


def _write(path: Path, changes: Sequence[Change], run: str, other: str) -> None:
    from lslo_cli.artifacts.lock import write_locked
    from lslo_cli.artifacts.writing import OUTPUT
    from lslo_cli.report.changes import changes_as_html, changes_as_tsv

    suffix = path.suffix.lower()
    if suffix == ".tsv":
        text = changes_as_tsv(changes)
    elif suffix == ".html":
        text = changes_as_html(changes, run, other)
    else:
        text = json.dumps([asdict(change) for change in changes], ensure_ascii=False, indent=1) + "\n"
    write_locked(path, text, OUTPUT)
