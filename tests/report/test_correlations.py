import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import CorrelationRow, PruneReportResult
from lslo_cli.paper import printed_correlations
from lslo_cli.report.correlations import printed_correlation_table
from lslo_cli.report.reading import read_studies


@pytest.mark.parametrize("number", [9, 10])
def test_ours_stand_beside_the_printed_correlations(number, written, tmp_path):
    experiment = written(tmp_path)
    experiment.prune_report()
    (study,) = read_studies([tmp_path])
    table = printed_correlation_table(number, study)
    assert table.header[:6] == ["Module", "ours r", "ours p", "paper r", "paper p", "difference"]
    assert len(table.rows) == len(printed_correlations(number).rows)
    for row in table.text_rows():
        assert row[1:3] == row[3:5] and row[5] == "+0.00"
    assert table.rows[-1][0] == "AVG" and "n = 11" in table.notes[0]


def test_over_seeds_r_has_a_spread_and_p_a_range(written, tmp_path):
    for seed in (1, 2):
        row = CorrelationRow(
            stack="encoder", kind="q", n=11, pearson=0.5 + seed / 10, pearson_p=0.01 * seed, pearson_log=None,
            pearson_log_p=None, spearman=0.8, spearman_p=0.003,
        )  # fmt: skip
        written(tmp_path / f"seed-{seed}", seed=seed).prune_report(row)
    (study,) = read_studies([tmp_path])
    row = printed_correlation_table(9, study).text_rows()[0]
    assert row[:3] == ["q", "0.65 ± 0.07", "0.010 to 0.020"]
    assert row[6:8] == ["-", "-"] and row[9] == "0.003"


def test_other_languages_give_no_difference(written, tmp_path):
    experiment = written(tmp_path, languages=("en", "fr", "zh", "wo"))
    experiment.prune_report()
    (study,) = read_studies([tmp_path])
    table = printed_correlation_table(9, study)
    assert "difference" not in table.header
    assert "measured differently" in table.notes[0]


def test_without_a_prune_report_the_table_is_not_run(written, tmp_path):
    (study,) = read_studies([written(tmp_path).table(3).path])
    table = printed_correlation_table(10, study)
    assert table.text_rows()[0][1:3] == ["-", "-"]
    assert table.notes[0].startswith("Not run")


def test_a_prune_report_without_correlations_says_what_they_take(written, tmp_path):
    experiment = written(tmp_path).table(3)
    report = store.read(experiment.prune_report(), PruneReportResult).result
    experiment.write("prune-report.json", report.model_copy(update={"correlations": []}))
    (study,) = read_studies([experiment.path])
    (note,) = printed_correlation_table(9, study).notes
    assert "a correlation needs 3 languages with a bitext size" in note and "lslo prune-report" not in note
