"""``lslo plot``: a command for every figure of the catalogue, which needs artifacts only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from rich.text import Text
from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.experiment_options import ExperimentOptions
from lslo_cli.cli.flags import App, Flag, flags_of, split_commas, takes
from lslo_cli.cli.options import metric_option
from lslo_cli.cli.run import say_beside
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.catalogue import FIGURES
from lslo_cli.plots.specs import FigureSpec, RunChoice
from lslo_cli.wording import Command, counted, typed

if TYPE_CHECKING:
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.plots.files import FigureFormat
    from lslo_cli.plots.specs import PreparedFigure
    from lslo_cli.plots.style import Style
    from lslo_cli.plots.text import TextFigure

app = App(help="Draw the papers' figures from what the pipeline wrote.")

FIGURE = "Figure"
OF_RUNS = ("training", "evaluation")
"""Artifacts that each run has in its own folder."""

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class PlotOptions(ExperimentOptions):
    reads_seeds = True

    style: Annotated[
        str,
        Option(
            "--style",
            metavar="paper|screen|dark",
            rich_help_panel=FIGURE,
            help="For print, for a screen (with a title), or for a dark screen.",
        ),
    ] = "paper"
    width: Annotated[
        str | None,
        Option(
            "--width",
            metavar="column|page|INCHES",
            rich_help_panel=FIGURE,
            help="Printed width: an ACL column (3.03), the page (6.3), or inches; default: the figure's own.",
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
    others: Annotated[
        list[Path] | None,
        Option(
            "--with",
            metavar="FOLDER",
            help="Another seed of the experiment, to draw means with their spread. Repeatable; default: the "
            "seeds in the experiment's folder.",
        ),
    ] = None

    def repeats(self, flag: Flag) -> bool:
        """Whether to repeat a flag in the next line: also the other seeds."""
        return super().repeats(flag) or flag.name == "--with"

    def chosen_folder(self) -> ExperimentFolder:
        """The folder of the experiment these options describe."""
        return self.folder(self.resolve())

    def seeds(self) -> list[ExperimentFolder]:
        """The folders of its seeds, then those of ``--with``. Raises InputError where one holds nothing."""
        from lslo_cli.artifacts.folder import ExperimentFolder

        folder = self.chosen_folder()
        seeds = folder.seeds()
        say_beside(folder)
        for path in self.others or ():
            more = ExperimentFolder(path).seeds()
            if not all(seed.has_artifacts() for seed in more):
                raise InputError(f"no experiment at {path}", "name an experiment's folder")
            seeds += more
        if len(seeds) > 1:
            console.say(f"{len(seeds)} seeds: {', '.join(str(seed.path) for seed in seeds)}")
        return seeds

    def chosen_style(self) -> Style:
        from lslo_cli.plots.style import Style

        return _member(Style, self.style, "--style")

    def chosen_formats(self) -> list[FigureFormat]:
        from lslo_cli.plots.files import FigureFormat

        names = split_commas(self.formats)
        if not names:
            raise UsageError("--format names no format", f"choose from {', '.join(FigureFormat)}")
        return [_member(FigureFormat, name, "--format") for name in names]

    def size(self) -> dict[str, float]:
        """The width in inches as a keyword argument; empty for the figure's own width."""
        from lslo_cli.plots.style import COLUMN_WIDTH, PAGE_WIDTH

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
class OneFigureOptions(PlotOptions):
    """The flags of every single figure."""

    text: Annotated[bool, Option("--text", help="Print the figure to the terminal instead.")] = False

    def draw(self, prepared: PreparedFigure, then: str) -> None:
        """Save a figure or print it as text, and name the command that usually comes next."""
        from lslo_cli.plots.files import save
        from lslo_cli.plots.style import lacking

        if prepared.remark:
            console.say(prepared.remark)
        if self.text:
            for flag in flags_of(type(self)):
                if flag.option.rich_help_panel == FIGURE and self.was_given(flag):
                    raise UsageError(
                        f"{flag.name} has no effect with --text, which writes no file",
                        "leave out one of them",
                    )
            if prepared.text is None:
                raise UsageError(f"{prepared.stem} cannot be drawn in a terminal", "leave out --text")
            show_text(prepared.text())
            return
        style, formats = self.chosen_style(), self.chosen_formats()
        figure = prepared.figure(style=style, **self.size())
        _say_lacking(lacking(figure))
        folder = self.out or self.chosen_folder().figures
        paths = save(figure, folder, prepared.stem, formats=formats, style=style)
        for path in paths:
            print(path)
        console.say(f"wrote {' and '.join(path.name for path in paths)}; next: {self.command(then)}")


ONE_RUN = (
    str | None,
    Option(
        "--run", metavar="NAME", help="The run to draw; default: the paper's best, or the latest with scores."
    ),
)
SEVERAL_RUNS = (
    list[str] | None,
    Option("--run", metavar="NAME", help="A run to draw. Repeatable; default: all that can be drawn."),
)


METRIC = Annotated[
    str, Option("--metric", metavar="NAME", help="A metric of the evaluations; see lslo evaluate.")
]


def figure_options(spec: FigureSpec) -> type[OneFigureOptions]:
    """The options of a figure's command: those of every figure, its runs, its flags, and its variants.

    A figure named ``heatmap-by-layer`` is a variant of ``heatmap``, which draws it with ``--by-layer``.
    """
    flags = dict(spec.flags)
    flags |= {
        each.name.removeprefix(f"{spec.name}-").replace("-", "_"): f"{each.summary} The same as {each.name}."
        for each in variants(spec)
    }
    fields: list[Any] = [
        (name, Annotated[bool, Option(f"--{name.replace('_', '-')}", help=text)], field(default=False))
        for name, text in flags.items()
    ]
    if spec.runs is not RunChoice.NONE:
        fields.append(
            ("run", Annotated[ONE_RUN if spec.runs is RunChoice.ONE else SEVERAL_RUNS], field(default=None))
        )
    if spec.scored:
        fields.append(("metric", METRIC, field(default=SPBLEU)))
    name = "".join(map(str.capitalize, spec.name.split("-")))
    return make_dataclass(f"{name}Options", fields, bases=(OneFigureOptions,), frozen=True, kw_only=True)


def variants(spec: FigureSpec) -> list[FigureSpec]:
    """The figures of the catalogue that are variants of this one."""
    return [each for each in FIGURES if each.name.startswith(f"{spec.name}-")]


def command_of(spec: FigureSpec, others: Sequence[FigureSpec]) -> Callable[..., None]:
    """The command that draws a figure of the catalogue, with its help.

    ``others`` are those that come after it: the first with something to be drawn from is named as the next.
    """

    def command(options: Any) -> None:
        chosen = spec
        for variant in variants(spec):
            if getattr(options, variant.name.removeprefix(f"{spec.name}-").replace("-", "_")):
                chosen = variant
        seeds, flags = options.seeds(), {name: getattr(options, name) for name in spec.flags}
        if spec.scored:
            flags["metric"] = metric_option(options.metric)
        runs = getattr(options, "run", None) or ()
        names = [[runs]] if isinstance(runs, str) else [list(runs)] if runs else []
        following = next((each for each in others if _can_be_drawn(each, seeds)), spec)
        options.draw(chosen.prepare(seeds, *names, **flags), f"plot {following.name}")

    where = "seed-N/LANGUAGE/" if spec in FLARES_FIGURES else "runs/RUN/"
    reads = " or ".join(f"{where * (kind in OF_RUNS)}{kind}.json" for kind in spec.reads)
    command.__doc__ = (
        f"{spec.summary}\n\n{f'Paper: {spec.paper}.' if spec.paper else 'Not in the paper.'}\n"
        f"Reads: {reads}{f' {spec.hint}' if spec.hint else ''}.\n\nExample: {typed('plot', spec.name)}"
    )
    return takes(figure_options(spec))(command)


def _can_be_drawn(spec: FigureSpec, seeds: Sequence[ExperimentFolder]) -> bool:
    """Whether an artifact that the figure is drawn from exists."""
    return any(any(seed.path.rglob(f"{kind}.json")) for seed in seeds for kind in spec.reads)


@app.command("all")
@takes(PlotOptions)
def everything(options: PlotOptions) -> None:
    """Draw every figure that the artifacts allow, and say what the others lack.

    Paper: figures 1 to 6, and figures of gain over the base and of cost; for FLARE, its own figures.
    Reads: everything in the experiment's folder; with several seeds, means are drawn.

    Example: lslo plot all --style dark
    """
    from lslo_cli.flare.folder import is_flares
    from lslo_cli.plots.catalogue import MissingFigure, draw_all
    from lslo_cli.plots.files import save
    from lslo_cli.plots.style import lacking

    source, seeds = options.chosen_folder(), options.seeds()
    style, formats, size = options.chosen_style(), options.chosen_formats(), options.size()
    folder = options.out or source.figures
    drawn, boxes, others = 0, "", options.others or ()
    flares = is_flares(source)
    for item in draw_all(seeds, style, FLARES_FIGURES if flares else FIGURES, **size):
        if isinstance(item, MissingFigure):
            options.complete(item.reason)
            console.say(f"no {item.stem}: {item.reason.message}; {item.reason.hint}")
            continue
        if item.remark:
            console.say(item.remark)
        for path in save(item.figure, folder, item.stem, formats=formats, style=style):
            print(path)
        boxes += lacking(item.figure)
        drawn += 1
    _say_lacking(boxes)
    if not drawn:
        raise InputError(
            f"nothing in {source.path} can be drawn", "make artifacts first", Command("weight-learn")
        )
    figures = counted(drawn, "figure")
    then = typed("flare report", source.path) if flares else typed("report", source.path, *others)
    console.say(f"wrote {figures} to {folder}; next: {then}")


for listed in (FIGURES, FLARES_FIGURES):
    for number, spec in enumerate(listed, start=1):
        app.command(spec.name)(command_of(spec, [*listed[number:], *listed[: number - 1]]))


def show_text(figure: TextFigure) -> None:
    """Print a figure of characters, with its colours where the terminal shows them."""
    from lslo_cli.plots.style import ink_on

    if not console.results.is_terminal or console.results.no_color:
        print(figure)
        return
    for line in figure.lines:
        spans = ((text, f"{ink_on(ground)} on {ground}" if ground else "") for text, ground in line)
        console.results.print(Text.assemble(*spans), soft_wrap=True)


def _say_lacking(characters: str) -> None:
    """Say which characters are boxes in the figures, if any."""
    if characters:
        boxes = "".join(sorted(set(characters)))
        console.say(f"drawn as boxes, which the font of figures lacks: {boxes}; name runs in Latin letters")


def _member(choices: type[Choice], name: str, flag: str) -> Choice:
    """The choice of that name. Raises UsageError for an unknown one, naming the nearest."""
    if name not in tuple(choices):
        raise UsageError(
            f"unknown {flag} '{name}'.{nearest(name, choices)}", f"choose from {', '.join(choices)}"
        )
    return choices(name)
