"""The style of all figures: sizes, and palettes for print, screen and dark screens."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, cast

import matplotlib
import seaborn  # registers icefire
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.transforms import offset_copy

from lslo_cli.method.languages import Resource

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

COLUMN_WIDTH = 3.03
"""Inches of one column of an ACL page."""
PAGE_WIDTH = 6.3
"""Inches of the text block of an ACL page."""
PAGE_HEIGHT = 9.4
"""The largest height of a figure in inches, which leaves a line or two for the caption."""

TEXT = 7
"""Font size of labels in points; figures are drawn at their printed size."""
SMALL = 6
"""Font size in points of labels of many small panels, and of notes: the smallest size."""

LEGEND_LINE = 0.13
"""Inches of a line in a legend."""

WHITE, BLACK = "#ffffff", "#000000"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 1, 1, 1, 1, 1)))
"""Adjacent lines differ in colour, marker and dashes, so they can be read without colour."""


@dataclass(frozen=True)
class Mark:
    """How a run is drawn. Colour, marker and filling together are unique among the runs of a study."""

    colour: str
    marker: str
    dashes: Any
    filled: bool = True

    @property
    def face(self) -> str:
        """The colour inside the marker."""
        return self.colour if self.filled else "none"


class Style(StrEnum):
    """The medium of a figure."""

    PAPER = "paper"
    SCREEN = "screen"
    DARK = "dark"

    @property
    def look(self) -> Look:
        return LOOKS[self]


@dataclass(frozen=True)
class Look:
    """The colours of a style. ``titled``: whether figures have a title, which a paper's caption replaces."""

    ink: str
    ground: str
    neutral: str
    missing: str
    """Behind cells without a value."""
    series: tuple[str, ...]
    """Colours of runs in order, which colour-blind readers can tell apart."""
    classes: Mapping[Resource, str]
    demand: Colormap
    """Blue for a low demand, red for a high one, near the background at zero."""
    gain: Colormap
    """Purple for a loss, green for a gain, unlike the maps of demand."""
    titled: bool
    dpi: int

    def marks(self, names: Sequence[str]) -> dict[str, Mark]:
        """A mark for each of the names by its position, unique among the first 108.

        Neighbours differ in colour, marker and dashes, so figures can be read without colour.
        """
        colours, markers = len(self.series), len(MARKERS)
        marks = {}
        for position, name in enumerate(dict.fromkeys(names)):
            turn = position // math.lcm(colours, markers)  # where the pairs of remainders repeat
            marks[name] = Mark(
                self.series[position % colours],
                MARKERS[(position + turn) % markers],
                DASHES[position % len(DASHES)],
                filled=position // (colours * markers) % 2 == 0,
            )
        return marks

    def settings(self) -> dict[RcKeyType, Any]:
        """matplotlib's settings for this look."""
        ink: tuple[RcKeyType, ...]
        ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        ground: tuple[RcKeyType, ...] = ("figure.facecolor", "axes.facecolor")
        return SETTINGS | dict.fromkeys(ink, self.ink) | dict.fromkeys(ground, self.ground)


SETTINGS: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same everywhere
    "font.size": TEXT,
    "text.parse_math": False,  # a run may be named a$b$
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "figure.titlesize": TEXT + 1,
    "figure.titleweight": "bold",
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.labelspacing": 0.3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # TrueType fonts: text stays text
    "svg.fonttype": "path",  # text as paths: needs no font
    "svg.hashsalt": "lslo",  # equal figures give equal bytes
}

ON_WHITE = Look(
    ink="#1a1a1a",
    ground="#ffffff",
    neutral="#5a5a5a",
    missing="#e4e4e4",
    series=("#0173b2", "#d55e00", "#5fa08c", "#5c2a20", "#5a45f5", "#1d1d5e"),
    # Green, blue and red as in the paper, purple for low, near black without a class; dark enough for text.
    classes={
        Resource.HIGH: "#00735a",
        Resource.MEDIUM: "#1f5fd0",
        Resource.LOW: "#7a2a72",
        Resource.VERY_LOW: "#c14a00",
        Resource.UNLABELLED: "#1e1e1e",
    },
    demand=matplotlib.colormaps["RdBu_r"],
    gain=matplotlib.colormaps["PRGn"],
    titled=False,
    dpi=300,
)

LOOKS = {
    Style.PAPER: ON_WHITE,
    Style.SCREEN: replace(ON_WHITE, titled=True, dpi=200),
    Style.DARK: Look(
        ink="#e8e8e8",
        ground="#16181d",
        neutral="#a8a8a8",
        missing="#3a3d44",
        series=("#56b4e9", "#ff9a4d", "#66ffd9", "#f5e82e", "#8c6cff", "#9f8367"),
        classes={
            Resource.HIGH: "#5fe0b0",
            Resource.MEDIUM: "#6aa5ff",
            Resource.LOW: "#f0b8ee",
            Resource.VERY_LOW: "#ff8f4a",
            Resource.UNLABELLED: "#878787",
        },
        demand=seaborn.color_palette("icefire", as_cmap=True),
        gain=LinearSegmentedColormap.from_list(
            "gain-dark", ["#dcbcff", "#8a4fc4", "#22252b", "#2c8f52", "#bdf2c2"]
        ),
        titled=True,
        dpi=200,
    ),
}

Parameters = ParamSpec("Parameters")


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorator: draw with the settings of ``style``, then restore matplotlib's own."""

    @wraps(draw)
    def drawn(*arguments: Parameters.args, **options: Parameters.kwargs) -> Figure:
        with drawing(cast(Style, options.get("style", Style.PAPER)).look.settings()):
            figure = draw(*arguments, **options)
            figure.draw_without_rendering()  # ticks follow the layout, the layout follows their labels
            return figure

    return drawn


@contextmanager
def drawing(settings: dict[RcKeyType, Any] = SETTINGS) -> Iterator[None]:
    """matplotlib with these settings, silent on what its font lacks: :func:`lacking` tells."""
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def lacking(figure: Figure) -> str:
    """The characters in a figure that the font lacks, which are drawn as boxes."""
    known = get_font(findfont(SETTINGS["font.family"])).get_charmap()
    written = "".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))
    return "".join(sorted({each for each in written if ord(each) not in known and not each.isspace()}))


def new_figure(look: Look, width: float, height: float, between: float = 0.03) -> Figure:
    """An empty figure, in inches, with constrained layout and no window; a title adds to its height.

    ``between`` is the space left and right of each of its axes, in inches.
    """
    layout = ConstrainedLayoutEngine(w_pad=between, h_pad=0.03)
    return Figure(figsize=(width, height + (0.2 if look.titled else 0)), layout=layout)


def figure_of(axes: Axes) -> Figure:
    """The figure of axes; there are no subfigures here."""
    return cast(Figure, axes.figure)


def title(figure: Figure, look: Look, text: str) -> None:
    """The title of a figure, if its look has one."""
    if look.titled:
        wrapped = textwrap.fill(text, int(figure.get_figwidth() * 14))
        figure.suptitle(wrapped, x=0.01, ha="left")


def note(figure: Figure, look: Look, text: str) -> None:
    """A small line below the figure, such as the metric's signature."""
    characters = int(figure.get_figwidth() * 21)
    breakable = text.replace("|", "| ")  # a signature is one long word
    wrapped = textwrap.fill(breakable, characters, break_on_hyphens=False).replace("| ", "|")
    figure.supxlabel(wrapped, fontsize=SMALL, color=look.neutral)


def luminance(colour: str) -> float:
    """Relative luminance of a colour as WCAG 2 defines it, from 0 for black to 1 for white."""
    channels = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


def ink_on(ground: str) -> str:
    """Black or white, whichever has more contrast; both have the same at luminance 0.18."""
    return BLACK if luminance(ground) > 0.18 else WHITE


def shortened(name: str, characters: int) -> str:
    """A name cut to at most ``characters``, ending in an ellipsis if it was longer."""
    return name if len(name) <= characters else f"{name[: characters - 1]}…"


def listed(label: str) -> str:
    """A label as legends list it: matplotlib leaves out those that start with an underscore."""
    return f"\N{ZERO WIDTH SPACE}{label}" if label.startswith("_") else label


def legend_label(names: Sequence[str], facts: str, inches: float) -> str:
    """A legend's entry of at most ``inches``, its line included: names, then facts, over several lines."""
    room = max(12, int(inches * 15) - 9)
    *first, last = (shortened(name, max(room - (len(names) > 1), 6)) for name in names)
    if not first:
        return listed(f"{shortened(last, max(6, room - len(facts) - 2))}  {facts}")
    unbroken = [*(f"{name}," for name in first), last, facts.replace(" ", "\xa0")]
    lines = textwrap.wrap(" ".join(unbroken), room, break_on_hyphens=False, break_long_words=False)
    return listed("\n".join(lines).replace("\xa0", " "))


def lines_of(labels: Sequence[str]) -> int:
    """The number of lines of a legend with these entries in one column."""
    return sum(1 + label.count("\n") for label in labels)


def balanced_height(height: float, labels: Sequence[str]) -> tuple[float, float]:
    """The heights in inches of axes and of the legend below them: axes are at least as high as the legend."""
    legend = LEGEND_LINE * lines_of(labels)
    return max(height, legend), legend


def level_with_legends(figure: Figure, rows: int = 1) -> None:
    """Raise a figure's height until its axes, in ``rows``, are as high as their legends."""
    figure.draw_without_rendering()
    legends = [(axes, axes.get_legend()) for axes in figure.axes]
    short = max(
        legend.get_window_extent().height - axes.get_window_extent().height
        for axes, legend in legends
        if legend is not None
    )
    if short > 0:
        figure.set_figheight(figure.get_figheight() + rows * short / figure.dpi)


def legend_below(axes: Axes, columns: int = 1, entries: Mapping[str, Artist] | None = None) -> None:
    """The legend below the axis label, where names of any length cover no data.

    ``entries`` are the artists to list, by label; by default all with a label.
    """
    # Below the labels of ticks and axis.
    below = offset_copy(axes.transAxes, figure_of(axes), y=-3.7 * TEXT, units="points")
    listed: dict[str, Any] = {}
    if entries is not None:
        listed = {"handles": list(entries.values()), "labels": list(entries)}
    axes.legend(
        **listed, loc="upper left", ncols=columns,
        bbox_to_anchor=(0, 0), bbox_transform=below, borderaxespad=0,
    )  # fmt: skip
