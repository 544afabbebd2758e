"""The prune report."""

import pytest

from lslo_cli import tasks
from lslo_cli.errors import InputError

GPS = {"train.ranks": "2,2,8", "train.gps": 0.9}
GPS_RUN = "2-2-8-gps0.9"


def test_the_report_takes_the_latest_run_with_adapters_by_language(there, heard):
    report = tasks.prune_report(there(), on_event=heard).artifact.result
    assert heard.notes == [f"reporting on run {GPS_RUN}"]
    pruned = {row.language: row.pruned / row.parameters for row in report.sizes}
    assert pruned["qka"] == 0
    assert all(pruned[code] == pytest.approx(0.9, abs=0.02) for code in ("qta", "qso", "qki"))


def test_without_a_run_the_report_is_on_the_estimate_alone(fresh):
    tasks.estimate_subspace(fresh())
    written = tasks.prune_report(fresh())
    assert written.artifact.result.run is None
    assert [item.role for item in written.artifact.inputs] == ["subspace"]


def test_without_an_estimate_there_is_no_report(fresh, tmp_path):
    with pytest.raises(InputError, match="no subspace at"):
        tasks.prune_report(fresh())
    assert list(tmp_path.iterdir()) == []
