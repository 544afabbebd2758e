"""``lslo flare report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from lslo_cli.cli import console
from lslo_cli.cli.command_options import EXPERIMENT
from lslo_cli.cli.commands.report import format_of
from lslo_cli.cli.flags import flags_of, takes
from lslo_cli.cli.flare_options import FlareFolderOptions
from lslo_cli.errors import UsageError
from lslo_cli.wording import counted


@dataclass(frozen=True, kw_only=True)
class FlareReportOptions(FlareFolderOptions):
    reads = ("flare.task", "name")
    set_hint = "a report is of what was written: leave it out"

    path: Annotated[
        Path | None,
        Argument(
            metavar="EXPERIMENT",
            show_default=False,
            help="The folder of an experiment; default: the recipe's in --results.",
        ),
    ] = None
    form: Annotated[
        str | None,
        Option(
            "--format",
            metavar="md|latex|csv|html",
            help="Default: by --output's ending; without --output it is printed.",
        ),
    ] = None
    output: Annotated[
        list[Path] | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write only this. Repeatable; default: report.md and figures/ in the experiment's folder.",
        ),
    ] = None

    def chosen_folder(self) -> Path:
        """The experiment's folder. Raises UsageError for options that would name another one as well."""
        if self.path is None:
            return self.results / self.resolve().experiment
        for flag in flags_of(type(self)):
            if flag.option.rich_help_panel == EXPERIMENT and self.was_given(flag):
                raise UsageError(
                    f"{self.path} is the folder to report, so {flag.name} has no effect",
                    f"leave out {flag.name}, or the folder",
                )
        return self.path


@takes(FlareReportOptions)
def flare_report(options: FlareReportOptions) -> None:
    """Report every score with its controls, what fusion does, and figures.

    Paper: FLARE's headline table and average ranks, beside ours; its figure 5.
    Reads: seed-N/LANGUAGE/training.json and evaluation.json
    Writes: report.md and figures/, or the files of --output; with --format alone, to stdout. HTML holds all
    figures.

    Example: lslo flare report out/flare-demo
    """
    form = format_of(options.form)
    outputs = [(path, format_of(options.form, path)) for path in options.output or ()]
    located = options.chosen_folder()
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.artifacts.lock import write_locked
    from lslo_cli.artifacts.writing import OUTPUT
    from lslo_cli.flare import reporting
    from lslo_cli.report.building import Format, write

    if outputs or options.form:
        formats = {Format(form) for _, form in outputs} or {Format(form)}
        document = reporting.document_of_all([ExperimentFolder(located)], Format.HTML in formats)
        if not outputs:
            print(write(document, Format(form)), end="")
        for path, form in outputs:
            write_locked(path, write(document, Format(form)), OUTPUT)
            print(path)
        return
    document, paths = reporting.report(ExperimentFolder(located))
    for table in document.sections[0].tables:
        console.show_table(table.heading, table.header, table.text_rows(), table.names)
        console.results.print()
    console.say(f"wrote {paths[0]} and {counted(len(paths) - 1, 'figure file')} beside it")
