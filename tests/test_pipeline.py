"""All stages in a row on a tiny base model: what they write, what they refuse, what they leave alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lslo_cli import pipeline
from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.schema import EvaluationResult, IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError, LsloError, RunError, UsageError
from lslo_cli.events import Noted, Started
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index
from lslo_cli.pipeline import Experiment, run_name

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"
ROLES = {
    "index-strategy.json": [],
    "subspace.json": ["index-strategy"],
    f"runs/{GPS_RUN}/training.json": ["index-strategy"],
    "runs/full/training.json": [],
    "prune-report.json": ["subspace", "training"],
    "runs/base/evaluation.json": [],
    f"runs/{GPS_RUN}/evaluation.json": ["training"],
    "runs/full/evaluation.json": ["training"],
}


def run_all(experiment):
    """The six commands but plot, with the main run and a baseline; what each wrote."""
    written = [
        pipeline.weight_learn(experiment()),
        pipeline.estimate_subspace(experiment()),
        pipeline.train(experiment(**GPS)),
        pipeline.train(experiment(**{"train.method": "full"})),
        pipeline.prune_report(experiment(), run=GPS_RUN),
        *pipeline.evaluate(experiment()),
    ]
    return {str(item.path.relative_to(item_folder(item))): item.artifact for item in written}


def item_folder(item):
    return next(path for path in item.path.parents if (path / "index-strategy.json").exists())


def experiments(tiny, folder):
    """Makes experiments in ``folder``, with other settings by dotted key."""
    return lambda **changes: Experiment(tiny.recipe(**changes), ExperimentFolder(folder), "lslo test")


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A folder in which everything has run, and the artifacts by path. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "tiny"
    return folder, run_all(experiments(tiny, folder))


@pytest.fixture
def there(tiny, finished, tmp_path):
    """Experiments in a copy of the finished folder, which may be changed."""
    shutil.copytree(finished[0], tmp_path / "tiny")
    return experiments(tiny, tmp_path / "tiny")


@pytest.fixture
def fresh(tiny, tmp_path):
    """Experiments in a folder that does not exist yet."""
    return experiments(tiny, tmp_path / "results" / "tiny")


def listing(folder):
    """Every path below a folder with its content."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def notes_of(events):
    return [event.text for event in events if isinstance(event, Noted)]


def trained(events):
    """Which tasks trained or translated."""
    return [event.task for event in events if isinstance(event, Started)]


# What is written


def test_every_command_writes_its_artifact_and_leaves_no_checkpoint(finished):
    folder, artifacts = finished
    assert set(artifacts) == set(ROLES)
    for path in ROLES:
        assert (folder / path).is_file()
    assert not [path for path in folder.rglob("*") if "checkpoint" in path.name or path.name.startswith(".")]


def test_artifacts_chain_by_digest(finished):
    folder, artifacts = finished
    for path, roles in ROLES.items():
        inputs = artifacts[path].inputs
        assert [item.role for item in inputs] == roles
        for item in inputs:
            upstream = ((folder / path).parent / item.path).resolve().relative_to(folder.resolve())
            assert item.digest == artifacts[str(upstream)].digest


def test_what_is_read_back_is_what_was_written(finished):
    folder, artifacts = finished
    for path, artifact in artifacts.items():
        assert store.read(folder / path, type(artifact.result)) == artifact


def test_artifacts_say_which_model_text_and_command_they_come_from(finished, tiny):
    artifacts = finished[1]
    assert len({artifact.model.digest for artifact in artifacts.values()}) == 1
    training = artifacts[f"runs/{GPS_RUN}/training.json"]
    assert [(item.split, item.limit) for item in training.data] == [("train", 6)]
    assert training.made.command == "lslo test"
    assert training.made.device == "cpu, 1 threads"
    assert training.recipe["train"]["gps"] == 0.9
    assert artifacts["prune-report.json"].made.device == "cpu"
    assert artifacts["prune-report.json"].data == artifacts["subspace.json"].data
    assert [(item.split, item.limit) for item in artifacts["runs/base/evaluation.json"].data] == [("test", 3)]


def test_hypotheses_stand_beside_the_evaluation_line_by_line(finished):
    folder, artifacts = finished
    files = sorted((folder / "runs/full/hypotheses").iterdir())
    assert len(files) == 12
    assert all(len(path.read_text(encoding="utf-8").splitlines()) == 3 for path in files)
    digests = {artifacts[path].result.hypotheses_digest for path in ROLES if path.endswith("evaluation.json")}
    assert len(digests) == 3


def test_running_everything_again_elsewhere_gives_the_same_results(finished, fresh):
    again = run_all(fresh)
    assert {path: artifact.digest for path, artifact in again.items()} == {
        path: artifact.digest for path, artifact in finished[1].items()
    }


def test_pruned_languages_have_exactly_the_sparsity_that_was_asked_for(finished):
    state = load_file(finished[0] / f"runs/{GPS_RUN}/adapter/adapter_model.safetensors")
    for name, tensor in state.items():
        pruned = 0 if ".qka." in name else round(0.9 * tensor.numel())
        assert int((tensor == 0).sum()) == pruned, name


# Resuming


@pytest.mark.parametrize("command", ["weight_learn", "estimate_subspace", "train"])
def test_an_interrupted_command_is_resumed_to_the_same_result(fresh, tmp_path, command):
    run = getattr(pipeline, command)
    changes = {**GPS, "train.curve_rows": 1, "fit.dropout": 0.3}
    expected = run(fresh(**changes))
    shutil.move(tmp_path / "results", tmp_path / "first")

    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 3/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(fresh(**changes), on_event=interrupt)
    assert not expected.path.exists()
    events = []
    resumed = run(fresh(**changes), resume=True, on_event=events.append)
    assert resumed.artifact.digest == expected.artifact.digest
    assert any(note.startswith("resuming") and "after epoch 2 of 3" in note for note in notes_of(events))
    assert not list((tmp_path / "results").rglob("state.pt"))


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
def test_the_checkpoint_of_a_run_with_other_settings_is_refused(fresh, change):
    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 2/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.train(fresh(**GPS), run="one", on_event=interrupt)
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        pipeline.train(fresh(**{**GPS, **change}), run="one", resume=True)


# Up to date


def test_what_is_up_to_date_is_kept(there, finished):
    events = []
    written = [
        pipeline.weight_learn(there(), reuse=True, on_event=events.append),
        pipeline.estimate_subspace(there(), reuse=True, on_event=events.append),
        pipeline.train(there(**GPS), reuse=True, on_event=events.append),
        *pipeline.evaluate(there(), on_event=events.append),
    ]
    assert all(item.up_to_date for item in written)
    assert trained(events) == []


def test_without_reuse_a_stage_runs_again_and_gives_the_same(there, finished):
    written = pipeline.weight_learn(there())
    assert not written.up_to_date
    assert written.artifact.digest == finished[1]["index-strategy.json"].digest


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 3},
        {"fit.lr": 0.01},
        {"weight_learn.rank": 4},
        {"data.train_rows": 5},
        {"langs": "qta,qso,qki"},
        {"languages": {"qki": {"resource": "low"}}},
        {"run.precision": "bf16"},
    ],
)
def test_what_was_made_with_other_settings_is_made_again(there, change):
    assert not pipeline.weight_learn(there(**change), reuse=True).up_to_date


def test_settings_of_other_stages_make_nothing_stale(there):
    assert pipeline.weight_learn(there(**GPS, **{"evaluate.beam": 1}), reuse=True).up_to_date


def test_a_run_with_a_quality_curve_is_kept_too(there):
    changes = {**GPS, "train.curve_rows": 2}
    assert not pipeline.train(there(**changes), reuse=True).up_to_date
    assert pipeline.train(there(**changes), reuse=True).up_to_date


def test_what_was_made_from_another_upstream_is_made_again(there):
    pipeline.weight_learn(there(seed=3))
    assert not pipeline.estimate_subspace(there(), reuse=True).up_to_date
    assert not pipeline.train(there(**GPS), reuse=True).up_to_date


def test_what_was_made_from_other_text_is_made_again(there, tiny, tmp_path):
    text = tmp_path / "text"
    shutil.copytree(tiny.text, text)
    changes = {"data.path": str(text)}
    pipeline.weight_learn(there(**changes))
    assert pipeline.weight_learn(there(**changes), reuse=True).up_to_date
    path = text / "train/qso.train"
    path.write_text("taro\n" + "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]))
    assert not pipeline.weight_learn(there(**changes), reuse=True).up_to_date


def test_what_was_made_with_another_base_model_is_made_again(there, tiny, tmp_path):
    shutil.copytree(tiny.base, tmp_path / "base")
    state = load_file(tmp_path / "base/model.safetensors")
    state["model.shared.weight"][5] += 1
    save_file(state, tmp_path / "base/model.safetensors", metadata={"format": "pt"})
    assert not pipeline.weight_learn(there(**{"model.name": str(tmp_path / "base")}), reuse=True).up_to_date


@pytest.mark.parametrize("damage", ["weights", "artifact"])
def test_a_damaged_run_is_made_again(there, damage):
    folder = there().folder.run(GPS_RUN)
    path = folder.weights if damage == "weights" else folder.training
    path.write_bytes(path.read_bytes()[:-20])
    assert not pipeline.train(there(**GPS), reuse=True).up_to_date
    assert pipeline.train(there(**GPS), reuse=True).up_to_date


@pytest.mark.parametrize(
    "change",
    [
        {"evaluate.beam": 1},
        {"data.test_rows": 2},
        {"evaluate.directions": ["qta-qka"]},
        {"evaluate.mode": "plain"},
    ],
)
def test_an_evaluation_with_other_settings_is_made_again(there, change):
    (written,) = pipeline.evaluate(there(**change), runs=["base"])
    assert not written.up_to_date


def test_an_evaluation_with_another_metric_is_made_again(there, tiny, tmp_path):
    """Without a metric model in the recipe it is FLORES-101's where that is on disk, and else another."""
    changes = {"evaluate.metric_model": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SACREBLEU", str(tmp_path))
        pipeline.evaluate(there(**changes), runs=["base"])
        assert pipeline.evaluate(there(**changes), runs=["base"])[0].up_to_date
    path = there().folder.run("base").evaluation
    artifact = store.read(path, EvaluationResult)
    other = artifact.result.model_copy(update={"metric_model_sha256": "0" * 64})
    store.write(
        path,
        artifact.model_copy(update={"result": other, "digest": digest_of(other.model_dump(mode="json"))}),
    )
    assert not pipeline.evaluate(there(**changes), runs=["base"])[0].up_to_date


def test_force_evaluates_again(there):
    (written,) = pipeline.evaluate(there(), runs=["base"], force=True)
    assert not written.up_to_date


def test_a_run_that_was_trained_again_is_evaluated_again_and_the_others_are_not(there):
    pipeline.train(there(**{**GPS, "seed": 3}))
    written = pipeline.evaluate(there())
    assert [item.path.parent.name for item in written if not item.up_to_date] == [GPS_RUN]


# Index and ranks


def index_of(written):
    return written.artifact.result.index


@pytest.mark.parametrize(
    ("index", "encoder"),
    [("paper", ["source", "source"]), ("source", ["source", "source"]), ("target", ["target", "target"])],
)
def test_an_index_can_be_named(fresh, index, encoder):
    written = pipeline.train(fresh(**{"train.ranks": "2,2,8", "train.index": index}))
    assert index_of(written) == {
        "encoder.1": encoder[0],
        "encoder.2": encoder[1],
        "decoder.1": "target",
        "decoder.2": "target",
    }
    assert written.artifact.inputs == []
    assert written.artifact.result.index_source == index


def test_the_learned_index_is_used_where_there_is_one_and_else_the_papers(fresh, there, finished):
    events = []
    assert pipeline.train(fresh(**GPS), on_event=events.append).artifact.result.index_source == "paper"
    assert any("using the paper's" in note for note in notes_of(events))
    events.clear()
    written = pipeline.train(there(**GPS), on_event=events.append)
    learned = {row.layer: row.index for row in finished[1]["index-strategy.json"].result.layers}
    assert index_of(written) == learned
    assert any(note.startswith("index strategy: ") for note in notes_of(events))


def test_an_index_can_be_a_file_of_another_experiment(fresh, finished):
    folder, artifacts = finished
    changes = {**GPS, "train.index": str(folder / "index-strategy.json")}
    written = pipeline.train(fresh(**changes))
    (item,) = written.artifact.inputs
    assert item.digest == artifacts["index-strategy.json"].digest
    assert (written.path.parent / item.path).resolve() == (folder / "index-strategy.json").resolve()


def test_without_a_learned_index_asking_for_it_names_the_command_that_makes_it(fresh):
    with pytest.raises(InputError, match="no index-strategy at") as error:
        pipeline.train(fresh(**{**GPS, "train.index": "learned"}))
    assert "lslo weight-learn" in error.value.hint


def test_a_misspelt_index_is_a_usage_error_with_the_nearest(fresh):
    with pytest.raises(UsageError, match="unknown index 'sorce'.*source"):
        pipeline.train(fresh(**{**GPS, "train.index": "sorce"}))


def test_the_estimate_uses_the_index_that_it_is_told(fresh):
    written = pipeline.estimate_subspace(fresh(**{"estimate_subspace.index": "source"}))
    assert written.artifact.inputs == []


def test_an_estimate_by_language_lies_beside_the_other(there, finished):
    written = pipeline.estimate_subspace(there(**{"estimate_subspace.pool": "language"}))
    assert written.path.name == "subspace-language.json"
    assert store.read(there().folder.subspace, SubspaceResult) == finished[1]["subspace.json"]


def test_ranks_come_from_the_estimate_when_asked_or_when_there_is_one(there, finished):
    estimate = finished[1]["subspace.json"]
    for changes in ({"train.ranks": "auto"}, {}):
        written = pipeline.train(there(**changes))
        assert written.path.parent.name == "auto"
        assert written.artifact.result.ranks == estimate.result.ranks
        assert written.artifact.input_digest("subspace") == estimate.digest


def test_ranks_can_come_from_another_file(fresh, finished):
    written = pipeline.train(fresh(), subspace=finished[0] / "subspace.json")
    assert written.artifact.input_digest("subspace") == finished[1]["subspace.json"].digest


def test_without_an_estimate_the_papers_ranks_are_used_and_auto_is_refused(fresh):
    events = []
    written = pipeline.train(fresh(), on_event=events.append)
    assert written.artifact.result.ranks == {"qta": 2, "qso": 2, "qki": 2, "qka": 8}
    assert written.path.parent.name == "2-2-8"
    assert any("using 2,2,8" in note for note in notes_of(events))
    with pytest.raises(InputError, match="no subspace at") as error:
        pipeline.train(fresh(**{"train.ranks": "auto"}))
    assert "lslo estimate-subspace" in error.value.hint


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"train.method": "full"}, "full"),
        ({"train.method": "lora"}, "lora-r8"),
        ({"train.method": "lora", "train.ranks": "64"}, "lora-r64"),
        ({"train.ranks": "2,2,8"}, "2-2-8"),
        ({"train.ranks": "2; 2; 8"}, "2-2-8"),
        (GPS, GPS_RUN),
        ({"train.ranks": "2,2,8", "train.sites": "fc"}, "fc-2-2-8"),
        ({"train.ranks": "2,2,8", "train.index": "source"}, "2-2-8-source"),
        ({"train.ranks": "2,2,8", "train.index": "other/strategy.json"}, "2-2-8-strategy"),
        ({"train.ranks": "qta=2,very-low=16,medium=4,high=2"}, "qta2-very-low16-medium4-high2"),
        ({}, "2-2-8"),
    ],
)
def test_a_run_is_named_after_what_sets_it_apart(fresh, changes, name):
    assert run_name(fresh(**changes)) == name


@pytest.mark.parametrize("name", ["base", "a/b", "..", "/tmp"])
def test_a_run_cannot_take_any_name(fresh, name, tmp_path):
    with pytest.raises(UsageError, match="a run cannot be named"):
        pipeline.train(fresh(**GPS), run=name)
    assert list(tmp_path.iterdir()) == []


def test_one_lora_takes_one_rank(fresh):
    with pytest.raises(UsageError, match="one LoRA for all languages has one rank, not --ranks 2,2,8"):
        pipeline.train(fresh(**{"train.method": "lora", "train.ranks": "2,2,8"}))
    written = pipeline.train(fresh(**{"train.method": "lora"}))
    assert written.path.parent.name == "lora-r8"
    (evaluation,) = pipeline.evaluate(fresh(), runs=["lora-r8"])
    assert evaluation.artifact.input_digest("training") == written.artifact.digest


# Refusals


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
    "without a language": "knows nothing about qka",
}


@pytest.mark.parametrize("fault", BAD_STRATEGY)
def test_an_unfit_strategy_is_refused_and_nothing_is_written(there, fault):
    BAD_STRATEGY[fault](there().folder.index_strategy)
    before = listing(there().folder.path)
    for command in (pipeline.estimate_subspace, pipeline.train):
        with pytest.raises(InputError, match=MESSAGES[fault]):
            command(there(**{**GPS, "seed": 3}))
    assert listing(there().folder.path) == before


def test_a_stale_estimate_is_refused(there):
    pipeline.weight_learn(there(seed=3))
    before = listing(there().folder.path)
    for command, changes in ((pipeline.train, {"train.ranks": "auto"}), (pipeline.prune_report, {})):
        with pytest.raises(InputError, match="subspace.json is stale.*index-strategy") as error:
            command(there(**changes))
        assert "lslo estimate-subspace" in error.value.hint
    assert listing(there().folder.path) == before


def test_a_stale_run_is_neither_evaluated_nor_reported(there):
    pipeline.weight_learn(there(seed=3))
    pipeline.estimate_subspace(there())
    for command in (
        lambda: pipeline.evaluate(there(), runs=[GPS_RUN]),
        lambda: pipeline.prune_report(there()),
    ):
        with pytest.raises(InputError, match="training.json is stale") as error:
            command()
        assert f"lslo train --run {GPS_RUN}" in error.value.hint


def test_damaged_or_missing_weights_are_refused(there):
    path = there().folder.run(GPS_RUN).weights
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="is damaged"):
        pipeline.evaluate(there(), runs=[GPS_RUN], force=True)
    path.unlink()
    with pytest.raises(InputError, match="which is missing"):
        pipeline.evaluate(there(), runs=[GPS_RUN], force=True)


def test_a_run_that_does_not_exist_is_refused_with_those_that_do(there):
    with pytest.raises(InputError, match="no run 'nope'") as error:
        pipeline.evaluate(there(), runs=["base", "nope"], force=True)
    assert error.value.hint == f"runs there: base, {GPS_RUN}, full"


def test_a_run_for_other_languages_is_refused(there):
    with pytest.raises(UsageError, match="was trained for qta, qso, qki, qka, not qso, qta, qki, qka"):
        pipeline.evaluate(there(langs="qso,qta,qki,qka"), runs=[GPS_RUN])


@pytest.mark.parametrize("command", ["weight_learn", "estimate_subspace", "train", "evaluate", "plan"])
def test_a_results_folder_that_cannot_be_made_is_refused_at_once(tiny, tmp_path, command):
    (tmp_path / "results").write_text("a file")
    experiment = experiments(tiny, tmp_path / "results" / "tiny")(**{"model.name": "/nowhere"})
    run = getattr(pipeline, command)
    with pytest.raises(InputError, match="cannot write to .*results"):
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
def test_what_fails_before_training_leaves_nothing_behind(fresh, tmp_path, change):
    with pytest.raises(LsloError):
        pipeline.train(fresh(**change))
    assert list(tmp_path.iterdir()) == []


def test_memory_running_out_is_told_with_a_way_out(fresh, monkeypatch):
    def exhausted(setup):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nmore")

    monkeypatch.setattr("lslo_cli.pipeline.training.weight_learn_stage", exhausted)
    with pytest.raises(RunError, match="memory ran out: DefaultCPUAllocator.*9 bytes.$") as error:
        pipeline.weight_learn(fresh())
    assert "--max-tokens" in error.value.hint


def test_other_errors_pass_through(fresh, monkeypatch):
    def broken(setup):
        raise RuntimeError("a bug")

    monkeypatch.setattr("lslo_cli.pipeline.training.weight_learn_stage", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        pipeline.weight_learn(fresh())


# The report


def test_the_report_takes_the_latest_run_with_adapters_by_language(there):
    events = []
    report = pipeline.prune_report(there(), on_event=events.append).artifact.result
    assert notes_of(events) == [f"reporting on run {GPS_RUN}"]
    pruned = {row.language: row.pruned / row.parameters for row in report.sizes}
    assert pruned["qka"] == 0
    assert all(pruned[code] == pytest.approx(0.9, abs=0.02) for code in ("qta", "qso", "qki"))


def test_without_a_run_the_report_is_on_the_estimate_alone(fresh):
    pipeline.estimate_subspace(fresh())
    written = pipeline.prune_report(fresh())
    assert written.artifact.result.run is None
    assert [item.role for item in written.artifact.inputs] == ["subspace"]


def test_without_an_estimate_there_is_no_report(fresh, tmp_path):
    with pytest.raises(InputError, match="no subspace at"):
        pipeline.prune_report(fresh())
    assert list(tmp_path.iterdir()) == []


# Evaluation


def test_notes_about_the_metric_come_once_for_all_runs(there, tmp_path, monkeypatch):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    events = []
    pipeline.evaluate(there(**{"evaluate.metric_model": None}), on_event=events.append)
    assert len([note for note in notes_of(events) if "no FLORES-101" in note]) == 1


def test_evaluating_before_training_scores_the_base_model(fresh):
    (written,) = pipeline.evaluate(fresh())
    assert written.artifact.result.run == "base"


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


def test_an_interrupted_base_is_resumed(tiny, tmp_path):
    def interrupt(event):
        if isinstance(event, Noted) and event.text.startswith("epoch 1"):
            interrupt.seen = True
        elif getattr(interrupt, "seen", False):
            raise KeyboardInterrupt

    recipe, out = tiny.recipe(**{"base.updates": 10}), tmp_path / "base"
    with pytest.raises(KeyboardInterrupt):
        pipeline.train_base(recipe, out, "lslo", on_event=interrupt)
    assert not out.exists()
    events = []
    resumed = pipeline.train_base(recipe, out, "lslo", resume=True, on_event=events.append)
    whole = pipeline.train_base(recipe, tmp_path / "whole", "lslo")
    assert "resuming base training after epoch 1 of 2" in notes_of(events)
    assert resumed.artifact.digest == whole.artifact.digest
    assert resumed.artifact.model.digest == whole.artifact.model.digest


# Several processes


SCRIPT = """
import json, sys
from pathlib import Path
from accelerate import PartialState
from lslo_cli import pipeline
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.pipeline import Experiment
from lslo_cli.recipe import Recipe

recipe = Recipe.model_validate_json(sys.argv[1])
experiment = Experiment(recipe, ExperimentFolder(Path(sys.argv[2])), "lslo test")
events = []
pipeline.train(experiment, run="two", on_event=events.append)
pipeline.evaluate(experiment, runs=["two"], on_event=events.append)
assert bool(events) == PartialState().is_main_process
PartialState().destroy_process_group()
"""


def test_two_processes_write_what_one_does(fresh, tmp_path):
    exact = {**GPS, "fit.dropout": 0.0, "fit.attention_dropout": 0.0, "train.curve_rows": 2}
    alone = pipeline.train(fresh(**{**exact, "fit.accumulate": 2}), run="one").artifact.result
    (scored,) = pipeline.evaluate(fresh(), runs=["one"])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    experiment = fresh(**exact)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    arguments = [script, experiment.recipe.model_dump_json(), experiment.folder.path]
    done = subprocess.run(
        [*launch, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    folder = experiment.folder.run("two")
    together = store.read(folder.training, TrainingResult).result
    assert [r.loss for r in together.history] == pytest.approx([r.loss for r in alone.history], abs=1e-4)
    assert together.nonzero_parameters == alone.nonzero_parameters
    assert len(together.curve.points) == len(alone.curve.points)
    states = [load_file(experiment.folder.run(name).weights) for name in ("one", "two")]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=0.01)
    evaluation = store.read(folder.evaluation, EvaluationResult).result
    assert [row.sentences for row in evaluation.directions] == [
        row.sentences for row in scored.artifact.result.directions
    ]


# Dry run


@pytest.mark.parametrize(
    "command", ["weight-learn", "estimate-subspace", "train", "evaluate", "prune-report"]
)
def test_a_plan_writes_nothing(there, tmp_path, command):
    before = listing(tmp_path)
    plan = pipeline.plan(there(**GPS), command)
    assert plan.title == command
    assert plan.files
    assert listing(tmp_path) == before


def test_a_plan_makes_no_folder(fresh, tmp_path):
    pipeline.plan(fresh(**GPS), "train")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_names_the_files_that_the_command_then_writes(fresh):
    for command, changes in (("train", GPS), ("train", {"train.method": "full"}), ("weight-learn", {})):
        plan = pipeline.plan(fresh(**changes), command)
        getattr(pipeline, command.replace("-", "_"))(fresh(**changes))
        assert all(path.exists() for path in plan.files)


def test_a_plan_counts_what_the_run_then_trains(fresh):
    plan = pipeline.plan(fresh(**GPS), "train")
    result = pipeline.train(fresh(**GPS)).artifact.result
    assert sum(row[3] for row in plan.parameters) == result.trainable_parameters
    assert {row[0]: row[2] for row in plan.parameters} == result.ranks
    facts = dict(plan.facts)
    assert facts["trainable"].startswith(f"{result.trainable_parameters:,} parameters")
    assert facts["counted as the paper does"] == f"{result.trainable_parameters_paper_style:,}"
    assert facts["updates"].startswith(f"3 epochs of {result.history[0].updates:,},")
    assert facts["pruned by epoch"] == "0.00, 0.79, 0.90"


def test_a_plan_of_an_evaluation_can_be_of_one_run(there):
    plan = pipeline.plan(there(), "evaluate", run=GPS_RUN)
    assert dict(plan.facts)["runs"] == GPS_RUN
    assert plan.files == (there().folder.run(GPS_RUN).evaluation,)


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
        ("evaluate", {}, {"run": "nope"}),
        ("evaluate", {"evaluate.directions": ["qta-qle"]}, {}),
        ("evaluate", {"evaluate.metric_model": "nowhere.model"}, {}),
        ("train", {"train.curve_rows": 2, "train.curve_groups": ["L2L"]}, {}),
        ("prune-report", {}, {}),
    ],
)
def test_a_plan_fails_where_the_command_would(fresh, tmp_path, command, change, rest):
    with pytest.raises(LsloError):
        pipeline.plan(fresh(**change), command, **rest)
    assert list(tmp_path.iterdir()) == []


def test_the_strategies_of_a_finished_experiment_are_those_of_its_depth(finished):
    result = store.read(finished[0] / "index-strategy.json", IndexStrategyResult).result
    strategy = result.strategy()
    assert {layer.stack for layer in strategy.by_layer} == set(Stack)
    assert set(strategy.by_layer.values()) <= set(Index)
