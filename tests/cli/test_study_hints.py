"""The lines that commands name where an experiment's folder holds the seeds of a study."""

import shutil
import sys
from pathlib import Path

import pytest

import lslo_cli.reproduce
from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Input
from lslo_cli.cli.command_options import options_of
from lslo_cli.cli.commands.train import _has_fresh_estimate as has_fresh_estimate
from lslo_cli.method.languages import groups


def stale(experiment, run, command="lslo train", **train):
    """Train a run by these settings from an index that is another one now."""
    path = experiment.training(run)
    (experiment.path / "index-strategy.json").write_text('{"digest": "new"}')
    artifact = store.read(path, TrainingResult)
    update = {
        "inputs": [Input(role="index-strategy", path="../../index-strategy.json", digest="old")],
        "recipe": {**artifact.recipe, "train": train},
        "made": artifact.made.model_copy(update={"command": command}),
    }
    store.write(path, artifact.model_copy(update=update))


@pytest.fixture
def study(written, tmp_path):
    """Two seeds below ``out/st``, as ``lslo reproduce --seeds 1,2`` leaves them, and their recipe."""
    (tmp_path / "st.toml").write_text('name = "st"\nlangs = "lang12"\n')
    seeds = {seed: written(tmp_path / f"out/st/seed-{seed}", seed=seed) for seed in (1, 2)}
    for seed in seeds.values():
        seed.training("2-2-8")
        seed.evaluation("base", dict.fromkeys(groups(seed.languages), 20.0))
    return seeds


@pytest.fixture
def line(lslo):
    """The line at the end of what a command refuses with."""

    def line(*words):
        refused = lslo(*words)
        assert refused.exit_code in (2, 3), refused.output
        return " ".join(refused.stderr.split()).rpartition(": lslo ")[2]

    return line


IN_SEED_1 = "--recipe st.toml --results out/st --name seed-1"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("plot epochs", f"train {IN_SEED_1} --seed 1 --curve-rows 50"),
        ("plot schedule", f"train {IN_SEED_1} --seed 1 --gps 0.9"),
        ("plot heatmap", f"estimate-subspace {IN_SEED_1} --seed 1"),
        ("plot directions", f"evaluate {IN_SEED_1} --seed 1"),
        ("compare 2-2-8 base", f"evaluate {IN_SEED_1} --seed 1 --run 2-2-8 --run base"),
        ("diff base 2-2-8", f"diff {IN_SEED_1} base 2-2-8"),
    ],
)
def test_a_line_works_on_a_seed_and_not_beside_the_seeds(study, line, asked, named):
    assert line(*asked.split(), "--recipe", "st.toml") == named


@pytest.mark.parametrize("asked", ["report", "plot schedule --text", "compare 2-2-8 base"])
def test_what_lies_beside_the_seeds_of_a_study_is_said_to_be_left_out(study, written, lslo, tmp_path, asked):
    note = "left out seed 3 in out/st itself: with folders seed-N/ only these are read (N = 1, 2)"
    cells = dict.fromkeys(groups(study[1].languages), 20.0)
    for seed in study.values():
        seed.training("2-2-8-gps0.9")
        seed.evaluation("2-2-8", cells)
    assert note not in lslo(*asked.split(), "--recipe", "st.toml").stderr
    written(tmp_path / "out/st", seed=3).training("2-2-8")
    done = lslo(*asked.split(), "--recipe", "st.toml")
    assert note in done.stderr, done.output


def test_the_line_of_diff_leads_to_one_that_evaluates_in_that_seed(study, line):
    followed = line(*line("diff", "base", "2-2-8", "--recipe", "st.toml").split())
    assert followed == f"evaluate {IN_SEED_1} --seed 1 --run base"


def test_a_stale_run_is_trained_again_in_its_own_seed_with_its_settings(study, line):
    stale(study[2], "hs", ranks="2,2,16")
    place = "--recipe st.toml --results out/st --name seed-2 --seed 2"
    for asked in ("report", "plot schedule"):
        named = line(*asked.split(), "--recipe", "st.toml")
        assert named == f"train {place} --settings-of hs --run hs"


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("out/of/seed-7", "--results out/of --name seed-7"),
        ("out/seed-7/mine", "--results out/seed-7 --name mine"),
    ],
)
def test_an_experiment_that_only_has_the_name_of_a_seed_keeps_its_own(written, line, tmp_path, folder, place):
    experiment = written(tmp_path / folder, seed=2)
    experiment.training("2-2-8")
    (tmp_path / folder / "experiment.toml").write_text("[given]\nseed = 2\n")
    stale(experiment, "2-2-8", ranks="2,2,8")
    assert line("report", folder) == f"train {place} --settings-of 2-2-8 --run 2-2-8"
    experiment.evaluation("2-2-8", dict.fromkeys(groups(experiment.languages), 20.0))
    (tmp_path / folder / "runs/2-2-8/evaluation.json").write_text("damaged")
    assert line("report", folder) == f"evaluate {place}"


def test_what_a_study_made_is_made_again_by_the_line_of_the_study(study, line):
    command = "lslo reproduce all --recipe st.toml --seeds 1,2"
    stale(study[2], "full", command)
    assert f"lslo {line('report', 'out/st')}" == command


def test_no_run_with_a_curve_is_not_called_no_run(study, lslo):
    refused = lslo("plot", "epochs", "--recipe", "st.toml")
    assert "no run has a quality curve" in refused.stderr


@pytest.mark.parametrize("asked", ["report", "plot schedule", "compare hs base"])
def test_a_stale_run_outside_a_study_has_its_name_and_settings_in_the_line(written, line, tmp_path, asked):
    one = written(tmp_path / "out/lang12")
    stale(one, "hs", ranks="2,2,16", gps=0.5)
    for run in ("base", "hs"):
        one.evaluation(run, dict.fromkeys(groups(one.languages), 20.0))
    assert line(*asked.split()) == "train --name lang12 --settings-of hs --run hs"


@pytest.mark.parametrize("model", ["other-model", "world"])
def test_the_line_of_a_study_has_what_the_environment_set(lslo, monkeypatch, tmp_path, model):
    (tmp_path / "tiny.toml").write_text('langs = "lang12"\n[data]\npath = "own"\n')
    variables = {"RECIPE": "tiny.toml", "RESULTS": "rr", "MODEL": model, "DATA": "text"}
    for name, value in variables.items():
        monkeypatch.setenv(f"LSLO_{name}", value)
    words = ["reproduce", "table-4", "--seeds=1", "--name", "st"]
    monkeypatch.setattr(sys, "argv", ["lslo", *words])
    recorded = []
    monkeypatch.setattr(lslo_cli.reproduce, "execute", lambda jobs, *_: recorded.extend(jobs.values()))
    assert lslo(*words, "--quiet").exit_code == 0
    given = f"--recipe tiny.toml --results rr --model {model}"  # not --data, of which the recipe has its own
    lines = {job.experiment.command for job in recorded}
    assert {" ".join(sorted(line.split())) for line in lines} == {
        " ".join(sorted(f"lslo {' '.join(words)} {given}".split()))
    }


@pytest.mark.parametrize(
    ("where", "asked", "place"),
    [
        ("", "elsewhere/mine", "--results elsewhere --name mine"),
        ("elsewhere/mine", ".", "--results .. --name mine"),
        ("elsewhere/seed-2", ".", "--results .. --name seed-2 --seed 2"),
    ],
)
def test_the_lines_of_a_report_on_a_folder_work_there(
    written, line, lslo, monkeypatch, tmp_path, where, asked, place
):
    folder = written(tmp_path / (where or asked))
    training, cells = folder.training("2-2-8"), dict.fromkeys(groups(folder.languages), 20.0)
    folder.evaluation("base", cells)
    monkeypatch.chdir(tmp_path / where)
    reported = " ".join(lslo("report", asked, "--table", "9").stdout.split())
    assert f"make one: lslo prune-report {place.partition(' --seed')[0]}" in reported
    upstream = Input(role="training", path="training.json", digest="old")
    folder.evaluation("2-2-8", cells, inputs=[upstream])
    assert line("report", asked) == f"evaluate {place}"
    stale(folder, "2-2-8", ranks="2,2,8")
    (training.parent / "evaluation.json").unlink()
    assert line("report", asked) == f"train {place} --settings-of 2-2-8 --run 2-2-8"


def test_a_training_is_followed_by_a_report_only_on_an_estimate_that_is_not_stale(tmp_path):
    results = Path(__file__).parents[2] / "results/demo/seed-2"
    assert not has_fresh_estimate(tmp_path / "subspace.json")
    for name in ("subspace.json", "index-strategy.json"):
        shutil.copy(results / name, tmp_path / name)
    assert has_fresh_estimate(tmp_path / "subspace.json")
    (tmp_path / "index-strategy.json").write_text("{}")
    assert not has_fresh_estimate(tmp_path / "subspace.json")


@pytest.mark.parametrize("name", ["flare evaluate", "flare translate", "base info", "recipe"])
def test_a_command_that_reads_seeds_may_suggest_any_other(study, name):
    assert options_of("plot heatmap")(recipe="st.toml").in_seed(name) in ([], IN_SEED_1.split()[2:])
