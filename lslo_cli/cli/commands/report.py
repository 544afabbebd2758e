"""``lslo report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from lslo_cli.cli.command_options import flags_of_place
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import split_commas, takes
from lslo_cli.cli.options import metric_option
from lslo_cli.cli.run import say_beside
from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.wording import Command

if TYPE_CHECKING:
    from lslo_cli.report.document import ReportDocument

FORMATS = {"md": "md", "markdown": "md", "latex": "tex", "tex": "tex", "csv": "csv", "html": "html"}
"""Accepted names of formats, and the format that each stands for."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ExperimentOptions):
    reads_seeds = True

    folders: Annotated[
        list[Path] | None,
        Argument(
            metavar="EXPERIMENT",
            show_default=False,
            help="Folders of experiments, or of their seed-N/; default: the recipe's in --results.",
        ),
    ] = None
    tables: Annotated[
        str | None,
        Option("--table", metavar="LIST", help="Only these tables of the paper: 1,3,4; default: all."),
    ] = None
    metric: Annotated[
        str, Option("--metric", metavar="NAME", help="Show the scores of this metric of the evaluations.")
    ] = SPBLEU
    form: Annotated[
        str | None,
        Option("--format", metavar="md|latex|csv|html", help="Default: by --output's ending, else md."),
    ] = None
    output: Annotated[
        list[Path] | None,
        Option("--output", "-o", metavar="FILE", help="Write here. Repeatable; default: print."),
    ] = None

    def place_of(self, line: Command) -> list[str]:
        """The place of the experiment at fault, where folders were named instead of an experiment."""
        if not self.folders or str(line.words[0]).startswith("flare "):
            return super().place_of(line)
        from lslo_cli.artifacts.folder import ExperimentFolder

        return flags_of_place(line, line.folder or ExperimentFolder(self.folders[0]).seeds()[0].path)


@takes(ReportOptions)
def report(options: ReportOptions) -> None:
    """Print the paper's tables with our scores beside the paper's, and say which findings are reproduced.

    For a FLARE experiment, print the tables of lslo flare report.
    Paper: tables 1 to 4 and 7 to 10; as HTML with all figures, in one file.
    Reads: every artifact of the experiments; folders seed-1/, seed-2/ become mean and spread.
    Writes: the files of --output, or to stdout.

    Example: lslo report out/demo -o report.html -o report.tex
    """
    outputs = [(path, format_of(options.form, path)) for path in options.output or ()]
    numbers = None if options.tables is None else [_number(text) for text in split_commas(options.tables)]
    if numbers == []:
        raise UsageError("--table names no table", "write --table 1,3,4")
    form = format_of(options.form)
    metric = metric_option(options.metric)
    folders = options.folders or [options.folder(options.resolve()).path]
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.artifacts.lock import write_locked
    from lslo_cli.artifacts.writing import OUTPUT
    from lslo_cli.report.building import Format, write

    formats = {Format(form) for _, form in outputs} or {Format(form)}
    for folder in folders:
        say_beside(ExperimentFolder(folder))
    document = document_of(folders, metric, numbers, Format.HTML in formats)
    if not outputs:
        print(write(document, Format(form)), end="")
        return
    for path, form in outputs:
        write_locked(path, write(document, Format(form)), OUTPUT)
        print(path)


def document_of(
    folders: Sequence[Path], metric: str, numbers: Sequence[int] | None, with_figures: bool
) -> ReportDocument:
    """The report on experiments of either paper, those of FLARE last.

    Raises UsageError if tables or a metric of the first paper are requested for FLARE experiments only.
    """
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.flare.folder import is_flares
    from lslo_cli.report.building import TABLES, build
    from lslo_cli.report.reading import read_studies

    flares = [folder for folder in map(ExperimentFolder, folders) if is_flares(folder)]
    others = [path for path in folders if ExperimentFolder(path) not in flares]
    if not flares:
        return build(read_studies(others, metric), numbers or TABLES, figures=with_figures)
    from lslo_cli.flare.reporting import document_of_all

    document = document_of_all(flares, with_figures)
    if others:
        first = build(read_studies(others, metric), numbers or TABLES, figures=with_figures)
        return replace(first, sections=(*first.sections, *document.sections))
    if numbers:
        raise UsageError(
            f"{flares[0].path} is a FLARE experiment, which has no table {numbers[0]}", "leave out --table"
        )
    if metric != SPBLEU:
        raise UsageError(
            f"{flares[0].path} is a FLARE experiment, whose scores are its task's, not {metric}",
            "leave out --metric",
        )
    return document


def format_of(given: str | None, path: Path | None = None) -> str:
    """The format by its name, else by the ending of the file, else Markdown.

    Raises UsageError for an unknown name.
    """
    word = given or (path.suffix.removeprefix(".").lower() if path else "md")
    if word not in FORMATS:
        if given is None:
            raise UsageError(f"{path} does not say its format", "name it, as in --format html")
        raise UsageError(
            f"unknown format '{given}'.{nearest(given, FORMATS)}", "choose md, latex, csv or html"
        )
    return FORMATS[word]


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--table names '{text}', which is not a number", "write --table 1,3,4")
    return int(text)
