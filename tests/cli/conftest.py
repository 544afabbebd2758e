"""A command line with nothing around it: an empty folder, and no variable that sets a default."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lslo_cli.cli.app import app

ROOT = Path(__file__).parents[2]
VARIABLES = ("LSLO_RECIPE", "LSLO_MODEL", "LSLO_DATA", "LSLO_RESULTS", "NO_COLOR", "FORCE_COLOR")


@pytest.fixture(autouse=True)
def bare_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lslo() -> Callable[..., Any]:
    """Run a command line inside this process."""

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments), prog_name="lslo")

    return run


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code as a process of its own."""

    def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        )

    return run


@pytest.fixture
def lslo_process(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line as a process of its own."""
    return partial(python, "from lslo_cli.cli.app import app; app()")
