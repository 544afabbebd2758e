"""The line that trains a run again as it was."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.wording import typed

KEPT = ("ranks", "budget", "index", "gps")
"""The recorded settings of [train] that the line repeats, where they have a value."""


def train_again(run: Path, artifact: Artifact[TrainingResult], name: str | None = None) -> str:
    """``lslo train`` with the experiment and the settings of the run in a folder, under a ``name``."""
    folder, asked, result = run.parents[1], artifact.recipe.get("train", {}), artifact.result
    settings = {key: asked.get(key) for key in KEPT if result.method == "lslo" or key == "ranks"}
    if result.method == "full":
        settings = {}
    words = ["--name", folder.name, "--run", name or result.run, "--method", result.method]
    if folder.parent != RESULTS:
        words = ["--results", str(folder.parent), *words]
    if result.sites != "all":
        words += ["--sites", result.sites]
    if result.method == "lslo" and asked.get("gps") and asked.get("gps_classes") == "auto":
        words += ["--gps-classes", "auto"]
    for key, value in settings.items():
        words += (
            [] if value is None else [f"--{key}", f"{value:g}" if isinstance(value, float) else str(value)]
        )
    return typed("train", *words)
