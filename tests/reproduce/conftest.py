"""Experiments of seconds: four languages of the built-in world, a few sentences, three epochs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lslo_cli.reproduce import Jobs, find_targets, jobs_of

SMALL = """
extends = "demo"
name = "small"
langs = "qta,qso,qki,qsi"

[data]
train_rows = 4
test_rows = 1
dev_rows = 1

[fit]
epochs = 3
max_tokens = 150
warmup = 1

[estimate-subspace]
duration = 2

[train]
gps_duration = 2
curve_rows = 1

[evaluate]
beam = 2
max_new_tokens = 6
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    """The name of the recipe."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture
def jobs(small: str, tmp_path: Path) -> Callable[..., Jobs]:
    """The jobs of targets in the small experiment, by the names of the targets."""

    def jobs(*targets: str, seeds: tuple[int, ...] = (), recipe: str | None = small) -> Jobs:
        return jobs_of(find_targets(targets, recipe), tmp_path / "results", seeds, "lslo test")

    return jobs
