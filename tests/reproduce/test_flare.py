"""FLARE's experiments as jobs: what there is to do, in what order, and doing it."""

import json
import shlex
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from lslo_cli.cli.app import app
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Noted
from lslo_cli.reproduce import (
    JobKind,
    cluster,
    execute,
    execute_on_slurm,
    find_targets,
    jobs_of,
    only,
    outstanding,
    submissions,
    waves,
)
from lslo_cli.reproduce.job import FlareStage
from lslo_cli.reproduce.making import is_current
from lslo_cli.reproduce.slurm import QueuedJob

SMALL = """
extends = "flare-demo"
name = "small-flare"

[flare]
languages = ["qsi"]
seeds = [1, 2]
runs = ["translate-test", "lora", "flare"]
translations = "{folder}/translations"
train_rows = 30
epochs = 1
english_epochs = 1

[reproduce]
figures = ["flare-languages"]
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe of seconds."""
    folder = tmp_path_factory.mktemp("recipe")
    path = folder / "small-flare.toml"
    path.write_text(SMALL.format(folder=folder.as_posix()))
    return str(path)


def jobs(recipe, results, seeds=()):
    return jobs_of(find_targets([recipe]), Path(results), seeds, "lslo test")


def lslo(*arguments):
    return CliRunner().invoke(app, list(arguments), prog_name="lslo")


@pytest.mark.parametrize(
    "name", ["flare-demo", "flare-nusax", "flare-nusax-english", "flare-xnli", "flare-tydiqa"]
)
def test_every_experiment_of_flare_is_jobs_each_after_what_it_needs(name, tmp_path):
    found = jobs(name, tmp_path)
    before = set()
    for label, job in found.items():
        assert before.issuperset(job.needs)
        before.add(label)
    settings = found[f"{name}/report"].experiment.recipe.flare
    count = {kind: sum(job.kind is kind for job in found.values()) for kind in FlareStage}
    seeds, languages = len(settings.seeds), len(settings.languages)
    assert count == {
        FlareStage.TRANSLATE: languages if settings.translated else 0,
        FlareStage.TUNE: seeds,
        FlareStage.TRAIN: seeds * languages * len(settings.runs),
        FlareStage.EVALUATE: seeds * languages,
        FlareStage.REPORT: 1,
    }
    assert [job.name for job in found.values() if job.kind is JobKind.FIGURE]


def test_seeds_are_those_asked_for_and_parts_bring_what_they_need(small, tmp_path):
    found = jobs(small, tmp_path, seeds=(5,))
    assert list(only(found, ["lora"])) == [
        "small-flare/qsi/translate", "small-flare/seed-5/en/tuning", "small-flare/seed-5/qsi/lora",
    ]  # fmt: skip
    test = found["small-flare/seed-5/qsi/test"]
    assert set(test.needs) == {
        f"small-flare/seed-5/qsi/{run}" for run in ("translate-test", "lora", "flare-add-relu-1")
    }
    assert (test.experiment.recipe.seed, test.place, test.name) == (5, "small-flare/seed-5", "qsi/test")
    labels = [[job.label.partition("/")[2] for job in wave] for wave in waves(found)]
    assert labels[0] == ["qsi/translate", "seed-5/en/tuning"]
    assert labels[2:] == [["seed-5/qsi/test"], ["flare-languages", "report"]]


def test_every_part_on_slurm_has_a_log_of_its_own(small, tmp_path):
    found = jobs(small, tmp_path)
    given = submissions(found, ["lslo"])
    logs = [submission.log for submission in given.values()]
    assert len(set(logs)) == len(logs) and {log.parent for log in logs} == {logs[0].parent}
    assert given["small-flare/seed-2/qsi/lora"].log.name == "seed-2-qsi-lora.log"
    assert len({submission.name for submission in given.values()}) == len(given)
    assert outstanding(found) == list(found)


def test_what_belongs_to_the_other_paper_is_refused(small):
    for targets, recipe in ((["table-1"], "flare-demo"), (["flare-demo"], "demo")):
        with pytest.raises(UsageError, match="'flare-demo' is a FLARE experiment, and"):
            find_targets(targets, recipe)
    with pytest.raises(UsageError, match="data.path = x has no effect on 'flare-nusax'") as error:
        find_targets(["flare-nusax"], None, {"data.path": "x"})
    assert "--set flare.data=" in error.value.hint


@pytest.fixture(scope="module")
def done(small, tmp_path_factory):
    """The small experiment, made by two processes, and its notes."""
    results, notes = tmp_path_factory.mktemp("results"), []
    execute(jobs(small, results), processes=2, on_event=notes.append)
    return results


def test_everything_is_made_reported_and_then_kept(done, small):
    folder = done / "small-flare"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")} == {
        f"seed-{seed}/{name}.json"
        for seed in (1, 2)
        for name in ("en/training", "qsi/training", "qsi/evaluation")
    }
    training = json.loads((folder / "seed-1/qsi/training.json").read_text())["result"]
    assert [run["run"] for run in training["runs"]] == ["translate-test", "lora", "flare:add-relu:1"]
    assert (folder / "figures/flare-languages.pdf").is_file()
    assert "flare:add-relu:1" in (folder / "report.md").read_text()
    found, events = jobs(small, done), []
    last = {job.label for job in found.values() if job.name in ("report", "flare-languages")}
    assert {label for label, job in found.items() if not is_current(job)} == last
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    execute(found, on_event=events.append)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")} == before
    kept = [e.text for e in events if isinstance(e, Noted) and e.text.startswith("up to date")]
    assert len(kept) == len(found) - len(last)


def test_what_no_training_can_do_is_refused_before_the_first_of_them(small, tmp_path):
    path = tmp_path / "mixed.toml"
    path.write_text(f'extends = "{small}"\nname = "mixed"\n[flare]\nruns = ["lora", "x-mixup"]\n')
    for processes in (1, 2):
        with pytest.raises(InputError, match="X-Mixup cannot mix") as caught:
            execute(jobs(str(path), tmp_path / "results"), processes)
        assert caught.value.hint.startswith("leave x-mixup out of --runs")
    assert not list(tmp_path.rglob("*.json"))
    execute(only(jobs(str(path), tmp_path / "results"), ["seed-1/en/tuning"]))  # which needs no run


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The names of jobs that Slurm is asked to run, of which ``queue`` are there already; it forgets them."""
    asked = SimpleNamespace(names=[], queue=[])
    monkeypatch.setattr(cluster, "queued_jobs", lambda: asked.queue)
    monkeypatch.setattr(cluster, "submit", lambda submission, _: asked.names.append(submission.name) or "10")
    return asked


@pytest.fixture
def mixed(small, tmp_path):
    """Jobs of which one cannot be done, on a machine with a GPU that is not here."""
    path = tmp_path / "mixed.toml"
    path.write_text(
        f'extends = "{small}"\nname = "mixed"\n[flare]\nruns = ["lora", "x-mixup"]\nseeds = [1]\n'
        '[run]\ndevice = "cuda"\nprecision = "fp16"\n'
    )
    return jobs(str(path), tmp_path / "results")


def test_what_no_training_can_do_is_refused_before_anything_is_submitted(mixed, slurm, tmp_path):
    with pytest.raises(InputError, match="X-Mixup cannot mix") as caught:
        execute_on_slurm(mixed, ["lslo"])
    assert caught.value.hint.startswith("leave x-mixup out of --runs")
    assert not slurm.names and not list(tmp_path.rglob("*.json"))


def test_what_is_queued_already_or_too_large_to_check_here_is_no_obstacle(mixed, slurm, monkeypatch):
    ending = pytest.raises(RunError, match="ended as LOST")
    given = submissions(mixed, ["lslo"])
    of_mixup = next(job for label, job in given.items() if label.endswith("x-mixup"))
    slurm.queue = [QueuedJob("9", "PENDING", of_mixup.name)]
    monkeypatch.setattr(cluster.Watch, "_states", lambda self: dict.fromkeys(self.numbers, "LOST"))
    with ending:
        execute_on_slurm(mixed, ["lslo"])  # it was checked when it was submitted
    assert of_mixup.name not in slurm.names
    for error in (RunError("memory ran out: 8 GB"), BrokenProcessPool("terminated")):
        slurm.names, slurm.queue, notes = [], [], []
        monkeypatch.setattr(cluster, "check_apart", Mock(side_effect=error))
        with ending:
            execute_on_slurm(mixed, ["lslo"], notes.append)
        assert notes[0] == Noted(f"not checked before they are submitted: {error}")
        assert slurm.names == [given[label].name for label in outstanding(mixed)]


def test_a_lost_run_is_the_only_one_that_is_trained_again(done, small):
    weights = done / "small-flare/seed-2/qsi/weights"
    kept = (weights / "lora.safetensors").stat().st_mtime_ns
    (weights / "flare-add-relu-1.safetensors").unlink()
    found = jobs(small, done)
    undone = [job.name for job in found.values() if not is_current(job)]
    assert undone == ["qsi/flare-add-relu-1", "flare-languages", "report"]
    execute(only(found, ["seed-2/qsi/flare-add-relu-1"]))
    assert not is_current(found["small-flare/seed-2/qsi/test"])  # it was of another training
    execute(only(found, ["seed-2/qsi/test"]))
    assert (weights / "flare-add-relu-1.safetensors").is_file()
    assert (weights / "lora.safetensors").stat().st_mtime_ns == kept


def test_the_plan_and_the_lines_of_a_cluster(small, tmp_path):
    plan = lslo("reproduce", small, "--results", str(tmp_path), "--dry-run", "--json")
    rows = {row["label"]: row for row in json.loads(plan.stdout)}
    tuning, lora = (rows[f"small-flare/seed-1/{name}"] for name in ("en/tuning", "qsi/lora"))
    assert (tuning["updates"], lora["epochs"]) == (2, 1)
    shown = lslo("reproduce", "flare-nusax", "--results", str(tmp_path), "--dry-run")
    assert "qhe" not in shown.stdout
    assert "updates are estimated from the published number of rows" in shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert not list(tmp_path.iterdir())
    printed = lslo("reproduce", small, "--seeds", "7", "--print-jobs")
    lines = printed.stdout.splitlines()
    assert len(lines) == 1 + 1 + 3 + 1 + 2
    assert printed.stderr.splitlines()[-2:] == [
        "line 6: after those, in any order or all at once",
        "lines 7 to 8: after all others",
    ]
    words = shlex.split(next(line for line in lines if line.endswith("seed-7/qsi/lora")))
    part = lslo(*words[1:], "--dry-run", "--json")
    assert [row["label"] for row in json.loads(part.stdout)] == [
        "small-flare/qsi/translate", "small-flare/seed-7/en/tuning", "small-flare/seed-7/qsi/lora",
    ]  # fmt: skip


def test_report_and_plot_know_an_experiment_of_flare(done, small):
    folder = done / "small-flare"
    report = lslo("report", str(folder))
    assert report.exit_code == 0, report.stderr
    assert "# FLARE and its baselines" in report.stdout
    assert "| flare:add-relu:1 |" in report.stdout
    refused = lslo("report", str(folder), "--table", "1")
    assert refused.exit_code == 2 and "is a FLARE experiment" in refused.stderr
    folder_of_figures = done / "drawn"
    one = ["--recipe", small, "--results", str(done), "--out", str(folder_of_figures), "--format", "png"]
    drawn = lslo("plot", "flare-sources", *one)
    assert drawn.exit_code == 0, drawn.stderr
    assert [path.name for path in folder_of_figures.iterdir()] == ["flare-sources.png"]
    every = lslo("plot", "all", *one)
    assert every.exit_code == 0, every.stderr
    names = {f"flare-{name}" for name in ("languages", "sources", "activations", "noise")}
    assert {path.stem for path in folder_of_figures.iterdir()} == names


def test_noise_in_training_is_another_experiment_with_the_same_translations(small, done):
    found = jobs_of(
        find_targets([small], None, {"name": "noisy"}, ["flare.train_noise=0.4"]), done, (), "lslo test"
    )
    assert is_current(found["noisy/qsi/translate"]) and not is_current(found["noisy/seed-1/en/tuning"])
    made = only(found, ["seed-1/en/tuning"])
    execute(made)
    (tuning,) = (job for job in made.values())
    assert tuning.experiment.folder.path == done / "noisy"
    one, other = (
        json.loads((done / name / "seed-1/en/training.json").read_text())["result"]["runs"][0]["weights"]
        for name in ("small-flare", "noisy")
    )
    assert one["digest"] == other["digest"]  # the source language has no source to give noise to


def test_more_noise_in_tests_is_evaluated_without_new_training(done, small):
    folder = done / "small-flare"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("training.json")}
    one = ["--recipe", small, "--results", str(done)]
    tested = lslo("flare", "evaluate", *one, "--seeds", "2", "--set", "flare.test_noise=0,0.3")
    assert tested.exit_code == 0, tested.stderr
    result = json.loads((folder / "seed-2/qsi/evaluation.json").read_text())["result"]
    assert {test["noise"] for test in result["predictions"]} == {0, 0.3}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("training.json")} == before
    refused = lslo("report", str(folder))
    assert refused.exit_code == 3 and "made with different flare.test_noise" in refused.stderr
