"""Dry runs."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from lslo_cli.errors import InputError, LsloError
from lslo_cli.models.checkpoint import Checkpoint
from lslo_cli.tasks import commands as tasks

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


@pytest.mark.parametrize(
    "command", ["weight-learn", "estimate-subspace", "train", "evaluate", "prune-report"]
)
def test_a_plan_writes_nothing(finished_experiment, tmp_path, command, listing):
    before = listing(tmp_path)
    plan = tasks.plan(finished_experiment(**GPS), command)
    assert plan.title == command
    assert plan.files
    assert listing(tmp_path) == before


def test_a_plan_makes_no_folder(new_experiment, tmp_path):
    tasks.plan(new_experiment(**GPS), "train")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_names_the_files_that_the_command_then_writes(new_experiment):
    for command, changes in (("train", GPS), ("train", {"train.method": "full"}), ("weight-learn", {})):
        plan = tasks.plan(new_experiment(**changes), command)
        getattr(tasks, command.replace("-", "_"))(new_experiment(**changes))
        assert all(path.exists() for path in plan.files)


def test_a_plan_counts_what_the_run_then_trains(new_experiment):
    plan = tasks.plan(new_experiment(**GPS), "train")
    result = tasks.train(new_experiment(**GPS)).artifact.result
    assert sum(row[3] for row in plan.parameters) == result.trainable_parameters
    assert {row[0]: row[2] for row in plan.parameters} == result.ranks
    facts = dict(plan.facts)
    assert facts["trainable"].startswith(f"{result.trainable_parameters:,} parameters")
    assert "counted as the paper does" not in facts
    assert facts["updates"].startswith(f"3 epochs of {result.history[0].updates:,},")
    assert facts["pruned by epoch"] == "0.00, 0.79, 0.90"


def test_a_plan_has_no_schedule_where_nobody_is_pruned(new_experiment):
    low = {f"languages.{code}.resource": "very-low" for code in ("qta", "qso", "qki", "qka")}
    for classes, pruned in (("high", False), ("very-low", True)):
        plan = tasks.plan(new_experiment(**low, **{"train.gps_classes": [classes]}), "train")
        assert ("pruned by epoch" in dict(plan.facts)) == pruned


def test_a_plan_of_an_evaluation_is_of_the_runs_that_are_named(finished_experiment):
    folder = finished_experiment().folder
    plan = tasks.plan(finished_experiment(), "evaluate", runs=[GPS_RUN])
    assert dict(plan.facts)["runs"] == GPS_RUN
    assert plan.files == (folder.run(GPS_RUN).evaluation,)
    plan = tasks.plan(finished_experiment(), "evaluate", runs=["base", GPS_RUN])
    assert dict(plan.facts)["runs"] == f"base, {GPS_RUN}"
    assert plan.files == (folder.run("base").evaluation, folder.run(GPS_RUN).evaluation)


@pytest.mark.parametrize(
    ("command", "change", "rest"),
    [
        ("train", {"train.gps": 0.9, "train.gps_duration": 9}, {}),
        ("train", {"train.ranks": "2,8"}, {}),
        ("train", {"train.index": "learned"}, {}),
        ("train", {"train.method": "full", "train.gps": 0.5}, {}),
        ("train", {}, {"run": "a/b"}),
        ("train", {"data.path": "/nowhere"}, {}),
        ("estimate-subspace", {"estimate_subspace.duration": 9}, {}),
        ("evaluate", {}, {"runs": ["nope"]}),
        ("evaluate", {"evaluate.directions": ["qta-qle"]}, {}),
        ("evaluate", {"evaluate.metric_model": "nowhere.model"}, {}),
        ("train", {"train.curve_rows": 2, "train.curve_groups": ["L2L"]}, {}),
        ("prune-report", {}, {}),
    ],
)
def test_a_plan_fails_where_the_command_would(new_experiment, tmp_path, command, change, rest):
    with pytest.raises(LsloError):
        tasks.plan(new_experiment(**change), command, **rest)
    assert list(tmp_path.iterdir()) == []


def other_weights(model):
    path = model / "model.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(path).items()}, path)


def other_settings(model):
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(settings | {"activation_function": "gelu"}))


@pytest.mark.parametrize("change", [other_weights, other_settings])
def test_the_plan_of_an_evaluation_refuses_a_run_of_another_base(finished_experiment, tiny, tmp_path, change):
    copy = shutil.copytree(tiny.base, tmp_path / "copy")
    on_copy = finished_experiment(**{"model.name": str(copy)})
    tasks.plan(on_copy, "evaluate")
    change(copy)
    with pytest.raises(InputError, match="is stale: it was made with ") as planned:
        tasks.plan(on_copy, "evaluate", runs=[GPS_RUN])
    with pytest.raises(InputError) as refused:
        tasks.evaluate(on_copy, runs=[GPS_RUN])
    assert planned.value.message == refused.value.message


def test_an_evaluation_is_planned_without_the_weights_of_the_base(finished_experiment, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the weights were read")

    expected = dict(tasks.plan(finished_experiment(), "evaluate").facts)
    monkeypatch.setattr(Checkpoint, "load_weights", refuse)
    monkeypatch.setattr(Checkpoint, "digest", refuse)
    facts = dict(tasks.plan(finished_experiment(), "evaluate").facts)
    assert facts == expected and int(facts["base model"].split()[-2].replace(",", "")) > 1000
