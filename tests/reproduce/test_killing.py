"""Killed at random moments and started again, it ends with what an undisturbed run finds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lslo_cli
from lslo_cli.reproduce import execute, find_targets, jobs_of, only
from tests.forked import PIPE, Popen

PARTS = ["--only", "prune-report"]
"""Weight learning, estimation, one run and the report on it: what the quick test makes of the targets."""
TARGETS = ["table-3", "table-9", "figure-2"]
LONGER = {"fit.max_tokens": 60, "data.dev_rows": 20, "evaluate.max_new_tokens": 12}
"""Work enough to be killed ten times."""


def results_of(folder: Path) -> dict[str, object]:
    """What every artifact below a folder found."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["result"]
        for path in sorted(folder.rglob("*.json"))
        if path.name != "adapter_config.json" and path.parent.name != "model"
    }


def start(recipe: str, results: Path, flags: list[str]) -> Any:
    """The command as a process of its own, once it has begun to work."""
    flags = ["--recipe", recipe, "--results", str(results), *flags]
    process = Popen(
        [sys.executable, "-m", "lslo_cli", "reproduce", *TARGETS, *flags],
        stdout=subprocess.DEVNULL,
        stderr=PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lslo_cli.__file__).parents[1])},
    )
    assert process.stderr.readline().startswith("all: ")
    return process


def kill_and_start_again(recipe: str, results: Path, flags: list[str], kills: int, longest: float) -> int:
    """Kill ``kills`` times, each within ``longest`` seconds of work, then let it end; returns the kills."""
    moments = random.Random(kills)
    killed = 0
    while True:
        with start(recipe, results, flags) as process:
            if killed < kills:
                time.sleep(moments.uniform(0, longest))
                process.kill()
            errors = process.stderr.read()
        if process.returncode == 0:
            return killed
        assert process.returncode == -signal.SIGKILL, errors
        killed += 1


def left_behind(folder: Path) -> list[Path]:
    """Locks, half written files and checkpoints."""
    return [path for path in folder.rglob("*") if path.name.startswith((".", "checkpoint"))]


def test_killed_runs_end_with_the_same_results(small, tmp_path):
    jobs = jobs_of(find_targets(TARGETS, small), tmp_path / "undisturbed", (), "lslo test")
    execute(only(jobs, ["prune-report"]))
    killed = kill_and_start_again(small, tmp_path / "killed", PARTS, kills=2, longest=1.0)
    assert killed == 2
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "undisturbed")
    assert not left_behind(tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_ten_kills_end_with_the_same_results(small, tmp_path, processes):
    execute(jobs_of(find_targets(TARGETS, small, LONGER), tmp_path / "undisturbed", (), "lslo test"))
    assigned = [part for key, value in LONGER.items() for part in ("--set", f"{key}={value}")]
    flags = ["--jobs", processes, *assigned]
    killed = kill_and_start_again(small, tmp_path / "killed", flags, kills=10, longest=3.0)
    assert killed == 10
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "undisturbed")
    assert not left_behind(tmp_path / "killed")
