"""The weights of a run that is trained again: they are pending until its artifact refers to them.

The old artifact, its weights and its evaluation stay complete until the new artifact replaces it. From then
on the new weights are valid, even if a killed process has left them pending.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TensorFile

PENDING = ".next"
"""The folder of pending weights in a run's folder."""


def pending(run: Path) -> Path:
    """The folder of the pending weights of the run in folder ``run``."""
    return run / PENDING


def adopt(run: Path, tensors: TensorFile | None) -> None:
    """Move pending weights into the run's folder if its artifact's ``tensors`` refer to them; drop others."""
    waiting = pending(run)
    weights = waiting / tensors.path if tensors else waiting
    if tensors and weights.is_file() and digest_of_file(weights) == tensors.digest:
        files = (path for path in waiting.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path == weights):  # last: it marks the move as unfinished
            target = run / path.relative_to(waiting)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(waiting, ignore_errors=True)
