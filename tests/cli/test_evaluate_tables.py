"""The tables that ``lslo evaluate`` prints of all runs that are there."""

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.cli.commands.evaluate import comparable
from lslo_cli.method.languages import groups
from lslo_cli.method.metrics import SPBLEU


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
