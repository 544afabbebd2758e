import pytest

from lslo_cli.method.languages import LANG30
from lslo_cli.paper import printed_table
from lslo_cli.report.reading import read_studies
from lslo_cli.report.scores import scores_beside_papers
from lslo_cli.report.table import RowSource, SourceCell

TWELVE = [1, 3, 4, 8]


def study_of(*folders):
    (study,) = read_studies([folder.path for folder in folders])
    return study


def lines(table):
    """The rows as text, by run and whose numbers they are."""
    return {(row[2], row[3].line): text[4:] for row, text in zip(table.rows, table.text_rows(), strict=True)}


@pytest.mark.parametrize("number", TWELVE)
def test_the_papers_own_numbers_differ_from_the_paper_by_nothing(number, written, tmp_path):
    table = scores_beside_papers(number, study_of(written(tmp_path).table(number)))
    assert len(table.rows) == 3 * len(printed_table(number).rows)
    for row in table.rows:
        if (
            row[3].line is RowSource.DIFFERENCE and row[2] != "fc-2-2-32-gps0.9"
        ):  # whose printed AVG is a misprint
            assert [cell.value for cell in row[6:]] == pytest.approx([0.0] * 10, abs=0.011)


def test_the_layout_is_the_papers(written, tmp_path):
    table = scores_beside_papers(4, study_of(written(tmp_path).table(4))).shown()
    groups = ["H2H", "H2M", "H2V", "M2H", "M2M", "M2V", "V2H", "V2M", "V2V"]
    assert table.header == ["Section", "Methods", "Source", "#Params", "paper's count", *groups, "AVG"]
    assert list(dict.fromkeys(row[0] for row in table.rows)) == ["Baselines", "All", "Only attn", "Only fc"]
    assert table.heading.startswith("Table 4. ")


def test_ours_stand_beside_theirs_with_the_difference(written, tmp_path):
    rows = lines(scores_beside_papers(1, study_of(written(tmp_path).table(1, shift=0.25))))
    ours, papers = rows["2-2-8-gps0.9", RowSource.OURS], rows["2-2-8-gps0.9", RowSource.PAPER]
    assert ours[:3] == ["22.4M", "15.3M", "33.38"]
    assert papers[:3] == ["-", "15.3M", "33.13"] and papers[-1] == "16.73"
    assert rows["2-2-8-gps0.9", RowSource.DIFFERENCE][2:4] == ["+0.25", "+0.25"]
    assert rows["base", RowSource.OURS][:3] == ["-", "-", "32.01"]


def test_a_table_without_sections_has_no_column_for_them(written, tmp_path):
    assert scores_beside_papers(3, study_of(written(tmp_path).table(3))).shown().header[:2] == [
        "Methods",
        "Source",
    ]


def test_seeds_become_mean_and_sample_deviation(written, tmp_path):
    seeds = [written(tmp_path / f"seed-{n}", seed=n).table(3, shift=n) for n in (1, 2, 3)]
    table = scores_beside_papers(3, study_of(*seeds))
    assert lines(table)["2-2-8-gps0.9", RowSource.OURS][2] == "35.13 ± 1.00"
    assert lines(table)["2-2-8-gps0.9", RowSource.DIFFERENCE][2] == "+2.00"
    assert any("seeds 1, 2, 3" in note and "sample standard deviation" in note for note in table.notes)


def test_a_run_that_is_not_there_is_not_run_and_one_that_some_seeds_lack_says_so(written, tmp_path):
    one, two = (written(tmp_path / f"seed-{n}", seed=n) for n in (1, 2))
    for experiment in (one, two):
        experiment.evaluation("base", printed_table(3).row("base").scores)
    one.evaluation("full", printed_table(3).row("full").scores)
    table = scores_beside_papers(3, study_of(one, two))
    rows = lines(table)
    assert set(rows["2-2-8-gps0.9", RowSource.NOT_RUN]) == {"-"}
    assert ("2-2-8-gps0.9", RowSource.DIFFERENCE) not in rows
    assert rows["full", RowSource.OURS][2] == "29.29"
    assert "Only seed 1: Ft-all (full)." in table.notes


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"signature": "tok:spm-local-4ddeca0c|version:2.6.0"}, "metric tok:spm-local-4ddeca0c"),
        (
            {"text": {"path": "w", "split": "test", "rows": 40, "examples": 1, "digest": "x"}},
            "w test, 40 rows",
        ),
        ({"languages": ("en", "fr", "zh", "wo")}, "4 of lang12's 12 languages"),
        ({"languages": ("en", "fr", "zh", "es", "wo")}, "1 other language than lang12"),
    ],
)
def test_what_is_another_measurement_has_no_difference_and_says_why(replaced, said, written, tmp_path):
    table = scores_beside_papers(3, study_of(written(tmp_path, **replaced).table(3)))
    assert RowSource.DIFFERENCE not in {row[3].line for row in table.rows}
    assert {str(row[3]) for row in table.rows} == {"ours (m2m-124-615m)", "paper (M2M-124)"}
    assert table.notes[0].startswith("Ours are not comparable") and said in table.notes[0]


def test_another_base_model_is_another_measurement(written, tmp_path):
    experiment = written(tmp_path)
    experiment.model |= {"name": "models/small", "d_model": 64, "parameters": 415_296}
    table = scores_beside_papers(3, study_of(experiment.table(3)))
    assert "base model models/small (0.415M parameters)" in table.notes[0]
    assert str(table.rows[0][3]) == "ours (small)"


def test_languages_of_other_classes_leave_the_whole_table_not_run(written, tmp_path):
    table = scores_beside_papers(2, study_of(written(tmp_path).table(1)))
    assert {row[3].line for row in table.rows} == {RowSource.NOT_RUN, RowSource.PAPER}
    assert table.notes[0].startswith("Not run: the paper's groups here are H2H, H2M, H2L")


def test_table_2_is_that_of_thirty_languages(written, tmp_path):
    table = scores_beside_papers(2, study_of(written(tmp_path, languages=LANG30).table(2)))
    assert lines(table)["2-2-8-8-gps0.9", RowSource.DIFFERENCE][-1] in ("+0.00", "-0.00")


def test_schedules_are_ours_and_not_what_a_row_is_called(written, tmp_path):
    experiment = written(tmp_path).table(8)
    experiment.training("2-2-8-gps0.9-E5-k8", start_epoch=1, duration=4)
    (note,) = [note for note in scores_beside_papers(8, study_of(experiment)).notes if "trained for" in note]
    assert "T=2 epochs" in note and "E=1, k=4 in E=5, k=8" in note


def test_an_index_that_was_not_learned_is_named(written, tmp_path):
    experiment = written(tmp_path).table(3)
    experiment.training("2-2-8-gps0.9", index_source="paper")
    assert "WL in ours: the index was paper." in scores_beside_papers(3, study_of(experiment)).notes


def test_a_source_is_written_by_its_name_or_its_word():
    assert [str(SourceCell(RowSource.OURS)), str(SourceCell(RowSource.OURS, "ours (world)"))] == [
        "ours",
        "ours (world)",
    ]
