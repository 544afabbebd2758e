"""The prune report."""

import pytest

from lslo_cli import tasks
from lslo_cli.artifacts.lock import locked
from lslo_cli.errors import InputError

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def test_the_report_takes_the_latest_run_with_adapters_by_language(there, heard):
    report = tasks.prune_report(there(), on_event=heard).artifact.result
    assert heard.notes == [f"reporting on run {GPS_RUN}"]
    pruned = {row.language: row.pruned / row.parameters for row in report.sizes}
    assert pruned["qka"] == 0
    assert all(pruned[code] == pytest.approx(0.9, abs=0.02) for code in ("qta", "qso", "qki"))


def test_the_lock_is_free_while_the_report_is_made(there):
    """A lock that is held would not be waited for here: the wait fails at once."""
    experiment, heard = there(), []

    def listen(event):
        with locked(experiment.folder.prune_report, on_wait=pytest.fail):
            heard.append(event)

    written = tasks.prune_report(experiment, on_event=listen)
    assert heard and written.path.is_file()


def test_a_report_has_the_seed_of_its_estimate(fresh):
    tasks.estimate_subspace(fresh(seed=5))
    written = tasks.prune_report(fresh(seed=6))
    assert written.artifact.seed == 5


def test_a_report_has_the_languages_of_its_estimate(there, finished):
    written = tasks.prune_report(there(**{"languages.qka": {"resource": "low", "bitext": 5}}))
    assert written.artifact.languages == finished[1]["subspace.json"].languages


def test_without_a_run_the_report_is_on_the_estimate_alone(fresh):
    tasks.estimate_subspace(fresh())
    written = tasks.prune_report(fresh())
    assert written.artifact.result.run is None
    assert [item.role for item in written.artifact.inputs] == ["subspace"]


def test_without_an_estimate_there_is_no_report(fresh, tmp_path):
    with pytest.raises(InputError, match="no subspace at"):
        tasks.prune_report(fresh())
    assert list(tmp_path.iterdir()) == []
