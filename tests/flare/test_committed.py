"""Artifacts from before ``flare`` was the one name are still read: the study that comes with lslo."""

from pathlib import Path

import pytest

import lslo_cli
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.flare.reporting import read_report

RESULTS = Path(lslo_cli.__file__).parent.parent / "results" / "flare-nusax-english"


@pytest.mark.parametrize(("folder", "seeds"), [(RESULTS, 5), (RESULTS / "longer-base", 5)])
def test_a_committed_study_is_reported(folder, seeds):
    found = read_report(ExperimentFolder(folder))
    assert {item.schema_id for item in found.artifacts} == {"lslo/transfer-evaluation"}
    assert len(found.study.seeds) == seeds
    assert len(found.section().tables) >= 6
