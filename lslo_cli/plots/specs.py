"""The entries of a list of figures; nothing here loads matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lslo_cli.plots.text import TextFigure


class RunChoice(Enum):
    """Which runs a figure shows."""

    NONE = "none"
    ONE = "one"
    SEVERAL = "several"


@dataclass(frozen=True)
class PreparedFigure:
    """One figure whose data has been read: a name for its file, a caption, and how to draw it."""

    stem: str
    caption: str
    figure: Callable[..., Figure]
    """Takes ``width`` (inches) and ``style``; raises InputError if the data does not allow the figure."""
    text: Callable[[], TextFigure] | None = None
    """The same for a terminal."""
    remark: str = ""
    """A remark on the data that was used."""


@dataclass(frozen=True)
class FigureSpec:
    """A figure by ``name``, which also names its files.

    ``source`` is the function that prepares it, as ``module:function``, imported only when needed. ``reads``
    are the artifacts that it is drawn from, the best first, any one of which is enough. ``flags`` are its own
    boolean options with their help: keyword arguments of the function.
    """

    name: str
    summary: str
    source: str
    paper: str = ""
    reads: tuple[str, ...] = ()
    hint: str = ""
    """A remark on the artifacts, such as how to make them."""
    runs: RunChoice = RunChoice.NONE
    flags: Mapping[str, str] = field(default_factory=dict)
    scored: bool = False
    """Whether it shows scores, so that the function takes a ``metric``'s name."""

    def prepare(self, *data: Any, **choices: Any) -> PreparedFigure:
        """Read the figure's data. Raises InputError if it is missing or damaged."""
        module, _, function = self.source.partition(":")
        return getattr(import_module(module), function)(*data, **choices)
