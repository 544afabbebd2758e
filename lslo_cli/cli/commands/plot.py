"""``lslo plot``: every figure from artifacts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text
from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import split_commas, takes
from lslo_cli.cli.options import ExperimentOptions
from lslo_cli.errors import InputError, UsageError, nearest

if TYPE_CHECKING:
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.plots import Format, Sketch, Style, TextFigure

app = typer.Typer(help="Draw the paper's figures from what the pipeline wrote.")

FIGURE = "Figure"

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class PlotOptions(ExperimentOptions):
    style: Annotated[
        str,
        Option(
            "--style",
            metavar="paper|screen|dark",
            rich_help_panel=FIGURE,
            help="For print, for a screen with a title, or for a dark one.",
        ),
    ] = "paper"
    width: Annotated[
        str | None,
        Option(
            "--width",
            metavar="column|page|INCHES",
            rich_help_panel=FIGURE,
            help="As printed: an ACL column (3.03), the page (6.3), or another.",
        ),
    ] = None
    formats: Annotated[
        str, Option("--format", metavar="LIST", rich_help_panel=FIGURE, help="Files to write: png,pdf,svg.")
    ] = "png,pdf"
    out: Annotated[
        Path | None,
        Option(
            "--out",
            metavar="FOLDER",
            rich_help_panel=FIGURE,
            help="Where to put them; default: the experiment's figures/.",
        ),
    ] = None

    def located(self) -> ExperimentFolder:
        """The folder of the experiment these options describe."""
        return self.folder(self.resolve())

    def chosen_style(self) -> Style:
        from lslo_cli.plots import Style

        return _member(Style, self.style, "--style")

    def chosen_formats(self) -> list[Format]:
        from lslo_cli.plots import Format

        names = split_commas(self.formats)
        if not names:
            raise UsageError("--format names no format", f"choose of {', '.join(Format)}")
        return [_member(Format, name, "--format") for name in names]

    def size(self) -> dict[str, float]:
        """The width in inches as a keyword argument; none where the figure's own is wanted."""
        from lslo_cli.plots import COLUMN_WIDTH, PAGE_WIDTH

        if self.width is None:
            return {}
        try:
            width = {"column": COLUMN_WIDTH, "page": PAGE_WIDTH}.get(self.width) or float(self.width)
        except ValueError:
            width = 0.0
        if not 2 <= width <= 40:
            raise UsageError(
                f"--width is column, page or 2 to 40 inches, not '{self.width}'", "say --width column"
            )
        return {"width": width}


@dataclass(frozen=True, kw_only=True)
class OneOptions(PlotOptions):
    """What every single figure takes."""

    text: Annotated[bool, Option("--text", help="Print it to the terminal instead.")] = False

    def draw(self, sketch: Sketch, then: str) -> None:
        """Save a figure or print it as text, and name the command that usually comes next."""
        from lslo_cli import plots

        if sketch.remark:
            console.say(sketch.remark)
        if self.text:
            show_text(sketch.text())
            return
        style, formats = self.chosen_style(), self.chosen_formats()
        figure = sketch.figure(style=style, **self.size())
        folder = self.out or self.located().figures
        paths = plots.save(figure, folder, sketch.stem, formats=formats, style=style)
        for path in paths:
            print(path)
        console.say(f"wrote {' and '.join(path.name for path in paths)}; next: {self.command(then)}")


@dataclass(frozen=True, kw_only=True)
class HeatmapOptions(OneOptions):
    by_layer: Annotated[bool, Option("--by-layer", help="One map for each layer (figure 5).")] = False


@dataclass(frozen=True, kw_only=True)
class MatricesOptions(OneOptions):
    by_language: Annotated[bool, Option("--by-language", help="One map for each language (figure 6).")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class RunOptions(OneOptions):
    run: Annotated[
        str | None, Option("--run", metavar="NAME", help="The run to draw; default: the latest with scores.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class RunsOptions(OneOptions):
    run: Annotated[
        list[str] | None,
        Option("--run", metavar="NAME", help="A run to draw. Repeatable; default: all that can be."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class EpochsOptions(RunsOptions):
    others: Annotated[
        list[Path] | None,
        Option(
            "--with",
            metavar="FOLDER",
            help="The same experiment with another seed: lines become means, in bands. Repeatable.",
        ),
    ] = None


@app.command("all")
@takes(PlotOptions)
def everything(options: PlotOptions) -> None:
    """Draw every figure that the artifacts allow, and say what the others lack.

    Paper: figures 1 to 6, and what gain over the base and cost look like.
    Reads: everything in the experiment's folder.

    Example: lslo plot all --style dark
    """
    from lslo_cli import plots

    source = options.located()
    style, formats, size = options.chosen_style(), options.chosen_formats(), options.size()
    folder = options.out or source.figures
    drawn = 0
    for item in plots.draw_all(source, style, **size):
        if isinstance(item, plots.Missing):
            console.say(f"no {item.stem}: {item.reason.message}; {item.reason.hint}")
            continue
        if item.remark:
            console.say(item.remark)
        for path in plots.save(item.figure, folder, item.stem, formats=formats, style=style):
            print(path)
        drawn += 1
    if not drawn:
        raise InputError(f"nothing in {source.path} can be drawn", "make something: lslo weight-learn")
    figures = "1 figure" if drawn == 1 else f"{drawn} figures"
    console.say(f"wrote {figures} to {folder}; next: {options.command('prune-report')}")


@app.command()
@takes(OneOptions)
def weights(options: OneOptions) -> None:
    """Draw source and target weight of every layer.

    Paper: figure 1.
    Reads: index-strategy.json.

    Example: lslo plot weights --width column
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.weights(options.located()), then="plot heatmap")


@app.command()
@takes(HeatmapOptions)
def heatmap(options: HeatmapOptions) -> None:
    """Draw how much room each language needs in each kind of matrix.

    Paper: figure 2; --by-layer is figure 5.
    Reads: subspace.json.

    Example: lslo plot heatmap --by-layer
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.heatmap(options.located(), options.by_layer), then="plot weights")


@app.command()
@takes(MatricesOptions)
def matrices(options: MatricesOptions) -> None:
    """Draw how much room each matrix of each layer needs.

    Paper: figure 4; --by-language is figure 6.
    Reads: subspace-language.json, made by estimate-subspace --pool language;
    without it, subspace.json.

    Example: lslo plot matrices --by-language
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.matrices(options.located(), options.by_language), then="plot directions")


@app.command()
@takes(EpochsOptions)
def epochs(options: EpochsOptions) -> None:
    """Draw quality by epoch for each group of directions.

    Paper: figure 3.
    Reads: runs/RUN/training.json of runs trained with --curve-rows.

    Example: lslo plot epochs --run full --run 2-2-8-gps0.9
    """
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.plots import sketches

    folders = [options.located(), *map(ExperimentFolder, options.others or ())]
    options.draw(sketches.epochs(folders, options.run), then="plot matrices")


@app.command()
@takes(RunsOptions)
def schedule(options: RunsOptions) -> None:
    """Draw the fraction that is pruned in each epoch.

    Paper: section 3.2, eq. 4.
    Reads: runs/RUN/training.json of runs trained with --gps.

    Example: lslo plot schedule
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.schedule(options.located(), options.run), then="plot epochs")


@app.command()
@takes(RunOptions)
def directions(options: RunOptions) -> None:
    """Draw what a run gains over the base model in every direction.

    Paper: the differences of tables 1 and 2, by direction.
    Reads: runs/RUN/evaluation.json and runs/base/evaluation.json.

    Example: lslo plot directions --run 2-2-8-gps0.9
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.directions(options.located(), options.run), then="plot pareto")


@app.command()
@takes(OneOptions)
def pareto(options: OneOptions) -> None:
    """Draw trainable parameters against average quality.

    Paper: the #Params and AVG columns of tables 1 and 2.
    Reads: runs/RUN/training.json and runs/RUN/evaluation.json of all runs.

    Example: lslo plot pareto
    """
    from lslo_cli.plots import sketches

    options.draw(sketches.pareto(options.located()), then="plot directions")


def show_text(figure: TextFigure) -> None:
    """Print a figure of characters, with its colours where the terminal shows them."""
    from lslo_cli.plots.style import ink_on

    if not console.results.is_terminal or console.results.no_color:
        print(figure)
        return
    for line in figure.lines:
        spans = ((text, f"{ink_on(ground)} on {ground}" if ground else "") for text, ground in line)
        console.results.print(Text.assemble(*spans), soft_wrap=True)


def _member(choices: type[Choice], name: str, flag: str) -> Choice:
    """The choice of that name. Raises UsageError, naming the nearest."""
    if name not in tuple(choices):
        raise UsageError(
            f"{flag} knows no '{name}'.{nearest(name, choices)}", f"choose of {', '.join(choices)}"
        )
    return choices(name)
