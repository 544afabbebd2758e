from dataclasses import replace
from statistics import fmean

import pytest
from scipy import stats

from lslo_cli.artifacts.results import PrunedTable, SubspaceResult, TensorFile, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.adapters import Span
from lslo_cli.method.importance import Pool, PrunedMatrix, scores_by_language
from lslo_cli.method.languages import LANG12, LANGUAGES
from lslo_cli.method.sites import KINDS, SiteSet, Stack, sites
from lslo_cli.tasks.prune_report import report_on

LANGUAGES_12 = tuple(LANGUAGES[code] for code in LANG12)
RATIO, SIZE = 0.7, 100


def estimate(pool=Pool.LAYER, site_set=SiteSet.ALL, pruned_of=None):
    """An estimate of a 2+2-layer model where a language with more bitext lost more, unevenly by site."""
    order = sorted(LANG12, key=lambda code: LANGUAGES[code].bitext or 0)
    matrices = [
        PrunedMatrix(
            site, code, pruned_of(code) if pruned_of else 40 + 4 * order.index(code) + 7 * number % 13, SIZE
        )
        for number, site in enumerate(sites(2, 2, site_set))
        for code in LANG12
    ]
    return SubspaceResult(
        pool=pool,
        rank=8,
        target_ratio=RATIO,
        pruned=PrunedTable.of([(matrix, "B") for matrix in matrices]),
        scores=scores_by_language(matrices, RATIO),
        mean_rank=4.0,
        ranks=dict.fromkeys(LANG12, 4),
        history=[],
    )


def trained(method="lslo", rows=(), ranks=None):
    return TrainingResult(
        run="2-2-8",
        method=method,
        index={},
        index_source="paper",
        ranks=ranks or {},
        sites="all",
        target_ratio=0.9,
        start_epoch=2,
        duration=8,
        pruned_languages=["en"],
        prune_targets="both",
        trainable_parameters=700,
        trainable_parameters_paper_style=500,
        nonzero_parameters=340,
        pruned=PrunedTable(rows=list(rows)),
        history=[],
        curve=None,
        weights=TensorFile(path="adapter/adapter_model.safetensors", digest="0"),
        skipped_sentences=0,
        span=Span.ALL,
    )


def test_each_matrix_correlates_the_mean_score_over_layers_with_bitext():
    estimated = estimate()
    report = report_on(estimated, None, LANGUAGES_12, base_parameters=1000)
    row = next(row for row in report.correlations if (row.stack, row.kind) == ("decoder", "c-v"))
    scores = {
        code: fmean(
            matrix.pruned - RATIO * matrix.size
            for matrix in estimated.pruned.matrices("B")
            if matrix.language == code and str(matrix.site) in ("decoder.1.c-v", "decoder.2.c-v")
        )
        for code in LANG12[1:]
    }
    expected = stats.pearsonr([LANGUAGES[code].bitext for code in scores], list(scores.values()))
    assert row.n == 11
    assert row.pearson == pytest.approx(expected.statistic)
    assert row.pearson_p == pytest.approx(expected.pvalue)
    assert row.pearson > 0 and row.spearman == pytest.approx(1)


def test_rows_follow_tables_9_and_10_and_end_with_the_total():
    rows = report_on(estimate(), None, LANGUAGES_12, 1000).correlations
    assert [(row.stack, row.kind) for row in rows] == [
        *[("encoder", kind) for kind in (*KINDS[Stack.ENCODER], "avg")],
        *[("decoder", kind) for kind in (*KINDS[Stack.DECODER], "avg")],
        ("all", "total"),
    ]


def test_the_average_row_is_the_mean_of_each_column_p_values_included():
    rows = [
        row for row in report_on(estimate(), None, LANGUAGES_12, 1000).correlations if row.stack == "encoder"
    ]
    *kinds, average = rows
    for column in ("pearson", "pearson_p", "pearson_log", "pearson_log_p", "spearman", "spearman_p"):
        assert getattr(average, column) == pytest.approx(fmean(getattr(row, column) for row in kinds))


def test_the_total_row_correlates_the_sums_over_all_sites():
    estimated = estimate()
    total = report_on(estimated, None, LANGUAGES_12, 1000).correlations[-1]
    expected = stats.pearsonr(
        [LANGUAGES[code].bitext for code in LANG12[1:]], [estimated.scores[code] for code in LANG12[1:]]
    )
    assert total.pearson == pytest.approx(expected.statistic)


def test_an_estimate_without_attention_has_rows_for_feed_forward_only():
    rows = report_on(estimate(site_set=SiteSet.FEED_FORWARD), None, LANGUAGES_12, 1000).correlations
    assert [row.kind for row in rows] == ["fc1", "fc2", "avg", "fc1", "fc2", "avg", "total"]


def test_scores_that_do_not_vary_leave_the_correlation_empty():
    rows = report_on(estimate(pruned_of=lambda code: 70), None, LANGUAGES_12, 1000).correlations
    assert {row.pearson for row in rows} == {None}
    assert {row.n for row in rows} == {11}


def test_too_few_bitext_sizes_leave_the_report_without_correlations():
    unknown = tuple(replace(language, bitext=None) for language in LANGUAGES_12[:-2]) + LANGUAGES_12[-2:]
    report = report_on(estimate(), None, unknown, 1000)
    assert report.correlations == []
    assert set(report.scores) == set(LANG12)


def test_sizes_add_up_a_and_b_of_every_site_for_each_language():
    training = trained(
        rows=[
            ("encoder.1.q", "wo", "A", 0, 80),
            ("encoder.1.q", "wo", "B", 0, 80),
            ("encoder.1.q", "en", "A", 18, 20),
            ("encoder.1.q", "en", "B", 18, 20),
            ("encoder.1.k", "en", "A", 9, 20),
        ],
        ranks={"en": 2, "wo": 8},
    )
    report = report_on(estimate(), training, LANGUAGES_12, 1000)
    sizes = [(row.language, row.resource, row.rank, row.parameters, row.pruned) for row in report.sizes]
    assert sizes == [("en", "high", 2, 60, 45), ("wo", "very-low", 8, 160, 0)]
    assert report.run == "2-2-8"
    counts = (report.trainable_parameters, report.trainable_parameters_paper_style, report.nonzero_parameters)
    assert counts == (700, 500, 340)


def test_sizes_are_of_the_languages_of_the_run_where_the_estimate_has_fewer():
    training = trained(rows=[("encoder.1.q", "ha", "A", 1, 8)], ranks={"ha": 2})
    run_languages = [*LANGUAGES_12, LANGUAGES["ha"]]
    (row,) = report_on(estimate(), training, LANGUAGES_12, 1000, run_languages).sizes
    assert (row.language, row.parameters) == ("ha", 8)


def test_full_fine_tuning_has_no_sizes_by_language():
    assert report_on(estimate(), trained(method="full"), LANGUAGES_12, 1000).sizes == []


def test_without_a_training_run_the_report_still_has_scores_and_correlations():
    report = report_on(estimate(), None, LANGUAGES_12, 1000)
    assert (report.run, report.trainable_parameters, report.sizes) == (None, None, [])
    assert report.correlations


def test_an_estimate_that_pruned_each_language_alone_is_refused():
    with pytest.raises(InputError, match="pool language") as error:
        report_on(estimate(pool=Pool.LANGUAGE), None, LANGUAGES_12, 1000)
    assert error.value.hint == "estimate across languages: lslo estimate-subspace --pool layer"
