"""The tables that ``lslo evaluate`` prints of all runs that are there."""

import json

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import Input
from lslo_cli.cli.commands.evaluate import comparable, show_scores
from lslo_cli.method.languages import groups
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.recipe import Recipe
from lslo_cli.tasks.experiment import Experiment


def test_runs_that_were_measured_differently_share_no_table(written, tmp_path):
    experiment = written(tmp_path)
    cells = dict.fromkeys(groups(experiment.languages), 20.0)
    found = [
        store.read(experiment.evaluation(run, cells), EvaluationResult) for run in ("base", "full", "8-8-8")
    ]
    full = found[1].result.model_copy(update={"search": {"beam": 1, "mode": "fairseq"}})
    found[1] = found[1].model_copy(update={"result": full})
    tables = comparable(found, SPBLEU)
    assert [[result.run for result in table] for table in tables] == [["base", "8-8-8"], ["full"]]


@pytest.mark.parametrize("damage", ["is stale: it was made from another training", "is damaged"])
def test_a_score_of_an_earlier_training_or_of_a_damaged_file_is_left_out_and_named(
    written, tmp_path, capsys, damage
):
    experiment, shown = written(tmp_path), Experiment(Recipe(), ExperimentFolder(tmp_path), "lslo test")
    cells = dict.fromkeys(groups(experiment.languages), 20.0)
    experiment.evaluation("base", cells)
    digest = json.loads(experiment.training("full").read_text(encoding="utf-8"))["digest"]
    made_from = Input(role="training", path="training.json", digest=digest)
    evaluation = experiment.evaluation("full", cells, inputs=[made_from])
    show_scores(shown, [], [SPBLEU])
    said = capsys.readouterr()
    assert "full" in said.out and said.err == ""
    if "stale" in damage:
        experiment.training("full", trainable_parameters=1)
    else:
        evaluation.write_text("{", encoding="utf-8")
    show_scores(shown, [], [SPBLEU])
    said = capsys.readouterr()
    assert "base" in said.out and "full" not in said.out
    assert f"left out: {evaluation} {damage}" in said.err.replace("\n", "")
