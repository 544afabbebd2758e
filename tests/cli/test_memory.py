"""An experiment remembers what it was given: typed once, shown, overridden, and a contradiction is said."""

import json
import os
import shlex
import shutil

import pytest
from typer.main import get_command

import lslo_cli
from lslo_cli.cli.app import app
from lslo_cli.cli.commands.reproduce import ReproduceOptions
from lslo_cli.cli.commands.train import TrainOptions
from lslo_cli.cli.flags import takes
from lslo_cli.errors import InputError
from lslo_cli.recipe import given_now, read_memory
from lslo_cli.wording import Command

ARGUMENTS = ["--langs", "qta,qso,qki,qka", "--set", "fit.max_tokens=600", "--set", "run.threads=1"]


@pytest.fixture
def begun(tiny, lslo, tmp_path):
    """An experiment of which weight learning was run with everything that it needs."""
    shutil.copytree(tiny.text, tmp_path / "text")
    given = ["--model", str(tiny.base), "--data", "text", "--train", "train", "--test", "test"]
    small = ["--set", "data.train_rows=6", "--set", "weight_learn.epochs=3", "--device", "cpu"]
    result = lslo("weight-learn", *ARGUMENTS, *given, *small)
    assert result.exit_code == 0, result.output
    return tmp_path / "out" / "qta-qso-qki-qka"


def test_the_line_after_a_base_on_text_without_splits_runs(lslo, tiny, tmp_path):
    for code in ("qta", "qso"):
        (tmp_path / "flat").mkdir(exist_ok=True)
        shutil.copy(next((tiny.text / "train").glob(f"*{code}*")), tmp_path / "flat" / f"{code}.txt")
    small = [f"--set=base.{key}=16" for key in ("d_model", "ffn_dim", "updates")]
    small += ["--set=base.vocabulary=200", "--set=base.heads=2", "--set=base.held_out=2"]
    given = ["--langs", "qta,qso", "--data", "flat"]
    made = lslo("base", "train", *given, *small, "--set=base.epochs=1", "--device", "cpu", "--out", "own")
    assert made.exit_code == 0, made.output
    _, line = made.stderr.replace("\n", " ").split("next: lslo ")
    assert "base." not in line and "--train ''" in line
    then = lslo(*shlex.split(line), "--dry-run")
    assert then.exit_code == 0, then.output
    refused = lslo("weight-learn", *given, "--model", "own", "--name", "another")
    assert refused.exit_code == 3 and "with --train '', or divide" in refused.stderr.replace("\n", " ")


def test_settings_given_once_hold_for_later_commands(begun, lslo, tiny):
    memory = read_memory(begun)
    assert memory.given == {
        **{"langs": "qta,qso,qki,qka", "model.name": str(tiny.base)},
        **{"data.path": "text", "data.train": "train", "data.test": "test"},
    }
    result = lslo("train", "--dry-run")
    assert result.exit_code == 0, result.output
    said = result.stderr.replace("\n", " ")
    for taken in ("--langs qta,qso,qki,qka", "--data text", "--train train", f"--model {tiny.base}"):
        assert taken in said
    assert "as given before" in said
    assert str(begun / "runs") in result.stdout.replace("\n", "") or "qta-qso-qki-qka/runs" in result.stdout


def test_recipe_text_and_model_are_found_wherever_one_stands(lslo, tiny, tmp_path, monkeypatch):
    for name, there in (("text", tiny.text), ("base", tiny.base)):
        shutil.copytree(there, tmp_path / name)
    (tmp_path / "small.toml").write_text("[data]\ntrain_rows = 6\n[weight_learn]\nepochs = 3\n")
    typed = ["--recipe", "small.toml", "--model", "./base", "--data", "text/", "--train", "train"]
    made = lslo("weight-learn", *ARGUMENTS, *typed, "--device", "cpu")
    assert made.exit_code == 0, made.output
    again = lslo("train", *typed[2:], "--dry-run")
    assert again.exit_code == 0 and "was started with" not in again.stderr
    assert "--recipe small.toml, --langs" in again.stderr.replace("\n", " ")
    (tmp_path / "project").mkdir()
    for name in ("out", "text", "base", "small.toml"):
        (tmp_path / name).rename(tmp_path / "project" / name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = lslo("train", "--results", "../project/out", "--dry-run")
    assert moved.exit_code == 0, moved.output
    assert "--recipe ../project/small.toml" in moved.stderr.replace("\n", " ")


def test_a_dry_run_remembers_nothing(tiny, lslo, tmp_path):
    result = lslo(
        "train",
        *ARGUMENTS,
        "--model",
        str(tiny.base),
        "--data",
        str(tiny.text),
        "--train",
        "train",
        "--dry-run",
    )
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.rglob("experiment.toml"))


def test_what_is_given_now_counts_for_this_command_and_the_difference_is_said(begun, lslo, tiny):
    before = (begun / "experiment.toml").read_text()
    result = lslo("train", "--dry-run", "--data", str(tiny.text), "--seed", "5")
    assert result.exit_code == 0, result.output
    said = result.stderr.replace("\n", " ")
    assert f"--data is {tiny.text} for this command; the experiment was started with text" in said
    assert "--seed is 5 for this command; the experiment was started with 2" in said
    assert (begun / "experiment.toml").read_text() == before
    assert TrainOptions(seed=5, quiet=True).experiment().memory.given["seed"] == 2


def test_variables_are_remembered_too_and_a_later_one_counts(tiny, lslo, tmp_path, monkeypatch):
    monkeypatch.setenv("LSLO_MODEL", str(tiny.base))
    small = [
        "--data",
        str(tiny.text),
        "--train",
        "train",
        "--set",
        "weight_learn.epochs=3",
        "--device",
        "cpu",
    ]
    assert lslo("weight-learn", *ARGUMENTS, "--set", "data.train_rows=4", *small).exit_code == 0
    monkeypatch.delenv("LSLO_MODEL")
    assert lslo("train", "--dry-run").exit_code == 0
    monkeypatch.setenv("LSLO_MODEL", "elsewhere/there/is/none")
    result = lslo("train", "--dry-run")
    assert result.exit_code == 3 and "elsewhere/there/is/none" in result.stderr
    assert "the experiment was started with" in result.stderr.replace("\n", " ")


def test_the_experiment_that_was_worked_on_last_is_meant_unless_another_is_named(begun, lslo, tiny, tmp_path):
    other = tmp_path / "out" / "other"
    other.mkdir()
    (other / "experiment.toml").write_text('[given]\nname = "other"\nlangs = "qta,qso"\n')
    result = lslo(
        "train", "--dry-run", "--model", str(tiny.base), "--data", str(tiny.text), "--train", "train"
    )
    assert "out/other" in result.stdout.replace("\n", "")
    result = lslo("train", "--dry-run", "--langs", "qta,qso,qki,qka")
    assert result.exit_code == 0 and "out/other" not in result.stdout


NEW = "--langs qta,qso --add-lang tyv --like qso"


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        ("--name n-tyv", "n-tyv"),
        (f"--name n-tyv {NEW}", "n-tyv"),
        (f"--name n {NEW}", "n-tyv"),
        ("--name seed-1", "seed-1"),
        ("", "seed-1"),  # the last
        ("--name n", "n"),
        ("--name n-tyv --langs qta --add-lang kom --like qso", "n-tyv-kom"),
        (f"--name new {NEW}", "new-tyv"),
    ],
)
def test_a_name_is_that_of_a_folder_that_is_there_or_the_codes_of_new_languages_follow_it(
    flags, place, tmp_path
):
    new = '"new_languages.tyv" = "qso"\n'
    memories = {"n": "", "n-tyv": new, "seed-1": new}
    for number, (name, more) in enumerate(memories.items()):
        (tmp_path / "out" / name).mkdir(parents=True)
        file = tmp_path / "out" / name / "experiment.toml"
        file.write_text(f'[given]\nname = "n"\nlangs = "qta,qso"\n{more}')
        os.utime(file, (number, number))
    given = get_command(app).commands["train"].make_context("train", shlex.split(flags)).params
    options = TrainOptions(**given)
    recipe = options.resolve()
    assert (recipe.experiment, options.folder(recipe).path.name) == (place, place)
    settings = given_now(None, options.given(), ())
    if flags:
        assert lslo_cli.open_experiment(None, settings.given).folder.path.name == place


@pytest.mark.parametrize("content", ["[given", "given = 3", "recipe = 4", '[given]\n"no.such.key" = 1'])
def test_a_damaged_memory_is_one_clear_error(lslo, tmp_path, content):
    folder = tmp_path / "out" / "lang12"
    folder.mkdir(parents=True)
    (folder / "experiment.toml").write_text(content)
    result = lslo("train", "--dry-run")
    assert result.exit_code in (2, 3) and "experiment.toml" in result.stderr.replace("\n", "")


def test_after_full_fine_tuning_of_a_remembered_recipe_the_next_command_is_evaluate(begun, lslo, tmp_path):
    (tmp_path / "full.toml").write_text('[train]\nmethod = "full"\ngps = 0.0\n[data]\ntrain_rows = 6\n')
    memory = (begun / "experiment.toml").read_text()
    (begun / "experiment.toml").write_text(f'recipe = "full.toml"\n{memory}')
    result = lslo("train", "--epochs", "1", "--device", "cpu", "--lr", "5e-5", "--set", "run.threads=1")
    assert result.exit_code == 0, result.output
    assert "next: lslo evaluate" in result.stderr.replace("\n", " ")
    trained = json.loads((begun / "runs" / "full" / "training.json").read_text())
    assert trained["recipe"]["fit"]["lr_full"] == 5e-5


def test_a_hint_is_about_the_experiment_that_was_named_and_not_the_last_one(begun, lslo):
    chosen = ["--recipe", "demo", "--name", "other", "--results", "elsewhere"]
    refused = lslo("train", *chosen, "--ranks", "auto")
    assert refused.exit_code == 3 and "no subspace at elsewhere/other/subspace.json" in refused.stderr
    line = " ".join(refused.stderr.split()).partition("make it first: lslo ")[2]
    followed = lslo(*line.split(), "--dry-run")
    assert followed.exit_code == 0, followed.output
    assert "elsewhere/other/subspace.json" in followed.stdout.replace("\n", "")


def test_the_line_that_trains_a_stale_run_again_has_all_its_settings(begun, lslo):
    small = ["--device", "cpu", *ARGUMENTS[2:], "--set", "data.train_rows=6"]
    estimate = ["estimate-subspace", *small, "--epochs", "3", "--target-ratio", "0.5", "--start-epoch", "1"]
    estimate += ["--set", "estimate_subspace.duration=2"]
    settings = (
        "--run hs --ranks auto --gps auto --set train.rule=kept --lr 0.015 --epochs 6 --keep best "
        "--dev-rows 2 --seed 5 --set train.gps_start=3 --gps-duration 2 "
        "--set adapters.initialisation=gaussian"
    )
    for typed in (estimate, ["train", *settings.split(), *small], [*estimate, "--mean-rank", "3"]):
        made = lslo(*typed)
        assert made.exit_code == 0, made.output
    training = begun / "runs" / "hs" / "training.json"
    before = json.loads(training.read_text())["recipe"]
    refused = lslo("report", str(begun))
    line = " ".join(refused.stderr.split()).partition("make it again: lslo ")[2]
    assert line == f"train --results {begun.parent} --name {begun.name} --settings-of hs --run hs"
    machine = ("--device", "cpu", "--set", "run.threads=1")
    followed = lslo(*line.split(), *machine)
    assert followed.exit_code == 0 and "no effect" not in followed.output, followed.output
    assert lslo("show", str(training)).exit_code == 0
    after = json.loads(training.read_text())["recipe"]
    assert {**after, "name": before["name"]} == before
    other = ("train", "--results", str(begun.parent), "--name", begun.name, *machine)
    varied = lslo(*other, "--settings-of", "hs", "--run", "slower", "--lr", "0.003")
    assert varied.exit_code == 0, varied.output
    slower = json.loads((begun / "runs" / "slower" / "training.json").read_text())["recipe"]
    assert slower.pop("fit") == {**after["fit"], "lr": 0.003}
    assert slower == {key: value for key, value in after.items() if key != "fit"}
    curve = ("plot", "epochs", "--results", str(begun.parent), "--name", begun.name, "--run", "slower")
    line = " ".join(lslo(*curve).stderr.split()).rpartition("a curve: lslo ")[2]
    assert line.endswith("--settings-of slower --run slower --curve-rows 50")
    followed = lslo(*line.split(), *machine)
    assert followed.exit_code == 0, followed.output
    assert lslo(*curve, "--text").exit_code == 0
    planned = lslo(*other, "--settings-of", "hs", "--set", "fit.epochs=7", "--hold-out", "1", "--dry-run")
    assert planned.exit_code == 0 and "7 epochs of 1" in planned.output, planned.output
    unknown = lslo(*other, "--settings-of", "hz")
    assert unknown.exit_code == 3 and f"no run 'hz' in {begun}" in unknown.stderr.replace("\n", "")
    assert "hs, slower" in unknown.stderr


@pytest.mark.parametrize(
    ("classes", "resource", "is_said"),
    [("text", "text", True), ("text", None, False), ("text", "tr=low", False), ("given", "text", False)],
)
def test_asking_for_classes_by_the_text_again_is_said_to_change_none(
    tmp_path, capsys, classes, resource, is_said
):
    (tmp_path / "en-tr").mkdir()
    remembered = f'langs = "en,tr"\nclasses = "{classes}"\n"languages.tr.resource" = "very-low"\n'
    (tmp_path / "en-tr" / "experiment.toml").write_text(f"[given]\n{remembered}")
    TrainOptions(results=tmp_path, langs="en,tr", resource=resource).resolve()
    said = " ".join(capsys.readouterr().err.split())
    assert ("counted once" in said and "to count again, remove languages.tr.resource from" in said) == is_said


def test_a_suggested_command_gets_the_flags_that_chose_the_experiment_and_a_whole_line_stays_as_it_is():
    @takes(TrainOptions)
    def refused(options):
        raise InputError("stale", "make it again", line)

    for suggested, hint in (
        (Command("evaluate", "--force"), "make it again: lslo evaluate --name mine --force"),
        (Command("evaluate", "--run", "a b"), "make it again: lslo evaluate --name mine --run 'a b'"),
        (Command("train", "--name", "other"), "make it again: lslo train --name other"),
        ("lslo train --run x", "make it again: lslo train --run x"),
        ("", "make it again"),
    ):
        line = suggested
        with pytest.raises(InputError) as error:
            refused(name="mine")
        assert error.value.hint == hint


def test_a_setting_that_a_suggested_command_sets_is_not_repeated_nor_one_without_effect_in_it():
    options = ReproduceOptions(
        targets=["flare-demo"],
        assignments=["flare.runs=lora", "flare.epochs=1", "evaluate.beam=1", "flare.test_noise=0"],
    )
    assert options.command("flare train", "--runs", "flare") == (
        "lslo flare train --recipe flare-demo --set flare.epochs=1 --set flare.test_noise=0 --runs flare"
    )
    line = options.command("flare evaluate", "--set", "flare.test_noise=0,0.4")
    assert line.count("flare.test_noise") == 1
