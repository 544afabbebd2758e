"""Figures on disk: PNG to look at, PDF to print, SVG for the web."""

from __future__ import annotations

import io
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from matplotlib.figure import Figure

from lslo_cli.artifacts.writing import writing
from lslo_cli.plots.style import Style, drawing


class FigureFormat(StrEnum):
    """A kind of file."""

    PNG = "png"
    PDF = "pdf"
    SVG = "svg"


METADATA = {
    FigureFormat.PNG: {"Software": None},
    FigureFormat.PDF: {"CreationDate": None, "Creator": None, "Producer": None},
    FigureFormat.SVG: {"Date": None, "Creator": None, "Format": None, "Type": None},
}
"""Metadata that the formats would add, left out: equal figures give equal bytes."""


def save(
    figure: Figure,
    folder: Path,
    stem: str,
    *,
    formats: Sequence[FigureFormat] = (FigureFormat.PNG, FigureFormat.PDF),
    style: Style = Style.PAPER,
) -> list[Path]:
    """Write ``stem.png``, ``stem.pdf`` and so on, each atomically, and return their paths.

    ``style`` is the one the figure was drawn in: a PNG for paper has a higher resolution. Raises InputError
    if the folder cannot be written.
    """
    paths = []
    for kind in formats:
        path = folder / f"{stem}.{kind}"
        with writing(path) as file, drawing():
            figure.savefig(file, format=kind, dpi=style.look.dpi, metadata=METADATA[kind])
        paths.append(path)
    return paths


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element for a page, without fonts or other files."""
    drawn = io.StringIO()
    with drawing():
        figure.savefig(drawn, format="svg", metadata=METADATA[FigureFormat.SVG])
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]
