"""``lslo plot`` on an experiment that was really made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.cli import console
from lslo_cli.cli.app import app

DEMO = Path(__file__).parents[2] / "results" / "demo"
pytestmark = pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")
SEED = ("--results", str(DEMO), "--name", "seed-2")


def lslo(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["plot", *arguments], prog_name="lslo")


def test_all_draws_what_the_artifacts_allow_and_says_why_not_the_rest(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(DEMO / "seed-2" / "index-strategy.json", folder)
    result = lslo("all", "--results", str(tmp_path), "--name", "one", "--width", "column")
    assert result.exit_code == 0, result.output
    assert [Path(line).name for line in result.stdout.splitlines()] == ["weights.png", "weights.pdf"]
    assert (
        f"no heatmap: no subspace at {folder / 'subspace.json'}; make it first: lslo estimate-subspace"
        in (result.stderr)
    )
    assert f"wrote 1 figure to {folder / 'figures'}; next: " in result.stderr


def test_all_of_nothing_is_an_input_error(tmp_path):
    result = lslo("all", "--results", str(tmp_path), "--name", "none")
    assert result.exit_code == 3
    assert f"error: nothing in {tmp_path / 'none'} can be drawn" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--style", "drak"), "unknown --style 'drak'. Did you mean 'dark'?"),
        (("--format", "png,gif"), "unknown --format 'gif'."),
        (("--format", ","), "--format names no format"),
        (("--width", "wide"), "--width is column, page or 2 to 40 inches, not 'wide'"),
        (("--width", "nan"), "--width is column, page or 2 to 40 inches, not 'nan'"),
        (("--width", "0.5"), "--width is column, page or 2 to 40 inches, not '0.5'"),
    ],
)
def test_a_wrong_choice_is_a_usage_error_and_writes_nothing(tmp_path, flags, message):
    result = lslo("weights", *SEED, "--out", str(tmp_path), *flags)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_width_is_that_of_the_file(tmp_path):
    result = lslo("weights", *SEED, "--out", str(tmp_path), "--width", "column", "--format", "svg")
    assert result.exit_code == 0, result.output
    width = re.search(r'<svg [^>]*width="([\d.]+)pt"', (tmp_path / "weights.svg").read_text())
    assert float(width.group(1)) == pytest.approx(3.03 * 72)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.svg"]


@pytest.mark.parametrize(
    "name", ["weights", "heatmap", "matrices", "epochs", "schedule", "directions", "pareto"]
)
def test_text_has_no_escape_codes_in_a_pipe_and_writes_no_file(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = lslo(name, *SEED, "--text")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flag", [("--out", "f"), ("--style", "dark"), ("--width", "column"), ("--format", "svg")]
)
def test_text_refuses_what_is_for_files(flag):
    result = lslo("weights", *SEED, "--text", *flag)
    assert result.exit_code == 2
    assert f"error: {flag[0]} has no effect with --text" in result.stderr


@pytest.mark.parametrize("no_color", [False, True])
def test_text_is_coloured_on_a_terminal_unless_that_is_unwanted(monkeypatch, no_color):
    terminal = console.Console(
        force_terminal=True, color_system="truecolor", no_color=no_color, width=80, highlight=False
    )
    monkeypatch.setattr(console, "results", terminal)
    printed = lslo("heatmap", *SEED, "--text").stdout
    assert ("\x1b[" in printed) == (not no_color)
    plain = re.sub(r"\x1b\[[\d;]*m", "", printed)
    assert max(map(len, plain.splitlines())) <= 80
    assert re.search(r"\+\d+█", plain)


def test_with_another_seed_lines_are_means():
    result = lslo("epochs", *SEED, "--with", str(DEMO / "seed-3"), "--text")
    assert "mean and range of 2 runs" in result.stdout


def test_with_a_folder_that_holds_no_experiment_is_an_input_error(tmp_path):
    result = lslo("epochs", *SEED, "--with", str(tmp_path), "--text")
    assert result.exit_code == 3
    assert str(tmp_path) in result.stderr


def test_the_next_line_has_the_other_seeds(tmp_path):
    other = ("--with", str(DEMO / "seed-3"))
    result = lslo("weights", *SEED, *other, "--out", str(tmp_path), "--format", "svg")
    assert re.search(rf"next: lslo plot \S+ .*{' '.join(other)}$", result.stderr.strip())
    folder, seed_3 = tmp_path / "one", tmp_path / "seed-3"
    for seed, copy in (("seed-2", folder), ("seed-3", seed_3)):  # with a single figure to be drawn
        copy.mkdir()
        shutil.copy(DEMO / seed / "index-strategy.json", copy)
    flags = ("--results", str(tmp_path), "--name", "one", "--with", str(seed_3), "--format", "svg")
    assert f"next: lslo report {folder} {seed_3}" in lslo("all", *flags).stderr


def test_names_that_matplotlib_takes_for_something_else_are_drawn_and_lost_characters_said(tmp_path):
    experiment = tmp_path / "names"
    for name in ("_mine", "a$\\frac$b", "试验"):
        folder = shutil.copytree(DEMO / "seed-2" / "runs" / "2-2-8-gps0.9", experiment / "runs" / name)
        (folder / "evaluation.json").unlink()
        document = json.loads((folder / "training.json").read_text())
        document["result"]["run"], document["inputs"] = name, []
        document["digest"] = digest_of(document["result"])
        (folder / "training.json").write_text(json.dumps(document))
    for figures in (["epochs"], ["all"]):
        result = lslo(*figures, "--results", str(tmp_path), "--name", "names", "--format", "svg")
        assert result.exit_code == 0, result.output
        (said,) = [line for line in result.stderr.splitlines() if "boxes" in line]
        assert said.startswith("drawn as boxes, which the font of figures lacks: 试验; ")
