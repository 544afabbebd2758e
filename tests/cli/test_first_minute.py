"""A machine with nothing on it: one message that can be acted on, plans without weights, refusals at once."""

import pytest

from lslo_cli.method.families import FAMILIES, HUB_NAMES, SHAPES, published

THREE_LINES = (
    ["estimate-subspace", "--langs", "lang12"],
    ["train", "--ranks", "2,2,8", "--gps", "0.9"],
    ["plot", "heatmap"],
)


@pytest.fixture(autouse=True)
def nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))


def said(result):
    return " ".join(result.stderr.split())


@pytest.mark.parametrize("line", THREE_LINES[:2], ids=" ".join)
def test_model_and_text_are_asked_for_in_one_message(lslo, line):
    result = lslo(*line)
    assert result.exit_code == 3
    for part in ("flores101_mm100_615M", "2.5 GB", "the default", "data/flores101"):
        assert part in said(result), part
    assert "lslo data fetch flores101 --to data/flores101" in said(result)
    assert "--model FOLDER" in said(result) and "--recipe demo" in said(result)


def test_a_figure_without_its_artifact_names_the_command_that_makes_it(lslo):
    result = lslo(*THREE_LINES[2])
    assert result.exit_code == 3 and "lslo estimate-subspace" in said(result)


@pytest.mark.parametrize(
    "line", [*THREE_LINES[:2], ["weight-learn"], ["train", "--method", "full"]], ids=" ".join
)
def test_a_plan_needs_neither_weights_nor_text(lslo, line, tmp_path):
    result = lslo(*line, "--dry-run")
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "614,990,848 parameters" in shown and "published shape" in shown
    assert "updates" in shown and "memory, roughly" in shown
    assert not list(tmp_path.rglob("*.json"))


def test_the_plan_of_an_evaluation_needs_neither_weights_nor_text(lslo):
    result = lslo("evaluate", "--langs", "en,fr", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "614,990,848 parameters" in result.stdout and "published shape" in result.stdout
    assert "out/en-fr/runs/base/evaluation.json" in result.stdout
    assert lslo("evaluate", "--langs", "en,kkk", "--dry-run").exit_code == 2


def test_a_plan_for_a_published_model_knows_its_languages(lslo):
    result = lslo(
        "train", "--dry-run", "--model", "facebook/mbart-large-50-many-to-many-mmt", "--langs", "en,wo"
    )
    assert result.exit_code == 3 and "many-to-many-mmt' has no token for wo" in said(result)


def test_a_plan_by_a_shape_s_name_says_which_model_runs(lslo):
    planned = lslo("train", "--dry-run", "--model", "m2m-100-418m", "--langs", "en,wo")
    assert planned.exit_code == 0 and "--model facebook/m2m100_418M" in " ".join(planned.stdout.split())
    run = lslo("evaluate", "--model", "m2m-100-418m", "--langs", "en,wo", "--run", "base")
    assert run.exit_code == 3 and "--model facebook/m2m100_418M" in said(run)


def test_the_ids_of_the_hub_are_of_models_known_by_name():
    assert set(HUB_NAMES.values()) <= set(SHAPES)
    assert all(published(name)[0] in FAMILIES.values() for name in HUB_NAMES.values())


def test_real_languages_of_the_built_in_world_are_refused_with_what_to_type(lslo):
    result = lslo("estimate-subspace", "--recipe", "demo", "--langs", "lang12")
    assert result.exit_code == 2 and "add --langs world12" in said(result)


@pytest.mark.parametrize(
    "line", [["estimate-subspace", "--langs", "world12"], *THREE_LINES[1:], ["evaluate"]], ids=" ".join
)
def test_with_the_demo_recipe_the_lines_have_all_they_need(lslo, line, monkeypatch):
    monkeypatch.setenv("LSLO_RECIPE", "demo")
    if line[0] == "plot":  # it draws what the first line estimates
        result = lslo(*line)
        assert result.exit_code == 3 and "out/demo/subspace.json" in said(result)
        return
    result = lslo(*line, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "would write" in result.stdout and "out/demo" in result.stdout


def test_a_missing_split_is_refused_before_weights_are_looked_for(lslo, write):
    text = write({"text/train.en": "a\n", "text/train.fr": "b\n"}) / "text"
    result = lslo("train", "--langs", "en,fr", "--data", str(text), "--train", "nosuch")
    assert result.exit_code == 3 and "nosuch" in said(result)


@pytest.mark.parametrize(
    "line",
    [
        ["train", "--langs", "en,frr"],
        ["train", "--langs", "en,ace"],
        ["train", "--langs", "en,fr", "--model", "world"],
        ["evaluate", "--langs", "en,fr", "--model", "./none"],
        ["train", "--langs", "en,fr", "--data", "none"],
        ["train", "--langs", "en,fr", "--model", "./none"],
        ["train", "--dry-run", "--gps", "2"],
    ],
    ids=" ".join,
)
def test_a_refusal_loads_nothing_heavy(line, python):
    code = """
import sys
from lslo_cli.cli.app import app
try:
    app(prog_name="lslo")
except SystemExit as end:
    print(end.code, {"torch", "transformers", "numpy"}.isdisjoint(sys.modules))
"""
    run = python(code, *line)
    assert run.stdout.split()[-2:] in (["2", "True"], ["3", "True"]), run.stderr
