"""The script of the study on real languages: its lines parse, and limits of time and size lose nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from typer.main import get_command

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.results import BaseTrainingResult
from lslo_cli.cli.app import app
from lslo_cli.recipe import resolve
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.setup import prepare
from lslo_cli.world import sentences
from tests.forked import Popen

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "results" / "flores-small"
RECIPES = ["flores-small", "flores-small-cpu"]
CODES = ["qta", "qso", "qki", "qka"]
TINY = {
    "langs": ",".join(CODES),
    "run.precision": "fp32",
    "run.device": "cpu",
    "base.vocabulary": 200,
    "base.encoder_layers": 1,
    "base.decoder_layers": 1,
    "base.d_model": 16,
    "base.ffn_dim": 16,
    "base.heads": 2,
    "base.max_tokens": 400,
    "base.held_out": 5,
}


@pytest.fixture
def study(load_script, monkeypatch, tmp_path):
    """The script, in an empty folder where its commands find the package."""
    module = load_script(SCRIPTS / "study.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return module


@pytest.fixture
def pretrain(tmp_path):
    """A section of text as the base is trained on."""
    folder = tmp_path / "given" / "bible"
    folder.mkdir(parents=True)
    text = sentences("train")
    for code in CODES:
        folder.joinpath(f"{code}.txt").write_text("\n".join(text[code][:80]) + "\n")
    return folder.parent


def only_the_base(study, monkeypatch):
    steps = study.Study.steps
    monkeypatch.setattr(study.Study, "steps", lambda self: [next(steps(self))])
    monkeypatch.setattr(study, "HIGH_ONLY", {})


def settings(**changes):
    return [word for key, value in {**TINY, **changes}.items() for word in ("--set", f"{key}={value}")]


def lines(output):
    return [line for line in output.splitlines() if line.startswith("lslo ")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dry_run_prints_lines_that_parse_and_writes_nothing(study, recipe, capsys, tmp_path):
    assert study.main(["--recipe", recipe, "--dry-run"]) == 0
    printed = lines(capsys.readouterr().out)
    for line in printed:
        command, arguments = get_command(app), shlex.split(line)[1:]
        context = command.make_context("lslo", list(arguments))
        while hasattr(command, "commands"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, list(rest), parent=context)
    assert [line.split()[1] for line in printed[:3]] == ["base", "weight-learn", "estimate-subspace"]
    assert sum("evaluate" in line for line in printed) == 5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_recipes_hold_what_its_schedules_need(recipe):
    assert resolve(recipe).estimation_schedule().ratio_at(resolve(recipe).fit.epochs) == pytest.approx(0.7)
    assert resolve(recipe, {"train.gps": 0.9}).training_schedule()
    assert resolve(f"{recipe}-base").base.epochs


def test_what_is_done_is_not_done_again(study, capsys):
    for step in list(study.Study("flores-small", Path("b"), Path("f")).steps())[:4]:
        step.makes.parent.mkdir(parents=True, exist_ok=True)
        step.makes.touch()
    study.main(["--dry-run"])
    assert lines(capsys.readouterr().out)[0].startswith("lslo train --method full")


def test_a_study_whose_time_is_up_goes_on_to_the_same_base(study, monkeypatch, pretrain, tmp_path, capsys):
    only_the_base(study, monkeypatch)
    flags = ["--pretrain", str(pretrain), "--flores", str(pretrain)]
    tiny = settings(**{"base.epochs": 12, "base.updates": 20, "base.warmup": 4})
    model = Path("models/flores-small/training.json")
    checkpoint = Path("models/.flores-small.training/state.pt")

    def wait(process, timeout=None):
        """Let the command work until it has a checkpoint, and then say that its time is up."""
        while timeout and not checkpoint.exists() and process.poll() is None:
            time.sleep(0.05)
        if timeout and timeout > study.GRACE and process.poll() is None:
            raise study.subprocess.TimeoutExpired(process.args, timeout)
        return popen_wait(process, timeout)

    monkeypatch.setattr(study.subprocess, "Popen", Popen)
    popen_wait = study.subprocess.Popen.wait
    with monkeypatch.context() as patch:
        patch.setattr(study.subprocess.Popen, "wait", wait)
        assert study.main([*flags, "--minutes", "9", *tiny]) == study.UNFINISHED
    assert "goes on from here" in capsys.readouterr().err
    assert checkpoint.exists() and not model.exists()
    assert study.main([*flags, *tiny]) == 0
    result = store.read(model, BaseTrainingResult).result
    assert [record.epoch for record in result.history] == list(range(1, 13))
    model.rename("stopped.json")
    assert study.main([*flags, *tiny]) == 0
    assert store.read(model, BaseTrainingResult).result == result


def test_no_command_is_begun_when_hardly_any_time_is_left(study, monkeypatch, pretrain):
    only_the_base(study, monkeypatch)
    assert study.main(["--pretrain", str(pretrain), "--flores", str(pretrain), "--minutes", "0.1"]) == 75
    assert not Path("models").exists()


def test_a_command_that_fails_ends_the_study_with_its_code(study, monkeypatch, pretrain, capfd):
    only_the_base(study, monkeypatch)
    flags = ["--pretrain", str(pretrain), "--flores", str(pretrain)]
    assert study.main([*flags, *settings(**{"base.heads": 3})]) == 2
    assert "cannot be split into 3 heads" in capfd.readouterr().err


def test_only_the_high_resource_languages_keep_the_bible(study, tmp_path):
    for name in ("bible/eng", "bible/wol", "mafand/wol"):
        path = tmp_path / "pretrain" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    study.link_bitext(tmp_path / "pretrain", Path("data/bitext"))
    there = {path.relative_to("data/bitext").as_posix() for path in Path("data/bitext").glob("*/*")}
    assert there == {"bible/eng.txt", "mafand/wol.txt"}


def test_chunks_bring_base_and_results_back_without_what_can_be_made_again(study, tmp_path, monkeypatch):
    files = {
        "models/flores-small/model.safetensors": os.urandom(300_000),
        "results/flores-small/flores-small/subspace.json": json.dumps({"digest": "0"}).encode(),
        "results/flores-small/flores-small/runs/full/adapter/adapter_model.safetensors": b"large",
        "results/flores-small/flores-small/checkpoint/weight-learn/state.pt": b"large",
    }
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    study.pack(study.Study("flores-small", Path(), Path()), Path("out"), 0.1)
    sizes = {path.name: path.stat().st_size for path in Path("out").iterdir()}
    assert len(sizes) == 4 and max(sizes.values()) <= 0.1 * 2**20
    assert all(re.fullmatch(r"study\.tar\.\d\d", name) for name in sizes)
    (tmp_path / "fresh").mkdir()
    monkeypatch.chdir(tmp_path / "fresh")
    study.unpack(tmp_path / "out")
    kept = {path.as_posix(): path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert kept == {name: content for name, content in files.items() if content != b"large"}


def test_the_loss_by_group_is_that_of_torch_and_falls_with_training(tiny, load_script, tmp_path):
    recipe = tiny.recipe(**{"train.ranks": "4,4,4", "data.train_rows": 3})
    trained_on_test = {"data.train": "test", "data.test": "train"}  # so that the loss there must fall
    trained = tiny.recipe(**{"train.ranks": "4,4,4", "data.train_rows": 3, **trained_on_test})
    folder = ExperimentFolder(tmp_path)
    tasks.train(tasks.Experiment(trained, folder, "lslo train"), run="fitted")
    loss = load_script(SCRIPTS / "loss.py")
    base, fitted = (loss.measured(recipe, folder.run(name)) for name in ("base", "fitted"))
    assert base.keys() == fitted.keys() and all(fitted[name] < base[name] for name in base)
    setup = prepare(recipe)
    total = tokens = 0
    for batch in setup.batches(setup.read("test", 3)).batches(1):
        start = torch.full_like(batch.labels[:, :1], setup.base.model.config.decoder_start_token_id)
        inputs = torch.cat([start, batch.labels[:, :-1].clamp(min=1)], dim=1)
        logits = setup.base.model(batch.input_ids, batch.attention_mask, inputs).logits
        total += F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), reduction="sum").item()
        tokens += batch.tokens
    assert min(base.values()) < total / tokens < max(base.values())
    assert base["AVG"] == pytest.approx(total / tokens, rel=0.1)  # groups differ in tokens
