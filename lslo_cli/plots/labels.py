"""Label points with names, as space allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lslo_cli.plots.style import SMALL, Look, figure_of, shortened

GAP = 4.5
"""Distance between the middle of a marker and its name, in points."""
LONGEST = 26
"""The longest label in characters; longer names are shortened."""
POSITIONS = [
    (1, 0, "left", "center"),
    (-1, 0, "right", "center"),
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (0.7, 0.7, "left", "bottom"),
    (0.7, -0.7, "left", "top"),
    (-0.7, 0.7, "right", "bottom"),
    (-0.7, -0.7, "right", "top"),
]
"""Candidate positions of a name: direction from its marker, and alignment."""


def label_points(axes: Axes, look: Look, points: Mapping[str, Line2D], line: Line2D) -> list[str]:
    """Write every name beside its point, inside the axes, where it covers no marker, name or ``line``.

    Returns the names that do not fit. Names with fewer neighbours are placed first, so that as many as
    possible fit. Axes must have their final size.
    """
    figure = figure_of(axes)
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    centres = {name: axes.transData.transform(_position(point)) for name, point in points.items()}
    taken = [
        Bbox.from_bounds(x - 3 * pixels, y - 3 * pixels, 6 * pixels, 6 * pixels) for x, y in centres.values()
    ]
    taken += [text.get_window_extent() for text in axes.texts]
    bars = (path for lines in axes.collections for path in lines.get_paths())
    taken += [path.transformed(axes.transData).get_extents() for path in bars]
    taken += _along(axes.transData.transform(line.get_xydata()), pixels)
    room = axes.get_window_extent().padded(-2 * pixels)

    def neighbours(name: str) -> int:
        x, y = centres[name]
        return sum(abs(x - u) < 60 * pixels and abs(y - v) < 9 * pixels for u, v in centres.values())

    crowded = []
    for name in sorted(points, key=neighbours):
        for text in _positions(axes, look, name, points[name]):
            box = text.get_window_extent()
            own = taken[list(points).index(name)]
            free = not any(box.overlaps(other) for other in taken if other is not own)
            if free and room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1:
                taken.append(box)
                break
            text.remove()
        else:
            crowded.append(name)
    return crowded


def label_line(axes: Axes, look: Look, text: str, height: float) -> None:
    """Write a label above the left end of a horizontal line."""
    axes.annotate(
        text, (0.01, height), (0, 1.5), xycoords=("axes fraction", "data"), textcoords="offset points",
        fontsize=SMALL, color=look.neutral, va="bottom",
    )  # fmt: skip


def axes_height(axes: Axes) -> float:
    """The laid-out height of the axes in inches."""
    return float(axes.get_window_extent().height / figure_of(axes).dpi)


def _position(point: Line2D) -> tuple[float, float]:
    """The data coordinates of a line of one point."""
    x, y = np.asarray(point.get_xydata())[0]
    return x, y


def _along(corners: np.ndarray, step: float) -> Iterator[Bbox]:
    """Small boxes along a line through ``corners``, (n, 2) in pixels, every ``step``."""
    for start, end in pairwise(corners):
        steps = max(2, int(np.hypot(*(end - start)) / step))
        for x, y in np.linspace(start, end, steps):
            yield Bbox.from_bounds(x - step / 2, y - step / 2, step, step)


def _positions(axes: Axes, look: Look, name: str, point: Line2D) -> Iterator[Text]:
    """The name at each of its candidate positions in turn."""
    for right, up, horizontal, vertical in POSITIONS:
        yield axes.annotate(
            shortened(name, LONGEST), _position(point), (GAP * right, GAP * up),
            textcoords="offset points", fontsize=SMALL, color=look.ink, ha=horizontal, va=vertical,
            bbox={"facecolor": look.ground, "edgecolor": "none", "pad": 0.2},  # over the base's line
        )  # fmt: skip
