"""The commands as typed, on a corner of the built-in world and a base model of a few thousand parameters."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lslo_cli.cli.app import app
from lslo_cli.cli.flags import flags_of
from lslo_cli.cli.signals import Interrupt
from lslo_cli.cli.stage_options import StageOptions
from lslo_cli.recipe import Recipe
from lslo_cli.recipe.memory import worth_remembering
from lslo_cli.recipe.section import Section

RECIPE = """
name = "corner"
seed = 1
langs = ["qta", "qso", "qhe", "qha"]
model.name = "base"
run = { device = "cpu", threads = 1 }

[data]
path = "world"
train = "train"
test = "test"
train_rows = 6
test_rows = 2

[fit]
epochs = 3
max_tokens = 400
accumulate = 1

[estimate-subspace]
start_epoch = 1
duration = 2

[train]
gps_start = 1
gps_duration = 2
curve_rows = 1

[evaluate]
beam = 2
max_new_tokens = 8

[base]
vocabulary = 150
encoder_layers = 2
decoder_layers = 2
d_model = 16
ffn_dim = 32
heads = 2
epochs = 1
updates = 4
max_tokens = 400
"""

PIPELINE = {
    "base train --out base": "base/training.json",
    "weight-learn": "out/corner/index-strategy.json",
    "estimate-subspace": "out/corner/subspace.json",
    "train --ranks 2,8 --gps 0.9": "out/corner/runs/2-8-gps0.9/training.json",
    "train --method full": "out/corner/runs/full/training.json",
    "prune-report": "out/corner/prune-report.json",
    "evaluate": "out/corner/runs/*/evaluation.json",
    "plot heatmap": "out/corner/figures/heatmap.*",
    "plot heatmap --by-layer": "out/corner/figures/heatmap-by-layer.*",
    "plot weights": "out/corner/figures/weights.*",
    "plot epochs": "out/corner/figures/epochs.*",
    "plot matrices": "out/corner/figures/matrices.*",
    "plot directions": "out/corner/figures/directions-full.*",
    "plot pareto": "out/corner/figures/pareto.*",
    "plot schedule --out elsewhere": "elsewhere/schedule.*",
}
BESIDE = (
    "compare full base --resamples 100",
    "diff full base",
    "report",
    "translate --src qta --tgt qso",
    "export --run full --to exported",
    "base info base",
)
"""More lines, whose reading of the recipe is watched."""


@pytest.fixture(scope="module")
def reads() -> dict[str, set[str]]:
    """The values of the recipe that each line has read, such as ``FitSection.lr``."""
    return {}


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, reads: dict[str, set[str]]
) -> tuple[Path, dict[str, Any]]:
    """A folder in which the whole pipeline has run, and what each line printed."""
    folder = tmp_path_factory.mktemp("corner")
    (folder / "corner.toml").write_text(RECIPE)
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LSLO_RECIPE", "corner.toml")
        for line in (*PIPELINE, *BESIDE):
            with reading(reads.setdefault(line, set())):
                runner = CliRunner(env={"COLUMNS": "80"})
                results[line] = runner.invoke(app, line.split(), input="taro\n", prog_name="lslo")
    return folder, results


@contextmanager
def reading(seen: set[str]) -> Iterator[None]:
    """Note in ``seen`` which values of recipes are read while the block runs."""
    plain = Section.__getattribute__

    def get(section: Section, name: str) -> Any:
        if name in type(section).__dict__["__pydantic_fields__"]:
            seen.add(f"{type(section).__name__}.{name}")
        return plain(section, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Section, "__getattribute__", get)
        yield


@pytest.fixture
def corner(finished: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the finished pipeline, entered."""
    monkeypatch.chdir(finished[0])
    monkeypatch.setenv("LSLO_RECIPE", "corner.toml")
    return finished[0]


@pytest.mark.parametrize(("line", "files"), PIPELINE.items())
def test_a_line_writes_its_files_and_says_so(finished, line, files):
    folder, results = finished
    result = results[line]
    assert result.exit_code == 0, result.output
    assert list(folder.glob(files))
    last = result.stderr.splitlines()[-1]
    assert last.startswith("wrote ")
    assert "; next: lslo " in last


@pytest.mark.parametrize("line", PIPELINE)
def test_what_a_line_prints_fits_eighty_columns(finished, line):
    printed = finished[1][line].stdout.splitlines()
    assert all(len(text) <= 80 for text in printed)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("weight-learn", ["encoder.1", "source", "target", "index"]),
        ("estimate-subspace", ["qta", "very-low", "score", "rank"]),
        ("train --ranks 2,8 --gps 0.9", ["2-8-gps0.9", "qta=2", "qhe=8", "90%", "not pruned"]),
        ("train --method full", ["full", "100.0% of the base model"]),
        ("prune-report", ["qta", "Parameters", "Correlation", "c-v", "AVG"]),
        ("evaluate", ["base", "full", "2-8-gps0.9", "H2V", "AVG", "nrefs:1|"]),
        ("plot heatmap", ["out/corner/figures/heatmap.png", "out/corner/figures/heatmap.pdf"]),
    ],
)
def test_a_result_is_on_stdout(finished, line, words):
    printed = finished[1][line].stdout
    assert all(word in printed for word in words)


@pytest.mark.parametrize("line", [*PIPELINE, *BESIDE])
def test_every_option_of_a_command_sets_what_it_reads_or_the_experiment_remembers(finished, reads, line):
    assert finished[1][line].exit_code == 0, finished[1][line].output
    command: Any = get_command(app)
    for word in line.split():
        command = getattr(command, "commands", {}).get(word, command)
    options_class = command.callback.options_class
    remembers = issubclass(options_class, StageOptions)
    for flag in flags_of(options_class):
        if flag.key:
            *sections, name = flag.key.name.split(".")
            owner: Any = Recipe
            for section in sections:
                owner = owner.model_fields[section].annotation
            kept = remembers and worth_remembering({flag.key.name: "x"})
            assert kept or f"{owner.__name__}.{name}" in reads[line], flag.name


def test_progress_is_on_stderr(finished):
    assert "weight learning: " in finished[1]["weight-learn"].stderr
    assert "updates" not in finished[1]["weight-learn"].stdout


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("weight-learn --json --name again", "out/again/index-strategy.json"),
        ("prune-report --json", "out/corner/prune-report.json"),
        ("evaluate --run full --json", "out/corner/runs/full/evaluation.json"),
    ],
)
def test_json_prints_exactly_the_artifact(corner, lslo, line, file):
    result = lslo(*line.split())
    assert result.stdout == (corner / file).read_text(encoding="utf-8")
    assert json.loads(result.stdout)["schema_id"].startswith("lslo/")


def test_what_is_up_to_date_is_said_to_be(corner, lslo):
    last = lslo("evaluate", "--run", "base").stderr.splitlines()[-1]
    assert last.startswith("up to date: out/corner/runs/base/evaluation.json; next: lslo ")


def test_quiet_leaves_stderr_empty_and_stdout_as_it_was(corner, lslo, finished):
    result = lslo("prune-report", "--quiet")
    assert result.stderr == ""
    assert result.stdout == finished[1]["prune-report"].stdout


@pytest.mark.parametrize(
    "line", ["weight-learn", "estimate-subspace", "train --gps 0.9 --ranks 4,4", "prune-report", "evaluate"]
)
def test_a_dry_run_shows_the_plan_and_writes_nothing(corner, lslo, line):
    result = lslo(*line.split(), "--dry-run", "--name", "planned", "--quiet")
    assert not (corner / "out/planned").exists()
    if line != "prune-report":  # there is no estimate to report on
        assert result.exit_code == 0, result.output
        assert "would write  out/planned/" in result.stdout


def test_a_dry_run_counts_parameters_by_language(corner, lslo):
    result = lslo("train", "--ranks", "2,8", "--gps", "0.9", "--dry-run")
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith(("qta", "qhe", "total"))]
    by_rank = {row[2]: int(row[3].replace(",", "")) for row in rows[:2]}
    assert by_rank["8"] == 4 * by_rank["2"]
    assert rows[-1] == ["total", "-", f"{2 * (by_rank['2'] + by_rank['8']):,}"]
    assert result.stderr.splitlines()[-1] == "dry run: nothing was written"


def test_a_dry_run_in_json_is_a_document(corner, lslo):
    plan = json.loads(lslo("train", "--ranks", "2,8", "--dry-run", "--json").stdout)
    assert plan["files"][0].endswith("runs/2-8/training.json")
    assert len(plan["parameters"]) == 4


def test_the_map_is_also_drawn_in_text(corner, lslo):
    result = lslo("plot", "heatmap", "--text")
    assert "qta" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            "plot weights",
            "no index-strategy at out/empty/index-strategy.json",
            "lslo weight-learn --name empty",
        ),
        ("plot heatmap", "no subspace at out/empty/subspace.json", "lslo estimate-subspace --name empty"),
        ("plot matrices", "no subspace at out/empty/subspace.json", "lslo estimate-subspace --name empty"),
        ("plot epochs", "no run has a quality curve", "lslo train"),
        ("plot epochs --run full", "no training at out/empty/runs/full/training.json", "lslo train"),
        ("plot schedule", "no run in out/empty/runs was pruned", "lslo train --name empty --gps 0.9"),
        ("plot directions", "no trained run in out/empty/runs has scores", "lslo evaluate"),
        ("plot pareto", "", "lslo "),
        ("prune-report", "no subspace at out/empty/subspace.json", "lslo estimate-subspace"),
        ("train --ranks auto", "no subspace at out/empty/subspace.json", "lslo estimate-subspace"),
        ("train --index learned", "no index-strategy at out/empty/index-strategy.json", "lslo weight-learn"),
        ("evaluate --run mine", "no run 'mine'", "base"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_makes_it(corner, lslo, line, message, hint):
    result = lslo(*line.split(), "--name", "empty")
    assert result.exit_code == 3, result.output
    assert result.stdout == ""
    error, _, advice = result.stderr.rpartition("\n\nhint: ")
    assert f"error: {message}" in error
    assert hint in advice
    assert not list(corner.glob("out/empty/**/*.json"))


@pytest.mark.parametrize(
    ("command", "place", "advice"),
    [
        ("weight-learn", "commands.weight_learn", "continue with --resume"),
        ("prune-report", "prune_report.prune_report", "run the same line again"),
    ],
)
def test_an_interrupt_says_how_to_go_on(corner, lslo, monkeypatch, command, place, advice):
    def interrupted(*arguments: Any, **settings: Any) -> None:
        raise Interrupt(signal.SIGINT)

    monkeypatch.setattr(f"lslo_cli.tasks.{place}", interrupted)
    result = lslo(command)
    assert result.exit_code == 130
    assert result.stderr == f"interrupted; {advice}\n"
    assert result.stdout == ""


def test_a_bug_has_a_traceback_and_exit_code_one(corner, lslo, monkeypatch):
    def broken(*arguments: Any, **settings: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("lslo_cli.tasks.commands.weight_learn", broken)
    result = lslo("weight-learn")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "this is a bug in lslo: ZeroDivisionError: division by zero" in result.stderr


def test_resuming_is_asked_of_the_pipeline(corner, lslo, monkeypatch):
    asked: list[bool] = []

    def stopped(experiment: Any, *, resume: bool, on_event: Callable[..., None]) -> None:
        asked.append(resume)
        raise Interrupt(signal.SIGINT)

    monkeypatch.setattr("lslo_cli.tasks.commands.weight_learn", stopped)
    lslo("weight-learn")
    lslo("weight-learn", "--resume")
    assert asked == [False, True]


@pytest.mark.parametrize(
    ("line", "where"), [("--run 2-8-gps0.9 --source qta --target qhe", "direction"), ("--run full", "whole")]
)
def test_a_run_is_exported(corner, lslo, tmp_path, line, where):
    result = lslo("export", *line.split(), "--to", str(tmp_path / where))
    assert result.exit_code == 0, result.output
    assert "its logits differ from the run's by" in result.output
    assert {"config.json", "model.safetensors"} <= {path.name for path in (tmp_path / where).iterdir()}


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("--run 2-8-gps0.9 --source qta", 2, "name it with --target"),
        ("--run nowhere", 3, "nowhere"),
        ("--run full --to .", 2, "exists already"),
        ("--run full --format onnx", 2, "unknown export format 'onnx'"),
    ],
)
def test_an_export_that_cannot_be_is_refused(corner, lslo, tmp_path, line, code, message):
    place = () if "--to" in line else ("--to", str(tmp_path / "out"))
    result = lslo("export", *place, *line.split())
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_side_that_selects_adapters_must_be_named(corner, lslo, tmp_path):
    assert lslo("train", "--ranks", "2,8", "--index", "source").exit_code == 0
    run = next(path.name for path in (corner / "out/corner/runs").glob("2-8*") if "gps" not in path.name)
    result = lslo("export", "--run", run, "--target", "qhe", "--to", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "name it with --source" in " ".join(result.stderr.split())
