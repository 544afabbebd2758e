import math
from itertools import permutations
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import LANG12, LANG30, LANGUAGES, Direction, directions
from lslo_cli.method.statistics import (
    Interval,
    Significance,
    bleu,
    correlate_with_bitext,
    group_means,
    interval_over_seeds,
    interval_over_sentences,
    p_value_of_spearman,
    reliability,
    resampled_counts,
    verdict,
)
from lslo_cli.paper import printed_correlations, printed_table

SETS = {"lang12": [LANGUAGES[code] for code in LANG12], "lang30": [LANGUAGES[code] for code in LANG30]}
TABLES = [printed_table(number) for number in (1, 2, 3, 4, 8)]
TABLE_ROWS = [  # each run once, though several tables print it
    (languages, row)
    for (languages, _), row in {
        (table.languages, row.key): row for table in TABLES for row in table.rows
    }.items()
]
MISPRINT = "fc-2-2-32-gps0.9"
MODULES = [
    (f"{table.stack} {row.kind}", row.r, row.p)
    for table in (printed_correlations(9), printed_correlations(10))
    for row in table.rows
    if row.kind != "avg"
]


def average_over_directions(cells, languages):
    """The paper's AVG from a row of group means: each weighted by its number of directions.

    A group of one class with itself has n(n-1) directions, any other n*m: 12 and 16 for lang12. The
    result is the mean over all 132 (lang30: 870) directions, not over the cells.
    """
    size = {resource.letter: 0 for resource in {language.resource for language in languages}}
    for language in languages:
        size[language.resource.letter] += 1
    weights = {name: size[name[0]] * (size[name[2]] - (name[0] == name[2])) for name in cells}
    return sum(weights[name] * cell for name, cell in cells.items()) / sum(weights.values())


@pytest.mark.parametrize(("name", "row"), [pair for pair in TABLE_ROWS if pair[1].key != MISPRINT])
def test_the_mean_over_directions_is_the_printed_average_of_29_table_rows(name, row):
    assert average_over_directions(row.scores, SETS[name]) == pytest.approx(row.average, abs=0.01)


def test_the_thirtieth_row_is_printed_with_another_average_than_its_cells_give():
    assert len(TABLE_ROWS) == 30
    row = printed_table(4).row(MISPRINT)
    assert round(average_over_directions(row.scores, SETS["lang12"]), 2) == 17.41
    assert row.average == 17.44


def test_the_mean_over_cells_is_another_number_than_the_printed_average():
    row = printed_table(1).row("2-2-8-gps0.9")
    assert fmean(row.scores.values()) == pytest.approx(16.97, abs=0.005)
    assert row.average == 16.73


def test_averaging_group_means_equals_averaging_directions():
    languages = SETS["lang12"]
    scores = {direction: float(number % 17) for number, direction in enumerate(directions(languages))}
    assert average_over_directions(group_means(scores, languages), languages) == pytest.approx(
        fmean(scores.values())
    )


def test_group_means_keep_the_order_of_the_table_and_leave_out_empty_groups():
    scores = {Direction("wo", "en"): 4.0, Direction("en", "fr"): 1.0, Direction("fr", "en"): 3.0}
    assert list(group_means(scores, SETS["lang12"]).items()) == [("H2H", 2.0), ("V2H", 4.0)]


def p_value_of_pearson(r, n):
    """Two-sided p-value of a Pearson correlation ``r`` in (-1, 1) over ``n`` points, from Student's t."""
    t = r * math.sqrt((n - 2) / (1 - r * r))
    return float(2 * stats.t.sf(abs(t), n - 2))


def p_values_of_printed(r, n):
    """The p-values that a correlation truncated to two digits can have had."""
    return p_value_of_pearson(r + 0.01, n), p_value_of_pearson(r, n)


@pytest.mark.parametrize(("module", "r", "p"), [module for module in MODULES if module[0] != "decoder c-q"])
def test_p_values_of_tables_9_and_10_are_those_of_eleven_languages(module, r, p):
    lowest, highest = p_values_of_printed(r, n=11)
    assert lowest - 0.0005 <= p <= highest + 0.0005


def test_c_q_of_table_10_is_rounded_where_the_others_are_truncated():
    (row,) = [row for row in printed_correlations(10).rows if row.kind == "c-q"]
    assert p_value_of_pearson(row.r, n=11) == pytest.approx(row.p, abs=0.0008)
    assert p_value_of_pearson(row.r - 0.002, n=11) == pytest.approx(row.p, abs=0.0005)


@pytest.mark.parametrize("n", [10, 12])
@pytest.mark.parametrize(("module", "r", "p"), MODULES)
def test_no_p_value_of_tables_9_and_10_fits_ten_or_twelve_languages(module, r, p, n):
    lowest, highest = p_values_of_printed(r, n)
    assert not lowest - 0.0005 <= p <= highest + 0.0005


@pytest.mark.parametrize("number", [9, 10])
def test_the_avg_rows_of_tables_9_and_10_are_means_of_their_columns(number):
    *kinds, average = printed_correlations(number).rows
    assert fmean(row.r for row in kinds) == pytest.approx(average.r, abs=0.005)
    assert fmean(row.p for row in kinds) == pytest.approx(average.p, abs=0.001)


def test_p_value_agrees_with_scipy():
    x, y = [1.0, 2.0, 4.0, 7.0, 9.0, 16.0], [2.0, 1.0, 5.0, 4.0, 9.0, 8.0]
    expected = stats.pearsonr(x, y)
    assert p_value_of_pearson(float(expected.statistic), n=6) == pytest.approx(float(expected.pvalue))


def counted_pairings(one, other):
    """The p-value by its definition: of all orders of one side, twice the share as far out."""
    ranks, others = stats.rankdata(one), stats.rankdata(other)
    found = [sum(a * b for a, b in zip(order, others, strict=True)) for order in permutations(ranks)]
    ours = sum(a * b for a, b in zip(ranks, others, strict=True))
    above, below = (sum(each >= ours for each in found), sum(each <= ours for each in found))
    return min(1, 2 * min(above, below) / len(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2, 3], [10, 100, 1000]),
        ([1, 2, 3, 4], [9, 5, 2, 1]),
        ([1, 2, 3, 4, 5], [2, 1, 3, 5, 4]),
        ([1, 2, 2, 4, 5], [2, 1, 7, 7, 9]),
        ([5, 1, 4, 2, 3, 6], [1, 1, 3, 2, 5, 4]),
    ],
)
def test_the_p_value_of_few_ranks_counts_all_pairings(one, other):
    assert p_value_of_spearman(one, other) == pytest.approx(counted_pairings(one, other))
    assert p_value_of_spearman(one, one) == pytest.approx(counted_pairings(one, one))


@pytest.mark.parametrize("n", [3, 4, 5, 8, 9, 11, 30])
def test_ranks_that_agree_or_are_reversed_have_the_p_value_of_one_pairing_among_all(n):
    up, down = list(range(n)), list(range(n, 0, -1))
    assert p_value_of_spearman(up, [value**3 for value in up]) == pytest.approx(2 / math.factorial(n))
    assert p_value_of_spearman(up, down) == pytest.approx(2 / math.factorial(n))


def test_tied_values_change_places_in_the_p_value_of_ranks_that_agree():
    tied = [0, 0, 0, *range(1, 8)]
    assert p_value_of_spearman(tied, tied) == pytest.approx(2 * 6 / math.factorial(10))


def test_more_ranks_have_the_p_value_of_student():
    one, other = [3, 1, 2, 9, 4, 5, 8, 7, 6], list(range(9))
    assert p_value_of_spearman(one, other) == pytest.approx(float(stats.spearmanr(one, other).pvalue))


def test_three_languages_in_the_order_of_their_bitext_show_little():
    languages = [LANGUAGES[code] for code in ("fr", "nl", "wo")]
    found = correlate_with_bitext({"fr": 3.0, "nl": 2.0, "wo": -1.0}, languages)
    assert (found.spearman, found.spearman_p) == (pytest.approx(1), pytest.approx(1 / 3))


def test_english_has_no_bitext_and_stays_out_of_the_correlation():
    languages = SETS["lang12"]
    scores = {
        language.code: math.log10(language.bitext) if language.bitext else -1e9 for language in languages
    }
    correlation = correlate_with_bitext(scores, languages)
    assert correlation.n == 11
    assert correlation.pearson_log == pytest.approx(1.0)
    assert correlation.spearman == pytest.approx(1.0)
    counted = [language for language in languages if language.code != "en"]
    expected = stats.pearsonr([lang.bitext for lang in counted], [scores[lang.code] for lang in counted])
    assert correlation.pearson == pytest.approx(float(expected.statistic))
    assert correlation.pearson_p == pytest.approx(float(expected.pvalue))


def test_scores_that_do_not_vary_have_no_correlation():
    assert correlate_with_bitext(dict.fromkeys(LANG12, 1.0), SETS["lang12"]) is None


def test_two_languages_with_bitext_are_too_few():
    with pytest.raises(UsageError, match="a correlation needs 3 languages with a bitext size, got 2"):
        correlate_with_bitext({"en": 1.0, "fr": 2.0, "de": 3.0}, SETS["lang12"])


def test_the_interval_over_seeds_is_students():
    differences = [0.4, 1.1, -0.2, 0.9, 0.6]
    low, high = stats.t.interval(0.95, 4, np.mean(differences), stats.sem(differences))
    found = interval_over_seeds(differences)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert interval_over_seeds([3.0]) is None


def test_the_interval_over_sentences_leaves_out_a_fortieth_at_either_end():
    found = interval_over_sentences(np.arange(1001.0))
    assert (found.low, found.high) == (pytest.approx(25), pytest.approx(975))


@pytest.mark.parametrize(
    ("over_seeds", "over_sentences", "expected"),
    [
        (Interval(0.1, 2.0), Interval(0.2, 1.0), Significance.HIGHER),
        (Interval(-2.0, -0.1), Interval(-1.0, -0.2), Significance.LOWER),
        (Interval(-0.1, 2.0), Interval(0.2, 1.0), Significance.OPEN),
        (Interval(0.1, 2.0), Interval(-0.2, 1.0), Significance.OPEN),
        (None, Interval(5.0, 6.0), Significance.ONE_SEED),
        (Interval(2.0, 2.0 + 1e-12), Interval(0.2, 3.0), Significance.OPEN),  # the same of every seed
        (Interval(-2.0, -2.0), Interval(-3.0, -0.2), Significance.OPEN),
    ],
)
def test_a_difference_is_told_only_beyond_chance_of_both_kinds(over_seeds, over_sentences, expected):
    assert verdict(over_seeds, over_sentences) is expected


def test_resampled_counts_are_draws_with_replacement_and_the_same_for_the_same_seed():
    counts = resampled_counts(20, 500, [7])
    assert counts.shape == (500, 20) and set(counts.sum(axis=1)) == {20}
    assert (counts == resampled_counts(20, 500, [7])).all()
    assert not (counts == resampled_counts(20, 500, [8])).all()
    # Each sentence is drawn once on average, and left out with a chance of (1 - 1/20)^20.
    assert counts.mean() == 1
    assert (counts == 0).mean() == pytest.approx(0.95**20, abs=0.02)


def test_bleu_of_sums_is_sacrebleus():
    from sacrebleu.metrics import BLEU

    cases = [
        ([5, 3, 2, 1], [6, 5, 4, 3], 6, 7),
        ([5, 2, 0, 0], [6, 5, 4, 3], 6, 5),
        ([0, 0, 0, 0], [6, 5, 4, 3], 6, 6),
        ([2, 1, 0, 0], [2, 1, 0, 0], 2, 4),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0, 4),
    ]
    table = np.array([[*matched, *total, ours, theirs] for matched, total, ours, theirs in cases])
    expected = [
        BLEU.compute_bleu(matched, total, ours, theirs, smooth_method="exp").score
        for matched, total, ours, theirs in cases
    ]
    assert bleu(table) == pytest.approx(expected, abs=1e-9)


def test_reliability_is_that_of_a_two_way_analysis_of_variance():
    table = np.random.default_rng(3).normal(size=(7, 4)) + np.arange(7)[:, None] + np.array([0, 5, -2, 1])
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between = sum((row - table.mean()) ** 2 for row in rows) * 4 / 6
    rest = sum(
        (table[i, j] - rows[i] - columns[j] + table.mean()) ** 2 for i in range(7) for j in range(4)
    ) / (6 * 3)
    assert reliability(table) == pytest.approx(1 - rest / between)
    assert reliability(table + np.array([9, 0, 0, 3])) == pytest.approx(reliability(table))
    # Cronbach's alpha, from the variances of columns and of sums.
    variances = table.var(axis=0, ddof=1).sum() / table.sum(axis=1).var(ddof=1)
    assert reliability(table) == pytest.approx(4 / 3 * (1 - variances))


def test_rows_that_differ_by_chance_alone_are_not_reliable():
    assert reliability([[0, 1], [1, 0], [0.5, 0.5]]) == 0
    assert reliability([[1, 2], [1, 2]]) == 0
    with pytest.raises(ValueError, match="not 1 x 2"):
        reliability([[1, 2]])
