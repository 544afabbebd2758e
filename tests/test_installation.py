"""Installations other than that of constraints.txt: the lowest dependencies, and what the sdist holds.

Both need a package index and take minutes, so they run only when asked for, by
``pytest -m slow tests/test_installation.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from lslo_cli.parsing import parse_toml

ROOT = Path(__file__).parent.parent
PROJECT = parse_toml((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
QUICK = (
    "tests/method",
    "tests/test_recipe.py",
    "tests/artifacts/test_store.py",
    "tests/nn/test_loss.py",
    "tests/nn/test_lslo.py",
    "tests/models/test_decoder.py",
    "tests/models/test_encoder.py",
    "tests/models/test_recompute.py",
    "tests/models/test_stock_files.py",
    "tests/models/test_tokenizer.py",
    "tests/search/test_metric.py",
    "tests/tasks/test_export.py",
    "tests/tasks/test_train_commands.py",
    "tests/training/test_trainer.py",
    "tests/plots/test_curves.py",
    "tests/cli/test_app.py",
    "tests/cli/test_base_info.py",
    "tests/flare/test_attach.py",
)
"""Tests that between them use every dependency."""


def lowest(requirements: list[str]) -> list[str]:
    """The lowest version that each requirement allows, such as ``numpy==1.26`` for ``numpy>=1.26``."""
    return [re.sub(r">=([\w.]+).*", r"==\1", requirement) for requirement in requirements]


def constrained(name: str) -> str:
    """The version of a package in constraints.txt."""
    (version,) = re.findall(rf"^{name}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    return f"{name}=={version}"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command. Fails the test, with the end of that output, where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(cwd), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ended = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    return ended.stdout


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment with nothing in it but pip."""
    venv.create(tmp_path / "environment", with_pip=True)
    return tmp_path / "environment" / "bin" / "python"


def test_the_lowest_version_is_read_off_a_requirement():
    assert lowest(["numpy>=1.26", "transformers>=5,<6"]) == ["numpy==1.26", "transformers==5"]
    assert all(">=" in requirement for requirement in PROJECT["project"]["dependencies"])


@pytest.mark.slow
def test_the_lowest_dependencies_work(python):
    project = PROJECT["project"]
    every = lowest([*project["dependencies"], *project["optional-dependencies"]["export"]])
    wanted = [name for name in every if not name.startswith("torch==")]
    # Of torch the build of constraints.txt, since others than the newest bring gigabytes of CUDA libraries.
    pinned = (*wanted, constrained("torch"), constrained("pytest"))
    run(python, "-m", "pip", "install", *pinned, "--editable", ROOT)
    quiet = ("-q", "-x", "-W", "default", "-p", "no:cacheprovider")  # old and new releases warn of each other
    assert " passed" in run(python, "-m", "pytest", *quiet, *QUICK)


@pytest.mark.slow
def test_the_tests_of_the_source_distribution_run(python, tmp_path):
    run(python, "-m", "pip", "install", *PROJECT["build-system"]["requires"])
    run(python, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path / "dist")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    tests = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *QUICK, "tests/test_readme.py")
    assert " passed" in run(sys.executable, *tests, cwd=unpacked)
