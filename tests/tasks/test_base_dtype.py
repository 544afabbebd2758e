"""A run on a base model that lies in fewer bits: what it is, and how later commands take it."""

import json

import pytest
import torch

from lslo_cli.artifacts.adapter_config import read_adapter_config
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import UsageError
from lslo_cli.flare.setup import prepare as prepare_flare
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.models.base import load_base
from lslo_cli.nn.compact import CompactLinear
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.adapter_folder import open_folder, recipe_of
from lslo_cli.tasks.export import BASE_FILE, export
from lslo_cli.tasks.freshness import seems_current
from lslo_cli.tasks.train_base import train_base
from lslo_cli.tasks.translate import open_translator
from lslo_cli.training.device import check_base_dtype

SMALLER = {"run.base_dtype": "bfloat16"}
RUN = {"train.ranks": "2,2,2", "fit.epochs": 1, "train.gps": 0}


@pytest.fixture(scope="module")
def trained(experiments_in, tmp_path_factory):
    """Experiments in a folder with a run on a base in bfloat16, which is called small."""
    finished_experiment = experiments_in(tmp_path_factory.mktemp("smaller") / "tiny")
    tasks.train(finished_experiment(**RUN, **SMALLER), run="small")
    return finished_experiment


def is_compact(setup):
    return any(isinstance(module, CompactLinear) for module in setup.base.model.modules())


def test_a_run_on_another_format_is_another_run(trained):
    folder = trained().folder.run("small")
    assert seems_current(folder.training, TrainingResult, trained(**RUN, **SMALLER).recipe)
    assert not seems_current(folder.training, TrainingResult, trained(**RUN).recipe)


def test_an_evaluation_takes_the_base_as_it_was_trained_on_and_stays_current(trained):
    (first,) = tasks.evaluate(trained(**RUN), runs=["small"])
    assert first.artifact.recipe["run"]["base_dtype"] == "bfloat16"
    (second,) = tasks.evaluate(trained(**RUN, **SMALLER), runs=["small"])
    assert second.artifact.made == first.artifact.made
    (base,) = tasks.evaluate(trained(**RUN), runs=["base"])
    assert base.artifact.recipe["run"]["base_dtype"] == "float32"


def test_translators_take_the_base_as_it_was_trained_on(trained):
    folder = trained().folder.run("small").path
    assert is_compact(open_translator(trained(**RUN), "small").setup)
    assert is_compact(open_folder(str(folder))[0])
    assert is_compact(open_folder(str(folder / "adapter"))[0])
    assert read_adapter_config(folder / "adapter").recipe["run"] == {"base_dtype": "bfloat16"}
    assert recipe_of(folder, {"run.base_dtype": "float32"}).run.base_dtype is BaseDtype.FLOAT32


def test_a_merged_export_says_what_it_was_merged_into(trained, tmp_path):
    experiment = trained(**RUN)
    difference = export(experiment, "small", tmp_path / "merged", "merged", source="qta", target="qso")
    assert difference < 1e-4
    told = json.loads((tmp_path / "merged" / BASE_FILE).read_text())
    assert told["base_dtype"] == "bfloat16"
    assert told["base_model"] == experiment.recipe.model.name
    assert told["digest"] == open_translator(experiment, "small").setup.base.identity.digest
    exported = load_base(str(tmp_path / "merged")).model
    original = load_base(experiment.recipe.model.name).model
    assert exported.dtype is torch.float32
    rounded = original.get_input_embeddings().weight.bfloat16().float()
    assert torch.equal(exported.get_input_embeddings().weight, rounded)


def test_every_stage_trains_on_it(new_experiment):
    tasks.weight_learn(new_experiment(**SMALLER, **{"weight_learn.epochs": 1}))
    written = tasks.estimate_subspace(new_experiment(**SMALLER))
    assert written.artifact.recipe["run"]["base_dtype"] == "bfloat16"


def test_where_all_weights_are_trained_it_is_refused(new_experiment, tmp_path):
    with pytest.raises(UsageError, match=r"run\.base_dtype bfloat16 is for a base model that stays frozen"):
        tasks.train(new_experiment(**SMALLER, **{"train.method": "full"}))
    with pytest.raises(UsageError, match="this trains one"):
        train_base(new_experiment(**SMALLER).recipe, tmp_path / "base", "lslo base train")
    with pytest.raises(UsageError, match="FLARE's task model"):
        prepare_flare(new_experiment(**SMALLER).recipe)


def test_after_full_fine_tuning_no_base_is_frozen(finished_experiment):
    (written,) = tasks.evaluate(finished_experiment(**SMALLER), runs=["full"])
    assert written.artifact.recipe["run"]["base_dtype"] == "float32"


def test_four_bits_are_refused_without_cuda_or_bitsandbytes(new_experiment, monkeypatch):
    with pytest.raises(UsageError, match="4bit needs CUDA and bitsandbytes; here a CUDA device") as caught:
        tasks.train(new_experiment(**{"run.base_dtype": "4bit", "train.ranks": "2,2,2"}))
    assert "lslo[4bit]" in caught.value.hint
    monkeypatch.setattr("lslo_cli.training.device.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="here bitsandbytes is missing"):
        check_base_dtype(BaseDtype.FOUR_BIT, torch.device("cuda"))
