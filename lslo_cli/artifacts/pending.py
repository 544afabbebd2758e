"""The weights of a run that is trained again: they wait until its artifact names them.

The old artifact, its weights and its evaluation stay whole until the new artifact is in its place. From that
moment on the new weights count, wherever a killed process has left them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TensorFile

PENDING = ".next"
"""The folder in a run's where new weights wait."""


def pending(run: Path) -> Path:
    """Where the new weights of the run in folder ``run`` are written."""
    return run / PENDING


def adopt(run: Path, tensors: TensorFile | None) -> None:
    """Move waiting weights to their place where ``tensors`` of the run's artifact names them; drop others."""
    waiting = pending(run)
    weights = waiting / tensors.path if tensors else waiting
    if tensors and weights.is_file() and digest_of_file(weights) == tensors.digest:
        files = (path for path in waiting.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path == weights):  # last, as it says that there is more
            target = run / path.relative_to(waiting)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(waiting, ignore_errors=True)
