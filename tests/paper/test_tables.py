import re

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import LANGUAGE_SETS, LANGUAGES, groups
from lslo_cli.paper import printed_correlations, printed_schedules, printed_table

TABLES = [printed_table(number) for number in (1, 2, 3, 4, 8)]


def test_the_tables_have_as_many_rows_as_the_paper_prints():
    assert {table.number: len(table.rows) for table in TABLES} == {1: 14, 2: 5, 3: 5, 4: 9, 8: 7}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.number)
def test_columns_are_the_groups_of_the_languages(table):
    languages = [LANGUAGES[code] for code in LANGUAGE_SETS[table.languages]]
    assert table.groups == groups(languages)
    assert all(tuple(row.scores) == table.groups for row in table.rows)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.number)
def test_rows_are_named_as_runs_are_and_once(table):
    keys = [row.key for row in table.rows]
    assert keys[:2] == ["base", "full"]
    assert len(set(keys)) == len(keys)
    form = r"base|full|((attn|fc)-)?\d+(-\d+)+(-source|-target)?(-gps0\.\d)?(-E\d-k\d)?"
    assert all(re.fullmatch(form, key) for key in keys)


def test_the_ranks_in_a_label_are_the_ranks_in_the_name_of_the_run():
    rows = [row for table in TABLES if table.number != 8 for row in table.rows if ";" in row.label]
    for row in rows:
        ranks = row.label.partition("+")[0].replace(";", "-")
        ratio = re.search(r"GPS\((.+)\)", row.label)
        assert re.search(rf"(^|-){ranks}(-|$)", row.key)
        assert row.key.endswith(f"-gps{ratio[1]}") if ratio else "gps" not in row.key


def test_a_run_in_several_tables_has_the_same_numbers_in_each():
    numbers = [table.row("2-2-8-gps0.9") for table in TABLES if table.number != 2]
    assert len({(row.params, row.average, *row.scores.values()) for row in numbers}) == 1
    assert {row.label for row in numbers} == {"2;2;8+WL+GPS(0.9)", "E=2, k=8"}


def test_cells_read_off_the_page():
    row = printed_table(8).row("2-2-8-gps0.9-E7-k2")
    assert (row.scores["H2M"], row.average, row.params) == (22.31, 16.74, "15.3M")
    row = printed_table(4).row("fc-2-2-64-gps0.9")
    assert (row.section, row.params, row.scores["V2V"]) == ("Only fc", "26.7M", 9.79)
    row = printed_table(2).row("2-2-8-8-gps0.9")
    assert (row.params, row.scores["L2H"], row.average) == ("46M", 15.34, 13.86)
    assert printed_table(1).row("base").params is None


def test_correlations_are_by_kind_with_their_average_last():
    decoder = printed_correlations(10)
    assert decoder.stack == "decoder"
    assert [row.kind for row in decoder.rows] == ["q", "k", "v", "c-q", "c-k", "c-v", "fc1", "fc2", "avg"]
    (row,) = [row for row in decoder.rows if row.kind == "c-v"]
    assert (row.r, row.p) == (0.80, 0.003)
    assert printed_correlations(9).rows[-1].r == 0.64


def test_the_schedules_are_those_of_table_7():
    schedules = printed_schedules(7)
    assert [row.label for row in schedules.rows] == ["ISE", "LSP", "LSLo"]
    assert {(row.start_epoch, row.duration, row.epochs) for row in schedules.rows} == {(2, 8, 15)}
    assert schedules.rows[2].ratios == (0.1, 0.3, 0.5, 0.7, 0.9)


@pytest.mark.parametrize("read", [printed_table, printed_correlations, printed_schedules])
def test_a_number_of_another_table_is_refused_with_those_there_are(read):
    with pytest.raises(UsageError, match="number 5"):
        read(5)


def test_a_row_that_is_not_printed_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match="table 3 of the paper has no row '8-8-8'") as raised:
        printed_table(3).row("8-8-8")
    assert "2-2-8-source-gps0.9" in raised.value.hint
