"""Flags and settings of ``lslo flare``: what would change nothing, or makes no sense, is not accepted."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lslo_cli.cli.run import say_next
from lslo_cli.flare import translating


@pytest.mark.parametrize("flag", ["--langs", "--resource", "--add-lang", "--like", "--seed"])
def test_flags_without_effect_are_not_there(flag, lslo):
    run = lslo("flare", "train", flag, "en")
    assert run.exit_code == 2 and f"no such option: {flag}" in run.stderr


@pytest.mark.parametrize("assignment", ["fit.lr=0.1", "seed=3", "langs=en,fr", "evaluate.beam=1"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_settings_without_effect_are_refused(assignment, command, lslo):
    run = lslo("flare", command, "--set", assignment)
    assert run.exit_code == 2
    assert f"'--set {assignment}' has no effect in lslo flare" in run.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--targets", "jv,en"], "--targets cannot be ('jv', 'en'): 'en' is the source language"),
        (["--targets", "jv,su,jv"], "--targets cannot be ('jv', 'su', 'jv'): jv occurs twice"),
        (["--targets", ""], "--targets cannot be (): name at least one"),
        (["--set", "flare.languages=en"], "'flare.languages' cannot be ['en'] in --set: 'en' is the source"),
        (["--runs", "flare,flare:add-relu:1"], "flare and flare:add-relu:1 are the same run"),
        (["--runs", "flare~0.4,lora,flare~.40"], "flare~0.4 and flare~.40 are the same run"),
        (["--runs", "flare,flare~0"], "the same run where flare.train_noise = 0"),
        (["--seeds", "1,1"], "--seeds names 1 twice"),
        (["--runs", ","], "--runs cannot be (): name at least one"),
        (["--set", "flare.test_noise=0.2,0.2"], "0.2 occurs twice; name each once"),
    ],
)
@pytest.mark.parametrize("command", ["translate", "train", "evaluate"])
def test_lists_name_targets_seeds_and_runs_once_and_never_the_source(flags, said, command, lslo):
    taken = command != "translate" or flags[0] not in ("--seeds", "--runs")
    run = lslo("flare", command, *flags)
    assert run.exit_code == 2
    assert said.replace("\n", "") in " ".join(run.stderr.split()) or not taken


def test_the_source_is_no_target_of_the_worlds_task_either(lslo):
    run = lslo("flare", "train", "--recipe", "flare-demo", "--targets", "en")
    assert run.exit_code == 2 and "'en' is the source language" in run.stderr


def test_the_next_line_reads_the_translations_and_a_folder_that_is_not_read_is_refused(
    tmp_path, lslo, monkeypatch
):
    monkeypatch.setattr(translating, "translate_task", lambda *_: [])
    data = ["--task", "nusax", "--data", str(tmp_path), "--results", str(tmp_path)]
    made = lslo(
        "flare", "translate", *data, "--targets", "jv", "--model", "world", "-o", str(tmp_path / "to")
    )
    assert made.exit_code == 0, made.stderr
    line = made.stderr.rpartition("next: ")[2].split()
    assert line[:3] == ["lslo", "flare", "train"] and "flare.translated=train,test" in line
    assert f"flare.translations={tmp_path / 'to'}" in line
    given = ["--set", f"flare.translations={tmp_path}"]
    for refused in (
        lslo("flare", "train", *data, *given),
        lslo("flare", "evaluate", *data, *given),
        lslo("reproduce", "flare-nusax", *given, "--dry-run"),
    ):
        assert refused.exit_code == 2 and "no effect without flare.translated" in refused.stderr


def test_files_of_several_names_are_counted_without_a_name(capsys):
    paths = [Path("to/jv-en/test.csv.json"), Path("to/en-jv/train.csv.json")]
    written = [SimpleNamespace(path=path, up_to_date=False) for path in paths]
    say_next(SimpleNamespace(quiet=False, command=lambda *words: "lslo"), written, "flare train")
    assert "wrote 2 files under to; next: lslo" in capsys.readouterr().err
    written[1].path = Path("to/en-jv/test.csv.json")
    say_next(SimpleNamespace(quiet=False, command=lambda *words: "lslo"), written, "flare train")
    assert "wrote 2 files named test.csv.json under to;" in " ".join(capsys.readouterr().err.split())
