"""FLARE as a command like the others: identity, lock, dry run, precision, and settings without effect."""

import json
import os
import shutil
from functools import partial

import pytest
import torch
from typer.testing import CliRunner

from lslo_cli.artifacts import store
from lslo_cli.artifacts.lock import locked
from lslo_cli.cli.app import app
from lslo_cli.errors import InputError, RunError, UsageError
from lslo_cli.events import Noted
from lslo_cli.flare import commands
from lslo_cli.flare.plan import plan
from lslo_cli.flare.results import FlareTrainingResult
from lslo_cli.flare.setup import FROZEN, prepare
from lslo_cli.method.flare import FlareRun
from lslo_cli.recipe import Precision

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def small(quick_flare):
    """Experiments of one seed, one language and two methods, by folder and what is changed in them."""
    return partial(quick_flare, **{"name": "small", "flare.runs": ("lora", "flare")})


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """The folder of an experiment that is trained and tested."""
    folder = tmp_path_factory.mktemp("trained")
    list(commands.train(small(folder)))
    list(commands.evaluate(small(folder)))
    return folder


@pytest.fixture
def hub(nusax_model, tmp_path, monkeypatch):
    """The task model in the cache of a hub that is switched off, as ``someone/task-model``."""
    stored = tmp_path / "hub" / "models--someone--task-model"
    shutil.copytree(nusax_model / "model", stored / "snapshots" / COMMIT)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return stored / "snapshots" / COMMIT


def test_a_model_of_the_hub_is_known_by_its_commit_and_its_weights(small, hub, tmp_path):
    of_hub = prepare(small(tmp_path, **{"flare.model": "someone/task-model"}).recipe).model_identity
    of_folder = prepare(small(tmp_path).recipe).model_identity
    assert of_hub.revision == COMMIT and of_folder.revision is None
    assert of_hub.digest == of_folder.digest
    weights = hub / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    other = prepare(small(tmp_path, **{"flare.model": "someone/task-model"}).recipe).model_identity
    assert other.digest != of_hub.digest


def test_a_folder_without_weights_has_no_identity(small, tmp_path, nusax_model):
    shutil.copytree(nusax_model / "model", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(InputError):
        _ = prepare(small(tmp_path, **{"flare.model": str(tmp_path / "model")}).recipe).model_identity


def test_every_precision_is_computed_in_its_own_format(small, tmp_path):
    assert {
        Precision.FP32: torch.float32,
        Precision.BF16: torch.bfloat16,
        Precision.FP16: torch.float16,
    } == FROZEN
    setup = prepare(small(tmp_path, **{"run.precision": "bf16"}).recipe)
    with setup.tuning() as method:
        assert {p.dtype for p in method.model.backbone.parameters() if not p.requires_grad} == {
            torch.bfloat16
        }
        assert {p.dtype for p in method.parameters()} == {torch.float32}
    with pytest.raises(UsageError, match="fp16 needs a CUDA device"):
        prepare(small(tmp_path, **{"run.precision": "fp16"}).recipe)


@pytest.mark.parametrize("run", ["lora", "input-fusion", "x-mixup", "flare", "flare:cross-attention"])
def test_in_half_precision_what_is_trained_and_its_gradients_are_float32(small, tmp_path, run):
    """On a GPU the gradients are scaled, too: here the loss is, by hand."""
    setup = prepare(small(tmp_path).recipe)
    setup.recipe = setup.recipe.model_copy(
        update={"run": setup.recipe.run.model_copy(update={"precision": Precision.FP16})}
    )
    model = setup.new_model()
    model.backbone.to(setup.dtype)
    with setup.transfer_method(model, FlareRun.parse(run), "jv") as method:
        assert method.model.backbone.dtype is torch.float16
        split = method.prepare(setup.pairs("jv", "dev"))
        (method.loss(split, range(6)) * 1024).backward()
        gradients = [parameter.grad for parameter in method.parameters() if parameter.grad is not None]
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


@pytest.mark.parametrize("run", ["lora", "input-fusion", "x-mixup", "flare", "flare:cross-attention"])
def test_recomputing_activations_changes_no_gradient(small, tmp_path, run):
    def gradients(again):
        changes = {"run.recompute": again, "flare.dropout": 0.2}
        setup = prepare(small(tmp_path, **changes).recipe)
        with setup.transfer_method(setup.new_model(), FlareRun.parse(run), "jv") as method:
            for name, parameter in enumerate(method.parameters()):
                torch.manual_seed(name)
                torch.nn.init.normal_(parameter, std=0.1)
            split = method.prepare(setup.pairs("jv", "dev"))
            method.model.train(True)
            torch.manual_seed(3)
            method.loss(split, range(6)).backward()
            return [p.grad for p in method.parameters() if p.grad is not None]

    kept, recomputed = gradients(False), gradients(True)
    assert len(kept) == len(recomputed) > 0
    assert all(map(torch.equal, kept, recomputed))


def test_results_that_cannot_be_written_are_noticed_before_a_model_is_loaded(small, tmp_path, monkeypatch):
    monkeypatch.setattr("lslo_cli.flare.setup.load_task_model", lambda *a, **k: pytest.fail("loaded"))
    (tmp_path / "results").write_text("a file, where a folder has to be")
    with pytest.raises(InputError, match="cannot write"):
        list(commands.train(small(tmp_path / "results")))


def test_an_artifact_that_another_process_makes_is_waited_for(small, trained, monkeypatch):
    heard = []
    path = trained / "seed-1" / "jv" / "training.json"
    holder = locked(path)
    holder.__enter__()

    def listen(event):
        heard.append(event)
        if event == Noted(f"waiting for another process that makes {path}"):
            holder.__exit__(None, None, None)

    assert all(written.up_to_date for written in commands.train(small(trained), listen))
    assert Noted(f"waiting for another process that makes {path}") in heard


def test_of_several_processes_only_the_main_one_writes(small, tmp_path, monkeypatch):
    experiment = small(tmp_path, **{"flare.runs": ("lora",)})
    seed = commands.SeedRun(experiment, 1, lambda event: None)
    monkeypatch.setattr(type(seed.setup.accelerator), "is_main_process", False)
    monkeypatch.setenv("RANK", "1")
    saved = []
    monkeypatch.setattr("lslo_cli.flare.runs.save_flare", lambda *a, **k: saved.append(a))
    with pytest.raises(FileNotFoundError):  # of weights that the main process would have written
        commands.tuned(seed)
    assert not saved and not list(tmp_path.rglob("*.json"))


def test_memory_that_runs_out_is_said_with_what_to_lower(small, tmp_path, monkeypatch):
    def no_memory(*arguments, **settings):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr("lslo_cli.flare.commands.tune", no_memory)
    with pytest.raises(RunError, match="memory ran out") as caught:
        list(commands.train(small(tmp_path)))
    assert "flare.batch_size" in caught.value.hint


def test_a_dry_run_names_what_would_be_written_and_writes_nothing(small, tmp_path):
    planned = plan(small(tmp_path / "new"), "train")
    assert [path.relative_to(tmp_path / "new").as_posix() for path in planned.files] == [
        "seed-1/en/training.json",
        "seed-1/jv/training.json",
    ]
    assert ("text in jv", "24 rows to train, 6 rows to dev") in planned.facts
    assert not list(tmp_path.iterdir())


def test_a_dry_run_leaves_out_what_is_up_to_date(small, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert plan(small(trained), "train").files == plan(small(trained), "evaluate").files == ()
    more = small(trained, **{"flare.runs": ("lora", "flare", "zero-shot")})
    assert [path.parent.name for path in plan(more, "train").files] == ["jv"]
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_a_dry_run_fails_where_the_run_would(small, tmp_path):
    with pytest.raises(UsageError, match="no translation model 'big'"):
        plan(small(tmp_path, **{"flare.runs": ("flare-mt:big",)}), "train")
    with pytest.raises(InputError, match="no flare-training"):
        plan(small(tmp_path), "evaluate")


def test_weights_that_are_lost_are_trained_again_and_the_others_are_kept(small, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "copy")
    path = tmp_path / "copy" / "seed-1" / "jv" / "training.json"
    before = store.read(path, FlareTrainingResult).result
    (path.parent / before.run("flare:add-relu:1").weights.path).unlink()
    written = list(commands.train(small(tmp_path / "copy")))
    assert [item.up_to_date for item in written] == [True, False]
    after = written[1].artifact.result
    assert after.run("lora") == before.run("lora")
    assert after.run("flare:add-relu:1").weights == before.run("flare:add-relu:1").weights


def test_a_training_of_another_task_model_is_not_tested(small, trained, tmp_path, nusax_model):
    model = shutil.copytree(nusax_model / "model", tmp_path / "model")
    weights = model / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(InputError, match="was made with base model"):
        list(commands.evaluate(small(trained, **{"flare.model": str(model)})))


def test_the_plan_is_printed(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = small(tmp_path).recipe.flare
    arguments = ["--data", recipe.data, "--model", recipe.model, "--targets", "jv", "--seeds", "1"]
    arguments += ["--runs", "lora", "--device", "cpu", "--dry-run", "--json"]
    run = CliRunner().invoke(app, ["flare", "train", *arguments], prog_name="lslo")
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["files"] == [
        os.path.join("out", "flare-nusax", "seed-1", language, "training.json") for language in ("en", "jv")
    ]
    assert "nothing was written" in run.stderr
