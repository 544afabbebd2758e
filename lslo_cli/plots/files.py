"""Figures on disk: PNG to look at, PDF to print."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lslo_cli.artifacts.store import replacing
from lslo_cli.plots.style import STYLE

METADATA = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
"""What the formats would add by themselves is left out: equal figures give equal bytes."""


def save(figure: Figure, folder: Path, stem: str) -> list[Path]:
    """Write ``stem.png`` (200 dpi) and ``stem.pdf``, each whole or not at all, and return their paths.

    Raises InputError where the folder cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure.draw_without_rendering()  # ticks follow the layout, the layout follows their labels
    paths = []
    for suffix, metadata in METADATA.items():
        path = folder / f"{stem}.{suffix}"
        with replacing(path) as temporary, matplotlib.rc_context(STYLE):
            figure.savefig(temporary, format=suffix, dpi=200, metadata=metadata)
        paths.append(path)
    return paths
