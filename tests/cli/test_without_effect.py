"""Flags that another makes meaningless are refused; settings that a recipe has for all its runs are not."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.cli.commands.train import show_run
from lslo_cli.recipe import resolve

TRAIN = ("train", "--recipe", "demo", "--quiet", "--dry-run")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--ranks 2,2,8 --gps 0 --budget 1000", "--budget 1000 has no effect with --ranks 2,2,8"),
        ("--budget 1000", "--budget 1000 has no effect with --ranks 2,2,8"),
        ("--ranks 2,2,8 --subspace no.json", "--subspace no.json has no effect with --ranks 2,2,8"),
        ("--ranks 8,8,8 --set train.rule=gain", "--set train.rule=gain has no effect with --ranks 8,8,8"),
        ('--ranks 8,8,8 --set train={rule="gain"}', "has no effect with --ranks 8,8,8"),
        ("--method full --ranks 2,2,8", "--ranks 2,2,8 has no effect with --method full"),
        ("--method full --index target", "--index target has no effect with --method full"),
        ("--method full --sites fc", "--sites fc has no effect with --method full"),
        ("--method full --span all", "--span all has no effect with --method full"),
        ("--method full --set fit.lr=1e-4", "--set fit.lr=1e-4 has no effect with --method full"),
        ("--set fit.lr_full=1e-4", "--set fit.lr_full=1e-4 has no effect with --method lslo"),
        ("--method lora --index target", "--index target has no effect with --method lora"),
        ("--method lora --ranks 8 --budget 1000", "--budget 1000 has no effect with --method lora"),
        ("--set train.method=lora --gps-start 1 --gps 0", "--gps-start 1 has no effect with --method lora"),
        ("--ranks 2,2,8 --prune-targets B", "--prune-targets B has no effect with --gps 0"),
        ("--gps 0 --set train.gps-duration=2", "--set train.gps-duration=2 has no effect with --gps 0"),
        ("--gps auto --gps-classes high", "--gps-classes high has no effect with --gps auto"),
        ("--curve-rows 0 --curve-groups H2H", "--curve-groups H2H has no effect with --curve-rows 0"),
    ],
)
def test_a_flag_without_effect_is_refused_with_one_that_gives_it_an_effect(lslo, line, said):
    run = lslo(*TRAIN, *line.split())
    printed = " ".join(run.stderr.split())
    assert run.exit_code == 2, run.output
    assert said in printed
    advice = re.findall(r"--[\w-]+ [\w.]+", printed.partition("hint:")[2])
    for option in (words.split()[0] for words in advice):  # its value takes the place of another
        line = re.sub(rf"{option} \S+", "", line)
    followed = lslo(*TRAIN, *line.split(), *" ".join(advice).split())
    assert advice and "has no effect" not in followed.output
    assert followed.exit_code == 0 or "no subspace at" in followed.output


@pytest.mark.parametrize("typed", ["--metric-model no.model", "--set evaluate.metric_model=no.model"])
def test_a_model_for_spbleu_is_refused_where_it_is_not_scored_by(lslo, typed):
    line = ("evaluate", "--recipe", "demo", "--run", "base", "--quiet", "--dry-run", *typed.split())
    refused = lslo(*line, "--metrics", "chrF")
    printed = " ".join(refused.stderr.split())
    assert refused.exit_code == 2 and f"{typed} has no effect with the metrics chrF" in printed
    advised = re.findall(r"--metrics [\w,]+", printed.partition("hint:")[2])
    assert advised == ["--metrics spBLEU,chrF"]
    assert "has no effect" not in lslo(*line, *advised[0].split()).output


def test_a_model_for_spbleu_is_refused_for_a_run_from_elsewhere_too(lslo, monkeypatch):
    of_run = SimpleNamespace(recipe=resolve("demo", {"evaluate.metrics": ["chrF"]}))
    monkeypatch.setattr("lslo_cli.tasks.evaluate_folder.run_at", lambda *given: (of_run, None, None))
    refused = lslo("evaluate", "--run", "some/where", "--metric-model", "base", "--quiet")
    assert refused.exit_code == 2 and "--metric-model base has no effect" in " ".join(refused.stderr.split())


def test_a_run_that_prunes_nobody_needs_no_time_to_prune(lslo):
    low = "--langs qki,qso --resource qki=low,qso=low --epochs 2"
    assert lslo(*TRAIN, *low.split()).exit_code == 0
    refused = lslo(*TRAIN, "--epochs", "2")
    assert refused.exit_code == 2 and "the pruning schedule does not fit" in refused.stderr


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("--method full", "full"),
        ("--method lora", "fc-lora-r8"),
        ("--ranks 2,2,8 --gps 0", "fc-2-2-8-target"),
        ("--ranks 2,2,8 --gps 0.9 --gps-start 1", "fc-2-2-8-target-gps0.9"),
    ],
)
def test_settings_of_a_recipe_are_for_those_of_its_runs_that_have_use_for_them(lslo, tmp_path, line, run):
    train = ('rule = "gain"', 'budget = "1000"', 'index = "target"', 'sites = "fc"', "gps_start = 1")
    (tmp_path / "study.toml").write_text("\n".join(('extends = "demo"', "[train]", *train)))
    done = lslo("train", "--recipe", "study.toml", "--quiet", "--dry-run", *line.split())
    assert done.exit_code == 0, done.output
    assert f"runs/{run}/training.json" in "".join(done.stdout.split())


def test_a_run_is_described_by_its_method_and_by_who_was_pruned(written, tmp_path, capsys):
    there = written(tmp_path)
    for run, settings in {
        "shared": {"method": "lora", "index_source": ""},
        "routed": {"target_ratio": 0.9},
        "pruned": {"target_ratio": 0.9, "pruned_languages": ["en", "fr"]},
    }.items():
        show_run(store.read(there.training(run, **settings), TrainingResult))
        printed = capsys.readouterr().out
        assert ("by source:" in printed) == (run != "shared")
        assert ("90% of both for en, fr" in printed) == ("90%" in printed) == (run == "pruned")
