import shutil

import numpy as np
import pytest

from lslo_cli.artifacts.results import (
    CorrelationRow,
    PrunedTable,
    PruneReportResult,
    SizeRow,
    TensorFile,
    TrainingResult,
)
from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Span
from lslo_cli.method.families import SHAPES
from lslo_cli.method.languages import LANG12, LANGUAGES, directions, grouping, groups
from lslo_cli.method.ranks import parse_ranks
from lslo_cli.paper import printed_table
from lslo_cli.report.markdown import markdown
from lslo_cli.report.quality import other_runs, quality_table
from lslo_cli.report.reading import read_studies
from lslo_cli.report.seeds import over_seeds, spread_table
from lslo_cli.report.sizes import correlation_tables, size_table
from lslo_cli.report.table import Column, Spread, Table, millions, p_value, percent, two_decimals
from tests.scored import scored

LANGS = [LANGUAGES[code] for code in LANG12]
SIGNATURE = "tok:flores101|version:2.6.0"


def evaluated(run, cells, signature=SIGNATURE, only=None):
    """An evaluation whose every direction scores what the table's cell of its group says."""
    group_of = grouping(LANGS)
    scores = {pair: cells[group_of(pair)] for pair in directions(LANGS) if only is None or str(pair) in only}
    return scored(run, LANGS, scores, signature, chrf=2.0)


def paper_run(name):
    return evaluated(name, printed_table(1).row(name).scores)


def trained(run, parameters, paper_style):
    return TrainingResult(
        run=run,
        method="lslo",
        index={},
        index_source="paper",
        ranks={},
        sites="all",
        target_ratio=0.9,
        start_epoch=2,
        duration=8,
        pruned_languages=[],
        prune_targets="both",
        trainable_parameters=parameters,
        trainable_parameters_paper_style=paper_style,
        nonzero_parameters=parameters,
        pruned=PrunedTable(rows=[]),
        history=[],
        curve=None,
        weights=TensorFile(path="weights", digest="0"),
        skipped_sentences=0,
        span=Span.ALL,
    )


def report(sizes=(), correlations=()):
    return PruneReportResult(
        run="2-2-8",
        base_parameters=1000,
        trainable_parameters=None,
        trainable_parameters_paper_style=None,
        nonzero_parameters=None,
        sizes=list(sizes),
        scores={},
        correlations=list(correlations),
    )


def test_the_quality_table_is_table_1_with_both_ways_of_counting_parameters():
    shape, ranks = SHAPES["m2m-124-615m"], parse_ranks("2,2,8", LANGS)
    run = "2-2-8-gps0.9"
    trainings = [
        trained("full", shape.parameters, None),
        trained(run, ranks.parameters(shape), ranks.parameters(shape, span=Span.D_MODEL)),
    ]
    table = quality_table([paper_run("base"), paper_run("full"), paper_run(run)], trainings)
    groups = ["H2H", "H2M", "H2V", "M2H", "M2M", "M2V", "V2H", "V2M", "V2V"]
    assert table.header == ["Run", "#Params", "paper's #Params", *groups, "AVG"]
    rows = {row[0]: row[1:] for row in table.text_rows()}
    assert rows["base"][:3] == ["-", "-", "31.76"] and rows["base"][-1] == "12.26"
    assert rows["full"][:2] == ["615M", "615M"] and rows["full"][-1] == "15.43"
    assert rows[run][:2] == ["22.4M", "15.3M"] and rows[run][-2:] == ["7.04", "16.73"]
    assert SIGNATURE in table.title


def test_the_quality_table_keeps_unrounded_values():
    run = paper_run("base")
    assert quality_table([run], []).rows[0][-1] == run.metric().average


def test_the_quality_table_shows_chrf_with_its_own_signature():
    run = paper_run("base")
    table = quality_table([run], [], "chrF++")
    assert table.rows[0][-1] == run.metric("chrF++").average
    assert table.title == "chrF++ by group of directions (nw:2)"


def test_groups_without_a_direction_have_no_column():
    cells = {"H2H": 30.0, "H2V": 5.0}
    table = quality_table([evaluated("base", cells, only=("en-fr", "en-wo"))], [])
    assert table.header == ["Run", "#Params", "paper's #Params", "H2H", "H2V", "AVG"]


def test_runs_with_another_metric_or_other_directions_do_not_share_a_table():
    cells = {"H2H": 30.0, "H2V": 5.0}
    base = evaluated("base", cells, only=("en-fr", "en-wo"))
    with pytest.raises(InputError, match="run base and run full were scored with different metrics"):
        quality_table([base, evaluated("full", cells, "tok:13a", only=("en-fr", "en-wo"))], [])
    with pytest.raises(InputError, match=r"different directions: \S+ scored and \S+ missing"):
        quality_table([base, evaluated("full", cells, only=("en-fr",))], [])
    with pytest.raises(InputError, match="no run was evaluated"):
        quality_table([], [])


def correlation(stack, kind, r, p):
    return CorrelationRow(
        stack=stack, kind=kind, n=11, pearson=r, pearson_p=p, pearson_log=None, pearson_log_p=None,
        spearman=0.5, spearman_p=0.1172,
    )  # fmt: skip


def test_correlation_tables_are_one_for_each_stack_in_the_papers_layout():
    rows = [
        correlation("encoder", "q", 0.6712, 0.0234),
        correlation("encoder", "avg", 0.64, 0.033),
        correlation("decoder", "c-q", 0.698, 0.017),
        correlation("all", "total", 0.7, 0.0165),
    ]
    encoder, decoder, total = correlation_tables(report(correlations=rows))
    assert encoder.header[:4] == ["Module", "n", "r", "p"]
    assert encoder.text_rows() == [
        ["q", "11", "0.67", "0.023", "-", "-", "0.50", "0.117"],
        ["AVG", "11", "0.64", "0.033", "-", "-", "0.50", "0.117"],
    ]
    assert [row[0] for row in (*decoder.rows, *total.rows)] == ["c-q", "total"]
    assert encoder.title.endswith("encoder")


def test_a_report_without_correlations_gives_no_tables():
    assert correlation_tables(report()) == []


def test_the_size_table_ends_with_the_sum_over_languages():
    sizes = [
        SizeRow(language="en", resource="high", rank=2, parameters=1000, pruned=900),
        SizeRow(language="wo", resource="very-low", rank=8, parameters=4000, pruned=0),
    ]
    assert size_table(report(sizes)).text_rows() == [
        ["en", "high", "2", "1,000", "100", "90.0%"],
        ["wo", "very-low", "8", "4,000", "4,000", "0.0%"],
        ["all", "-", "-", "5,000", "4,100", "18.0%"],
    ]
    assert size_table(report()).rows == ()


def test_a_spread_has_the_sample_standard_deviation():
    values = [31.2, 31.9, 30.4]
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.deviation == pytest.approx(np.std(values, ddof=1))
    assert (spread.minimum, spread.maximum, spread.n) == (30.4, 31.9, 3)
    assert Spread.of([1.0]).deviation is None


def seed_table(*rows, title="quality"):
    return Table(title, (Column("Run"), Column("#Params", millions), Column("H2H", two_decimals)), rows)


def test_seeds_combine_to_mean_and_deviation_and_share_what_does_not_vary():
    combined = over_seeds([
        seed_table(("base", None, 31.0), ("2-2-8", 22_410_000, 32.0)),
        seed_table(("base", None, 31.0), ("2-2-8", 22_410_000, 34.0)),
    ])  # fmt: skip
    assert combined.text_rows() == [["base", "-", "31.00 ± 0.00"], ["2-2-8", "22.4M", "33.00 ± 1.41"]]
    assert combined.rows[1][2] == Spread.of([32.0, 34.0])
    assert combined.title == "quality, mean ± sample standard deviation over 2 seeds"


def test_a_run_that_one_seed_lacks_has_a_smaller_n():
    combined = over_seeds(
        [seed_table(("base", None, 31.0)), seed_table(("base", None, 33.0), ("full", 1, 29.0))]
    )
    assert [row[2].n for row in combined.rows] == [2, 1]
    assert combined.text_rows()[1] == ["full", "0.00000100M", "29.00"]
    assert combined.title == "quality, mean ± sample standard deviation over 1 to 2 seeds"
    assert combined.notes == ("Only 1 of 2 seeds: full.",)


def test_seeds_without_the_table_count_among_all(written, tmp_path):
    for seed, runs in {1: ("mine", "one"), 2: ("mine",), 3: ()}.items():
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        for run in ("base", *runs):
            experiment.evaluation(run, dict.fromkeys(groups(experiment.languages), 20.0))
    (study,) = read_studies([tmp_path])
    table = other_runs(study)
    assert table.title.endswith("over 1 to 2 seeds")
    assert table.notes == ("Only 2 of 3 seeds: mine.", "Only 1 of 3 seeds: one.")
    shutil.rmtree(tmp_path / "seed-1")
    shutil.rmtree(tmp_path / "seed-3")
    written(tmp_path / "seed-3", seed=3).evaluation("base", dict.fromkeys(groups(study.languages), 20.0))
    (study,) = read_studies([tmp_path])
    table = other_runs(study)
    assert table.title.endswith(", one seed") and table.notes == ("Only 1 of 2 seeds: mine.",)


def test_every_spread_has_a_row_with_minimum_maximum_and_n():
    combined = over_seeds([seed_table(("base", None, 31.0)), seed_table(("base", None, 33.0))])
    table = spread_table(combined)
    assert table.header == ["Run", "Value", "mean", "deviation", "minimum", "maximum", "n"]
    assert table.text_rows() == [["base", "H2H", "32.000", "1.414", "31.000", "33.000", "2"]]


def test_tables_of_different_metrics_do_not_combine():
    with pytest.raises(InputError, match="cannot be combined"):
        over_seeds([seed_table(title="spBLEU (a)"), seed_table(title="spBLEU (b)")])


def test_markdown_aligns_numbers_to_the_right_and_escapes_bars():
    table = Table("Sizes", (Column("Name"), Column("Share", percent)), (("a|b", 0.125), ("c", None)))
    assert markdown(table) == "\n".join(
        ("**Sizes**", "", "| Name | Share |", "| --- | ---: |", "| a\\|b | 12.5% |", "| c | - |", "")
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(614_990_848, "615M"), (22_413_312, "22.4M"), (1_500_000, "1.50M"), (22_400, "0.0224M"), (0, "0M")],
)
def test_parameters_are_written_in_millions_with_three_digits(count, text):
    assert millions(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0504, "0.050"), (0.001, "0.001"), (0.00034, "0.0003"), (2.4e-7, "2e-07"), (0.0, "<1e-15")],
)
def test_a_small_p_value_is_never_written_as_zero(value, text):
    assert p_value(value) == text
