"""The studies that come with lslo: their reports are today's."""

from pathlib import Path

import pytest

import lslo_cli
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.flare.folder import is_flares
from lslo_cli.flare.reading import read_artifacts
from lslo_cli.flare.reporting import document_of_all
from lslo_cli.report.markdown import document_as_markdown

ROOT = Path(lslo_cli.__file__).parent.parent
RESULTS = ROOT / "results" / "flare-nusax-english"
REPORTS = sorted(path.relative_to(ROOT) for path in ROOT.glob("results/flare-*/**/report.md"))


@pytest.mark.parametrize(("folder", "seeds"), [(RESULTS, 5), (RESULTS / "longer-base", 5)])
def test_a_committed_study_is_reported(folder, seeds):
    found = read_artifacts([ExperimentFolder(folder)])
    assert {item.schema_id for item in found.evaluations.values()} == {"lslo/flare-evaluation"}
    assert len(found.study.seeds) == seeds
    assert len(document_of_all([ExperimentFolder(folder)]).sections[0].tables) >= 6


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("flare-demo", True), ("flare-nusax-english", True), ("flores-small/flores-small-cpu", False)],
)
def test_the_training_of_a_base_is_not_one_of_flare(folder, expected):
    assert is_flares(ExperimentFolder(ROOT / "results" / folder)) is expected


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.parent.name)
def test_a_committed_report_is_what_is_written_today(report, monkeypatch):
    monkeypatch.chdir(ROOT)
    document = document_of_all([ExperimentFolder(report.parent)])
    assert document_as_markdown(document) == report.read_text()


def test_a_study_whose_artifacts_are_of_an_unknown_kind_is_refused_with_the_line_that_makes_them(tmp_path):
    folder = tmp_path / "seed-1" / "amh"
    folder.mkdir(parents=True)
    for kind in ("training", "evaluation"):
        text = f'{{"schema_id": "lslo/transfer-{kind}", "version": 1}}'
        (folder / f"{kind}.json").write_text(text, encoding="utf-8")
    assert is_flares(ExperimentFolder(tmp_path))
    with pytest.raises(InputError) as refused:
        read_artifacts([ExperimentFolder(tmp_path)])
    held = "holds lslo/transfer-evaluation, version 1, but lslo/flare-evaluation is needed"
    assert refused.value.message == f"{folder / 'evaluation.json'} {held}"
    assert refused.value.hint == "name another file, or make it: lslo flare evaluate"
