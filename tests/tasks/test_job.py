"""What is up to date and kept, and what is made again."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import IndexStrategyResult
from lslo_cli.errors import InputError
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.freshness import seems_current
from lslo_cli.world import WORLD

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def test_what_is_up_to_date_is_kept(finished_experiment, finished, heard):
    written = [
        tasks.weight_learn(finished_experiment(), reuse=True, on_event=heard),
        tasks.estimate_subspace(finished_experiment(), reuse=True, on_event=heard),
        tasks.train(finished_experiment(**GPS), reuse=True, on_event=heard),
        *tasks.evaluate(finished_experiment(), on_event=heard),
    ]
    assert all(item.up_to_date for item in written)
    assert heard.tasks == []


def test_without_reuse_a_stage_runs_again_and_gives_the_same(finished_experiment, finished):
    written = tasks.weight_learn(finished_experiment())
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
        {"run.tf32": True},
    ],
)
def test_what_was_made_with_other_settings_is_made_again(finished_experiment, change):
    assert not tasks.weight_learn(finished_experiment(**change), reuse=True).up_to_date


def test_neither_a_familys_name_nor_a_bitext_size_trains_again_and_a_class_does(finished_experiment):
    entry = {"resource": str(WORLD["qki"].resource), "family": "Other", "bitext": 5}
    assert tasks.weight_learn(finished_experiment(**{"languages.qki": entry}), reuse=True).up_to_date
    other = finished_experiment(**{"languages.qki": entry | {"resource": "low"}})
    assert not tasks.weight_learn(other, reuse=True).up_to_date


def test_settings_of_other_stages_make_nothing_stale(finished_experiment):
    assert tasks.weight_learn(finished_experiment(**GPS, **{"evaluate.beam": 1}), reuse=True).up_to_date


def test_another_text_to_test_on_makes_nothing_stale(finished_experiment):
    for changes in ({"data.test_rows": 2}, {"data.test": "other"}):
        experiment = finished_experiment(**GPS, **changes)
        assert tasks.weight_learn(experiment, reuse=True).up_to_date
        assert tasks.estimate_subspace(experiment, reuse=True).up_to_date
        assert tasks.train(experiment, reuse=True).up_to_date


def test_the_same_text_in_another_folder_makes_nothing_stale(finished_experiment, tiny, tmp_path):
    moved = finished_experiment(**{"data.path": str(shutil.copytree(tiny.text, tmp_path / "text"))})
    assert tasks.weight_learn(moved, reuse=True).up_to_date
    assert all(written.up_to_date for written in tasks.evaluate(moved))
    path = moved.folder.index_strategy
    assert not seems_current(path, IndexStrategyResult, moved.recipe)  # which reads no text


def test_a_run_with_a_quality_curve_is_kept_too(finished_experiment):
    changes = {**GPS, "train.curve_rows": 2}
    assert not tasks.train(finished_experiment(**changes), reuse=True).up_to_date
    assert tasks.train(finished_experiment(**changes), reuse=True).up_to_date


def test_what_was_made_from_another_upstream_is_made_again(finished_experiment):
    tasks.weight_learn(finished_experiment(seed=3))
    assert not tasks.estimate_subspace(finished_experiment(), reuse=True).up_to_date
    assert not tasks.train(finished_experiment(**GPS), reuse=True).up_to_date


def test_what_was_made_from_other_text_is_made_again(finished_experiment, tiny, tmp_path):
    text = tmp_path / "text"
    shutil.copytree(tiny.text, text)
    changes = {"data.path": str(text)}
    tasks.weight_learn(finished_experiment(**changes))
    assert tasks.weight_learn(finished_experiment(**changes), reuse=True).up_to_date
    path = text / "train/qso.train"
    path.write_text("taro\n" + "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]))
    assert not tasks.weight_learn(finished_experiment(**changes), reuse=True).up_to_date


def test_what_was_made_with_another_base_model_is_made_again(finished_experiment, tiny, tmp_path):
    shutil.copytree(tiny.base, tmp_path / "base")
    state = load_file(tmp_path / "base/model.safetensors")
    state["model.shared.weight"][5] += 1
    save_file(state, tmp_path / "base/model.safetensors", metadata={"format": "pt"})
    assert not tasks.weight_learn(
        finished_experiment(**{"model.name": str(tmp_path / "base")}), reuse=True
    ).up_to_date


@pytest.fixture
def edited(tiny, tmp_path):
    """The tiny base with other values in its config.json."""

    def edited(**changes):
        base = tmp_path / "base"
        shutil.copytree(tiny.base, base, dirs_exist_ok=True)
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        (base / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
        return {"model.name": str(base)}

    return edited


HEADS = {"encoder_attention_heads": 1}


@pytest.mark.parametrize(
    "change",
    [HEADS, {"decoder_attention_heads": 4}, {"scale_embedding": False}, {"activation_function": "gelu"}],
)
def test_a_base_model_that_computes_something_else_with_the_same_weights_is_another_one(
    finished_experiment, edited, change
):
    assert tasks.weight_learn(finished_experiment(**edited(dropout=0.5)), reuse=True).up_to_date
    assert not tasks.weight_learn(finished_experiment(**edited(**change)), reuse=True).up_to_date


def test_a_training_is_not_continued_on_a_base_whose_config_was_edited(new_experiment, edited):
    def interrupt(event):
        if getattr(event, "note", "").startswith("epoch 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tasks.weight_learn(new_experiment(**edited()), on_event=interrupt)
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        tasks.weight_learn(new_experiment(**edited(**HEADS)), resume=True)


def test_what_was_made_from_a_config_that_was_edited_is_stale_and_says_so(finished_experiment, edited):
    with pytest.raises(InputError, match="is stale: .*encoder_attention_heads = 2, .* has 1") as error:
        tasks.evaluate(finished_experiment(**edited(**HEADS)), runs=[GPS_RUN])
    assert "lslo train" in error.value.hint


def test_an_artifact_from_before_settings_were_recorded_stays_current(finished_experiment, edited):
    path = finished_experiment().folder.index_strategy
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["model"].pop("settings")["encoder_attention_heads"] == 2
    path.write_text(json.dumps(document), encoding="utf-8")
    assert tasks.weight_learn(finished_experiment(), reuse=True).up_to_date
    assert tasks.weight_learn(finished_experiment(**edited(**HEADS)), reuse=True).up_to_date


@pytest.mark.parametrize("damage", ["weights", "artifact"])
def test_a_damaged_run_is_made_again(finished_experiment, damage):
    folder = finished_experiment().folder.run(GPS_RUN)
    path = folder.path / "adapter" / "adapter_model.safetensors" if damage == "weights" else folder.training
    path.write_bytes(path.read_bytes()[:-20])
    assert not tasks.train(finished_experiment(**GPS), reuse=True).up_to_date
    assert tasks.train(finished_experiment(**GPS), reuse=True).up_to_date


@pytest.mark.parametrize(
    "change",
    [
        {"evaluate.beam": 1},
        {"data.test_rows": 2},
        {"evaluate.directions": ["qta-qka"]},
        {"evaluate.mode": "plain"},
    ],
)
def test_an_evaluation_with_other_settings_is_made_again(finished_experiment, change):
    (written,) = tasks.evaluate(finished_experiment(**change), runs=["base"])
    assert not written.up_to_date


def test_an_evaluation_with_another_metric_is_made_again(finished_experiment, tiny, tmp_path):
    """Without a metric model in the recipe it is FLORES-101's where that is on disk, and else another."""
    changes = {"evaluate.metric_model": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SACREBLEU", str(tmp_path))
        tasks.evaluate(finished_experiment(**changes), runs=["base"])
        assert tasks.evaluate(finished_experiment(**changes), runs=["base"])[0].up_to_date
    path = finished_experiment().folder.run("base").evaluation
    artifact = store.read(path, EvaluationResult)
    other = artifact.result.model_copy(update={"metric_model_sha256": "0" * 64})
    store.write(
        path,
        artifact.model_copy(update={"result": other, "digest": digest_of(other.model_dump(mode="json"))}),
    )
    assert not tasks.evaluate(finished_experiment(**changes), runs=["base"])[0].up_to_date


def test_force_evaluates_again(finished_experiment):
    (written,) = tasks.evaluate(finished_experiment(), runs=["base"], force=True)
    assert not written.up_to_date


def test_a_run_that_was_trained_again_is_evaluated_again_and_the_others_are_not(finished_experiment):
    tasks.train(finished_experiment(**{**GPS, "seed": 3}))
    written = tasks.evaluate(finished_experiment())
    assert [item.path.parent.name for item in written if not item.up_to_date] == [GPS_RUN]
