"""What is refused, with nothing written."""

import errno
import json
from importlib import import_module

import pytest

from lslo_cli.errors import InputError, LsloError, RunError, UsageError, is_out_of_memory
from lslo_cli.tasks import commands as tasks

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def rewrite(path, change):
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


BAD_STRATEGY = {
    "damaged": lambda path: path.write_text("{"),
    "changed": lambda path: rewrite(path, lambda d: d["result"].update(rank=5)),
    "of another kind": lambda path: rewrite(path, lambda d: d.update(schema_id="lslo/subspace")),
    "newer": lambda path: rewrite(path, lambda d: d.update(version=99)),
    "of another base": lambda path: rewrite(path, lambda d: d["model"].update(digest="0" * 64)),
    "without a language": lambda path: rewrite(path, lambda d: d["languages"].pop()),
}
MESSAGES = {
    "damaged": "is damaged",
    "changed": "was changed after it was written",
    "of another kind": "holds lslo/subspace",
    "newer": "version 99",
    "of another base": "is stale: it was made with base model",
    "without a language": "has no data on qka",
}


@pytest.mark.parametrize("fault", BAD_STRATEGY)
def test_an_unfit_strategy_is_refused_and_nothing_is_written(finished_experiment, fault, listing):
    BAD_STRATEGY[fault](finished_experiment().folder.index_strategy)
    before = listing(finished_experiment().folder.path)
    for command in (tasks.estimate_subspace, tasks.train):
        with pytest.raises(InputError, match=MESSAGES[fault]):
            command(finished_experiment(**{**GPS, "seed": 3}))
    assert listing(finished_experiment().folder.path) == before


def test_a_stale_estimate_is_refused(finished_experiment, listing):
    tasks.weight_learn(finished_experiment(seed=3))
    before = listing(finished_experiment().folder.path)
    for command, changes in ((tasks.train, {"train.ranks": "auto"}), (tasks.prune_report, {})):
        with pytest.raises(InputError, match="subspace.json is stale.*index-strategy") as error:
            command(finished_experiment(**changes))
        assert "lslo estimate-subspace" in error.value.hint
    assert listing(finished_experiment().folder.path) == before


def test_a_stale_run_is_neither_evaluated_nor_reported(finished_experiment):
    tasks.weight_learn(finished_experiment(seed=3))
    tasks.estimate_subspace(finished_experiment())
    for command in (
        lambda: tasks.evaluate(finished_experiment(), runs=[GPS_RUN]),
        lambda: tasks.prune_report(finished_experiment()),
    ):
        with pytest.raises(InputError, match="training.json is stale") as error:
            command()
        assert error.value.hint.endswith(f"--name tiny --settings-of {GPS_RUN} --run {GPS_RUN}")


def test_damaged_or_missing_weights_are_refused(finished_experiment):
    path = finished_experiment().folder.run(GPS_RUN).path / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="is damaged"):
        tasks.evaluate(finished_experiment(), runs=[GPS_RUN], force=True)
    path.unlink()
    with pytest.raises(InputError, match="which is missing"):
        tasks.evaluate(finished_experiment(), runs=[GPS_RUN], force=True)


def test_a_run_that_does_not_exist_is_refused_with_those_that_do(finished_experiment):
    with pytest.raises(InputError, match="no run 'nope'") as error:
        tasks.evaluate(finished_experiment(), runs=["base", "nope"], force=True)
    assert error.value.hint == f"runs there: base, {GPS_RUN}, full"


def test_a_run_for_other_languages_is_refused(finished_experiment):
    with pytest.raises(UsageError, match="was trained for qta, qso, qki, qka, not qso, qta, qki, qka"):
        tasks.evaluate(finished_experiment(langs="qso,qta,qki,qka"), runs=[GPS_RUN])


@pytest.mark.parametrize("command", ["weight_learn", "estimate_subspace", "train", "evaluate", "plan"])
def test_a_results_folder_that_cannot_be_made_is_refused_at_once(experiments_in, tmp_path, command):
    (tmp_path / "results").write_text("a file")
    experiment = experiments_in(tmp_path / "results" / "tiny")(**{"model.name": "/nowhere"})
    run = getattr(tasks, command)
    with pytest.raises(InputError, match="cannot write .*results"):
        run(experiment, "train") if command == "plan" else run(experiment)


@pytest.mark.parametrize(
    "change",
    [
        {"langs": "qta,qsoo"},
        {"model.name": "/nowhere"},
        {"data.path": "/nowhere"},
        {"train.ranks": "2,8"},
        {"train.gps": 0.9, "train.gps_duration": 9},
        {"train.index": "learned"},
        {"train.ranks": "auto"},
        {"train.method": "full", "train.gps": 0.5},
        {"train.curve_rows": 2, "train.curve_groups": ["L2L"]},
        {"evaluate.metric_model": "nowhere.model", "train.curve_rows": 2},
    ],
)
def test_what_fails_before_training_leaves_nothing_behind(new_experiment, tmp_path, change):
    with pytest.raises(LsloError):
        tasks.train(new_experiment(**change))
    assert list(tmp_path.iterdir()) == []


def test_memory_running_out_is_told_with_a_way_out(new_experiment, monkeypatch):
    def exhausted(setup):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nmore")

    monkeypatch.setattr(import_module("lslo_cli.tasks.weight_learn"), "learn_weights", exhausted)
    with pytest.raises(RunError, match="memory ran out: DefaultCPUAllocator.*9 bytes.$") as error:
        tasks.weight_learn(new_experiment())
    assert "--max-tokens" in error.value.hint


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        SystemError("error return without exception set"),
        RuntimeError("could not create a primitive"),
        RuntimeError("unable to mmap 9 bytes from file <a>: Cannot allocate memory (12)"),
    ],
)
def test_memory_that_runs_out_is_known_by_all_its_names(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(OSError(errno.ENOENT, "No such file"))


def test_other_errors_pass_through(new_experiment, monkeypatch):
    def broken(setup):
        raise RuntimeError("a bug")

    monkeypatch.setattr(import_module("lslo_cli.tasks.weight_learn"), "learn_weights", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        tasks.weight_learn(new_experiment())
