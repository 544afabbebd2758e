"""Training commands: interrupted, resumed, and in several processes."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import METRICS
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Noted
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.experiment import read_training
from lslo_cli.world import WORLD
from tests.forked import run_ranks

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


# Resuming


def known(log):
    """The lines of a log without what depends on the machine."""
    lines = map(json.loads, log.read_text().splitlines())
    passing = {"tokens_per_second", "memory_gib"}
    return [{name: value for name, value in line.items() if name not in passing} for line in lines]


@pytest.mark.parametrize("command", ["weight_learn", "estimate_subspace", "train"])
def test_an_interrupted_command_is_resumed_to_the_same_result(new_experiment, tmp_path, command, heard):
    run = getattr(tasks, command)
    changes = {**GPS, "train.curve_rows": 1, "fit.dropout": 0.3, "data.dev_rows": 3, "train.keep": "best"}
    expected = run(new_experiment(**changes))
    (log,) = (tmp_path / "results").rglob(METRICS)
    logged = known(log)
    shutil.move(tmp_path / "results", tmp_path / "first")

    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 3/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(new_experiment(**changes), on_event=interrupt)
    assert not expected.path.exists()
    resumed = run(new_experiment(**changes), resume=True, on_event=heard)
    assert resumed.artifact.digest == expected.artifact.digest
    assert known(log) == logged
    assert any(note.startswith("resuming") and "after epoch 2 of 3" in note for note in heard.notes)
    assert not list((tmp_path / "results").rglob("state.pt"))


@pytest.mark.parametrize("command", ["weight_learn", "estimate_subspace", "train"])
def test_a_finished_command_is_not_repeated_by_resuming_it(new_experiment, command, heard):
    run = getattr(tasks, command)
    first = run(new_experiment(**GPS))
    again = run(new_experiment(**GPS), resume=True, on_event=heard)
    assert again.up_to_date and again.artifact == first.artifact
    assert heard.tasks == []
    other = run(new_experiment(**{**GPS, "seed": 3}), resume=True, on_event=heard)
    assert not other.up_to_date and len(heard.tasks) == 1
    assert any(note.endswith("to resume: starting from the beginning") for note in heard.notes)


def test_an_interrupted_repetition_is_resumed_though_the_run_before_it_is_whole(new_experiment, heard):
    first = tasks.train(new_experiment(**GPS))

    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 3/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tasks.train(new_experiment(**GPS), on_event=interrupt)
    again = tasks.train(new_experiment(**GPS), resume=True, on_event=heard)
    assert not again.up_to_date and again.artifact.digest == first.artifact.digest
    assert any(note.startswith("resuming") for note in heard.notes)


def test_the_log_of_a_run_has_what_people_watch(new_experiment):
    run = tasks.train(new_experiment(**GPS, **{"train.curve_rows": 1, "data.dev_rows": 3}))
    lines = known(run.path.with_name(METRICS))
    result = run.artifact.result
    first, last = lines[0], lines[-1]
    assert (first["epoch"], first["update"]) == (0, 0) and first["dev/spbleu/H2H"] >= 0
    assert last["update"] == sum(record.updates for record in result.history)
    assert last["dev/loss"] == result.dev_losses[-1]
    assert last["dev/spbleu/H2H"] == result.curve.points[-1].spbleu["H2H"]
    assert last["sparsity/high"] == pytest.approx(0.9, abs=0.02) and last["sparsity/very-low"] == 0
    assert [line["learning_rate"] for line in lines if "loss" in line][:2] == [0.0, 0.02]


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_loaded(
    new_experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr("lslo_cli.training.trackers.find_spec", lambda package: None)
    for command in (tasks.weight_learn, tasks.estimate_subspace, tasks.train):
        with pytest.raises(UsageError, match="--track wandb needs the package wandb"):
            command(new_experiment(**{"run.track": "wandb", "model.name": "nowhere"}))
    assert not (tmp_path / "results").exists()


def interrupt(event):
    if getattr(event, "note", "").startswith("epoch 2/3"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 3},
        {"fit.lr": 0.01},
        {"data.train_rows": 5},
        {"langs": "qso,qta,qki,qka"},
        {"train.gps": 0.8},
        {"train.ranks": "2,2,4"},
        {"train.index": "source"},
    ],
)
def test_the_checkpoint_of_a_run_with_other_settings_is_refused(new_experiment, change):
    with pytest.raises(KeyboardInterrupt):
        tasks.train(new_experiment(**GPS), run="one", on_event=interrupt)
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        tasks.train(new_experiment(**{**GPS, **change}), run="one", resume=True)


def test_a_checkpoint_is_continued_whatever_its_training_does_not_read_is_set_to(new_experiment):
    changed = {
        "languages.qki": {"resource": str(WORLD["qki"].resource), "family": "Other", "bitext": 5},
        "fit.lr_full": 0.5,
        "train.rule": "kept",
    }
    with pytest.raises(KeyboardInterrupt):
        tasks.train(new_experiment(**GPS), run="one", on_event=interrupt)
    assert (
        tasks.train(new_experiment(**GPS, **changed), run="one", resume=True)
        .artifact.result.history[-1]
        .epoch
        == 3
    )


@pytest.fixture
def two_threads(monkeypatch):
    """As many threads of the process as another machine has."""
    before = torch.get_num_threads()
    monkeypatch.setattr("lslo_cli.training.device._threads_before", 2)
    yield
    torch.set_num_threads(before)


def test_a_run_is_continued_with_its_number_of_threads(new_experiment, heard, two_threads):
    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 2/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tasks.train(new_experiment(**GPS, **{"run.threads": 1}), on_event=interrupt)
    with pytest.raises(InputError, match=r"by 1 process with 1 thread, and this is 1 process with 3 threads"):
        tasks.train(new_experiment(**GPS, **{"run.threads": 3}), resume=True)
    resumed = tasks.train(new_experiment(**GPS, **{"run.threads": None}), resume=True, on_event=heard)
    assert "with 1 thread as before, not 2, for the same weights" in heard.notes
    assert any("after epoch 1 of 3" in note for note in heard.notes)
    assert resumed.artifact.made.device == "cpu, 1 thread"


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ({"train.method": "full", "train.gps": 0.0}, "full"),
        ({"train.ranks": "4,4,4"}, "4-4-4-gps0.9"),
        ({"train.gps": 0.5}, "2-2-8-gps0.5"),
        ({"train.index": "source"}, "2-2-8-source-gps0.9"),
    ],
)
def test_a_run_of_other_settings_is_never_replaced(finished_experiment, change, now):
    """As by a line of a hint, or by a name that was used before; nothing is read or loaded for it."""
    path = finished_experiment().folder.run("2-2-8-gps0.9").training
    before = path.read_bytes()
    for refused in (
        lambda: tasks.train(finished_experiment(**{**GPS, **change}), run=path.parent.name),
        lambda: tasks.plan(finished_experiment(**{**GPS, **change}), "train", run=path.parent.name),
    ):
        with pytest.raises(InputError, match=f"trained as 2-2-8-gps0.9, which this one, {now}") as error:
            refused()
        assert error.value.hint == f"give this one another name with --run, or remove {path.parent} first"
    assert path.read_bytes() == before


@pytest.mark.parametrize("run", ["2-2-8-gps0.9", "full"])
def test_the_line_that_trains_a_run_again_has_its_experiment_and_settings(finished_experiment, run):
    folder = finished_experiment().folder
    path = folder.run(run).training
    document = store.read(path, TrainingResult)
    base = folder.path / "base.json"
    base.write_text('{"digest": "new"}')
    stale = [Input(role="index-strategy", path="../../base.json", digest="old")]
    store.write(path, document.model_copy(update={"inputs": stale}))
    with pytest.raises(InputError, match="is stale") as error:
        read_training(folder, folder.run(run))
    place = f"--results {folder.path.parent} --name {folder.path.name}"
    assert error.value.hint == f"make it again: lslo train {place} --settings-of {run} --run {run}"


@pytest.mark.parametrize("lr", [1e38])
def test_weights_that_are_not_finite_end_the_run_and_leave_the_old_one_whole(new_experiment, lr):
    def files():
        """All but the log, which is the newest attempt's, and tells how it went wrong."""
        paths = (path for path in old.path.parent.rglob("*") if path.is_file() and path.name != METRICS)
        return {path: path.read_bytes() for path in paths}

    old = tasks.train(new_experiment(**GPS), run="one")
    before = files()
    with pytest.raises(RunError, match=r"diverged: .* epoch 1, update \d"):
        tasks.train(new_experiment(**GPS, **{"fit.lr": lr, "fit.warmup": 1}), run="one")
    assert files() == before


# Base training


def test_a_base_is_written_whole_with_its_record_and_nothing_else(tiny):
    names = {path.name for path in tiny.base.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "dict.txt",
        "sentencepiece.bpe.model",
        "training.json",
    } <= names
    assert not list(tiny.folder.glob(".base*"))
    record = json.loads((tiny.base / "training.json").read_text(encoding="utf-8"))
    assert record["schema_id"] == "lslo/base-training"
    assert record["model"]["name"] == str(tiny.base)


def test_an_interrupted_base_is_resumed(tiny, tmp_path, heard):
    def interrupt(event):
        if isinstance(event, Noted) and event.text.startswith("epoch 1"):
            interrupt.seen = True
        elif getattr(interrupt, "seen", False):
            raise KeyboardInterrupt

    recipe, out = tiny.recipe(**{"base.updates": 10}), tmp_path / "base"
    with pytest.raises(KeyboardInterrupt):
        tasks.train_base(recipe, out, "lslo", on_event=interrupt)
    assert not out.exists()
    resumed = tasks.train_base(recipe, out, "lslo", resume=True, on_event=heard)
    whole = tasks.train_base(recipe, tmp_path / "whole", "lslo")
    assert "resuming base training after epoch 1 of 2" in heard.notes
    assert resumed.artifact.digest == whole.artifact.digest
    assert resumed.artifact.model.digest == whole.artifact.model.digest
    updates = [json.loads(line)["update"] for line in (out / METRICS).read_text().splitlines()]
    assert updates == sorted(updates) and {1, 20} <= {*updates}


# Several processes


SCRIPT = """
import json, sys
from pathlib import Path
from accelerate import PartialState
from lslo_cli.tasks import commands as tasks
from lslo_cli.artifacts.folder import METRICS, ExperimentFolder
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.recipe import Recipe

recipe = Recipe.model_validate_json(sys.argv[1])
experiment = Experiment(recipe, ExperimentFolder(Path(sys.argv[2])), "lslo test")
events = []
tasks.train(experiment, run="two", on_event=events.append)
tasks.evaluate(experiment, runs=["two"], on_event=events.append)
assert bool(events) == PartialState().is_main_process
PartialState().destroy_process_group()
"""


def test_two_processes_write_what_one_does(new_experiment, tmp_path):
    changes = {**GPS, "fit.dropout": 0.2, "fit.attention_dropout": 0.2, "train.curve_rows": 2}
    alone = tasks.train(new_experiment(**{**changes, "fit.accumulate": 2}), run="one").artifact.result
    (scored,) = tasks.evaluate(new_experiment(), runs=["one"])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    experiment = new_experiment(**changes)
    run_ranks([script, experiment.recipe.model_dump_json(), experiment.folder.path])
    folder = experiment.folder.run("two")
    together = store.read(folder.training, TrainingResult).result
    assert [r.loss for r in together.history] == pytest.approx([r.loss for r in alone.history], abs=1e-4)
    assert together.nonzero_parameters == alone.nonzero_parameters
    assert len(together.curve.points) == len(alone.curve.points)
    states = [
        load_file(experiment.folder.run(name).path / "adapter" / "adapter_model.safetensors")
        for name in ("one", "two")
    ]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=0.01)
    evaluation = store.read(folder.evaluation, EvaluationResult).result
    assert [row.sentences for row in evaluation.directions] == [
        row.sentences for row in scored.artifact.result.directions
    ]
