"""The line that trains a run again as it was."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.folder import RESULTS
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.wording import typed

SETTINGS = {"full": (), "lora": ("ranks",), "lslo": ("ranks", "budget", "index", "gps")}
"""The recorded settings of [train] that the line repeats, by method."""


def train_again(run: Path, artifact: Artifact[TrainingResult], name: str | None = None) -> str:
    """``lslo train`` with the experiment and the settings of the run in a folder, under a ``name``."""
    folder, asked, result = run.parents[1], artifact.recipe.get("train", {}), artifact.result
    flags: dict[str, Any] = {
        "results": None if folder.parent == RESULTS else folder.parent,
        "name": folder.name,
        "run": name or result.run,
        "method": result.method,
        "sites": None if result.sites == "all" else result.sites,
        **{key: asked.get(key) for key in SETTINGS[result.method]},
    }
    if gps := flags.get("gps"):
        flags["gps"] = f"{gps:g}"
        flags["gps-classes"] = "auto" if asked.get("gps_classes") == "auto" else None
    words = ((f"--{flag}", value) for flag, value in flags.items() if value is not None)
    return typed("train", *chain.from_iterable(words))
