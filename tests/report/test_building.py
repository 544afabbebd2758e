import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import groups
from lslo_cli.report.building import TABLES, Format, build, write
from lslo_cli.report.reading import read_studies


def test_a_report_has_findings_every_table_and_other_runs(written, tmp_path):
    experiment = written(tmp_path).table(1)
    experiment.evaluation("full-lr2e-4", dict.fromkeys(groups(experiment.languages), 20.0))
    (section,) = build(read_studies([tmp_path])).sections
    assert [table.number for table in section.tables] == [None, *TABLES, None]
    findings, *_, others = section.tables
    assert findings.title.startswith("Findings") and others.title.startswith("Other runs: spBLEU")
    assert [row[0] for row in others.rows] == ["full-lr2e-4"]
    assert section.title == "lang12: m2m-124-615m, 12 languages"


def test_chosen_tables_come_alone_with_their_findings(written, tmp_path):
    (section,) = build(read_studies([written(tmp_path).table(3).path]), [3, 1]).sections
    assert [table.number for table in section.tables] == [None, 1, 3]
    (section,) = build(read_studies([tmp_path]), [7]).sections
    assert [table.number for table in section.tables] == [7]


def test_a_table_of_languages_is_no_table_of_results(written, tmp_path):
    studies = read_studies([written(tmp_path).table(3).path])
    with pytest.raises(UsageError, match="table 5 cannot be reported"):
        build(studies, [5])


def test_the_facts_say_what_was_measured_with_what(written, tmp_path):
    for seed in (1, 2):
        written(tmp_path / f"seed-{seed}", seed=seed).table(3)
    (section,) = build(read_studies([tmp_path]), [3]).sections
    facts = dict(section.facts)
    assert facts["Base model"].startswith("m2m-124-615m, 615M parameters, 12+12 layers")
    assert facts["Test text"] == "flores101 devtest, 1,012 rows"
    assert "tok:flores101" in facts["Metric"] and facts["Seeds"] == "1, 2"
    assert facts["Device"] == "cpu, 1 thread" and facts["Commit"] == "c0ffeec"
    assert facts["Training"] == "epochs 2, lr 0.003"
    assert facts["Adapters"] == "initialisation gaussian, span all"


def test_settings_that_differ_between_runs_are_said(written, tmp_path):
    experiment = written(tmp_path)
    experiment.training("8-8-8")
    experiment.fit = {"epochs": 2, "lr": 0.1}
    experiment.training("4-4-4")
    (section,) = build(read_studies([tmp_path]), [1]).sections
    assert dict(section.facts)["Training"] == "epochs 2; different between runs: fit.lr"


@pytest.mark.parametrize("form", Format)
def test_a_report_is_written_in_every_format(form, written, tmp_path):
    text = write(build(read_studies([written(tmp_path).table(3).path])), form)
    assert "2;2;8+SRC+GPS(0.9)" in text and "33.06" in text
