"""``lslo evaluate`` of a folder, as typed."""

import json
import shlex

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.cli.commands.evaluate import _next as next_step
from lslo_cli.method.languages import LANG12, LANGUAGES, groups

GROUPS = groups([LANGUAGES[code] for code in LANG12])


@pytest.fixture
def adapters(lslo, tmp_path):
    """The folder of adapters that a short training left."""
    short = (
        "--set",
        "fit.epochs=1",
        "--langs",
        "qta,qki",
        "--set",
        "data.train_rows=8",
        "--curve-groups",
        "qta-qki",
    )
    run = lslo("train", "--recipe", "demo", "--ranks", "2,8", *short, "--results", str(tmp_path))
    assert run.exit_code == 0, run.stderr
    assert "next: lslo evaluate" in run.stderr  # not prune-report, which needs an estimate
    return tmp_path / "demo" / "runs" / "2-8" / "adapter"


def test_a_folder_is_planned_and_evaluated_under_a_name_of_its_own(lslo, adapters, tmp_path):
    line = ("evaluate", "--run", str(adapters), "--data", "world", "--name", "shared", "--test-rows", "2")
    line += ("--results", str(tmp_path))
    planned = lslo(*line, "--dry-run")
    assert planned.exit_code == 0, planned.stderr
    assert "4 sentences in 2 directions" in planned.stdout + planned.stderr
    assert not (tmp_path / "shared").exists()
    assigned = lslo(*line, "--dry-run", "--set", "evaluate.beam=1", "--recipe", "lang12")
    assert "beam 1" in assigned.stdout + assigned.stderr
    assert "so --recipe lang12 has no effect on it" in assigned.stderr.replace("\n", " ")
    flagged = lslo(*line, "--dry-run", "--set", "evaluate.beam=1", "--beam", "2", "--quiet")
    assert "beam 2" in flagged.stdout + flagged.stderr
    text = ("translate", "--run", str(adapters), "--src", "qta", "--tgt", "qki", "--results", str(tmp_path))
    export = ("export", "--run", str(adapters), "--to", "exported", "--results", str(tmp_path))
    for command in (line, text, export):
        unknown = lslo(*command, "--set", "evaluate.nonsense=3")
        assert unknown.exit_code == 2 and "unknown key 'evaluate.nonsense'" in unknown.stderr
    run = lslo(*line)
    assert run.exit_code == 0, run.stderr
    written = json.loads((tmp_path / "shared" / "runs" / "2-8" / "evaluation.json").read_text())
    assert written["result"]["run"] == "2-8" and len(written["result"]["directions"]) == 2
    assert not (adapters.parent / "evaluation.json").exists()
    then = shlex.split(run.stderr.strip().rpartition("next: lslo ")[2])
    assert then == ["report", "--results", str(tmp_path), "--name", "shared", str(tmp_path / "shared")]
    assert lslo(*then).exit_code == 0


def test_what_comes_next_is_what_the_scores_allow(written, tmp_path):
    folder, of = ExperimentFolder(tmp_path), written(tmp_path)
    scores = dict.fromkeys(GROUPS, 1.0)
    assert next_step(folder) == ("evaluate",)
    assert next_step(folder, "--run", "there") == ("evaluate", "--run", "there")
    of.evaluation("base", scores)
    assert next_step(folder) == ("train",)
    of.evaluation("shared", scores)
    assert next_step(folder) == ("plot directions", "--run", "shared")
    of.training("2-2-8")
    of.evaluation("2-2-8", scores)
    assert next_step(folder) == ("plot directions",)
    of.evaluation("2-2-8", scores, beam=1)
    assert next_step(folder) == ("evaluate", "--force")
    (tmp_path / "runs/base/evaluation.json").unlink()
    assert next_step(folder) == ("evaluate", "--force")
    of.evaluation("2-2-8", scores)
    assert next_step(folder) == ("report", tmp_path)
