import numpy as np
import pytest
from scipy import stats

from lslo_cli.artifacts.results import CorrelationRow
from lslo_cli.method.statistics import Interval
from lslo_cli.paper import Expectation, printed_table
from lslo_cli.report.findings import POINT_NOTE, Finding, Outcome, Verdict, findings, findings_table, judged
from lslo_cli.report.reading import read_studies
from lslo_cli.report.scores import scores_beside_papers

HIGHER, NOT_LOWER, ALIKE = Expectation.HIGHER, Expectation.NOT_LOWER, Expectation.ALIKE


@pytest.mark.parametrize(
    ("expected", "low", "high", "verdict"),
    [
        (HIGHER, 0.5, 1.5, Verdict.SHOWS),
        (HIGHER, 0.0, 1.0, Verdict.WITHIN),
        (HIGHER, -0.9, 0.1, Verdict.WITHIN),
        (HIGHER, -1.1, -0.1, Verdict.CONTRARY),
        (NOT_LOWER, -0.9, 0.1, Verdict.SHOWS),
        (NOT_LOWER, -0.2, -0.1, Verdict.SHOWS),
        (NOT_LOWER, -1.1, 0.1, Verdict.WITHIN),
        (NOT_LOWER, -1.1, -0.1, Verdict.CONTRARY),
        (ALIKE, -0.9, 0.1, Verdict.SHOWS),
        (ALIKE, 0.1, 0.9, Verdict.SHOWS),
        (ALIKE, -3.0, 2.0, Verdict.WITHIN),
        (ALIKE, 0.5, 1.5, Verdict.CONTRARY),
    ],
)
def test_an_interval_is_held_against_what_is_claimed(expected, low, high, verdict):
    assert judged(expected, Interval(low, high)) is verdict


@pytest.mark.parametrize("expected", Expectation)
def test_one_seed_shows_nothing(expected):
    assert judged(expected, None) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ((Verdict.WITHIN, Verdict.CONTRARY), Verdict.CONTRARY),
        ((Verdict.WITHIN, Verdict.CONTROL), Verdict.CONTRARY),
        ((Verdict.WITHIN, Verdict.CONTROLS_OPEN), Verdict.WITHIN),
        ((Verdict.WITHIN, Verdict.UNKNOWN), Verdict.WITHIN),
        ((Verdict.SHOWS, Verdict.WITHIN), Verdict.IN_PART),
        ((Verdict.CONTRARY, Verdict.NOT_RUN), Verdict.INCOMPLETE),
    ],
)
def test_a_claim_of_which_nothing_shows_is_open_unless_something_speaks_against_it(verdicts, together):
    outcomes = (Outcome("one higher than two", "", 1.0, None, None, verdict) for verdict in verdicts)
    assert Finding("a claim", tuple(outcomes)).verdict is together


def by_text(study, numbers):
    return {finding.text: finding for finding in findings(study, numbers)}


def seeds_of(written, folder, number, *shifts):
    """The paper's numbers in several seeds, each shifted as a whole."""
    for seed, shift in enumerate(shifts, start=1):
        written(folder / f"seed-{seed}", seed=seed).table(number, shift=shift)
    return folder


@pytest.mark.parametrize("number", [1, 3, 4, 8])
def test_the_papers_numbers_show_all_that_it_claims_of_them(number, written, tmp_path):
    (study,) = read_studies([seeds_of(written, tmp_path, number, 0.0, 1.0)])
    verdicts = {finding.verdict for finding in findings(study, [number])}
    assert verdicts == {Verdict.SHOWS}


@pytest.mark.parametrize("shift", [-3.0, 3.0, 0.0])
def test_the_same_difference_in_every_seed_tells_nothing_unless_it_is_none(shift, written, tmp_path):
    scores = {"2-2-8-source-gps0.9": 1.1, "2-2-8-gps0.9": 1.1 + shift}
    for seed in (1, 2):
        for run, score in scores.items():
            own = dict.fromkeys(printed_table(3).groups, score + seed)
            written(tmp_path / f"seed-{seed}", seed=seed).evaluation(run, own)
    (study,) = read_studies([tmp_path])
    (finding,) = findings(study, [3])
    outcome = finding.outcomes[0]
    assert (outcome.difference, outcome.verdict) == (pytest.approx(shift), Verdict.WITHIN)
    assert (POINT_NOTE in findings_table(study, [3]).notes) == (shift != 0)
    assert judged(ALIKE, outcome.interval) is (Verdict.WITHIN if shift else Verdict.SHOWS)


def test_one_seed_cannot_tell_anything(written, tmp_path):
    (study,) = read_studies([written(tmp_path).table(8).path])
    (finding,) = findings(study, [8])
    assert finding.verdict is Verdict.UNKNOWN
    assert [outcome.paper for outcome in finding.outcomes] == [0.06, -0.09, 0.10, 0.01]
    (note,) = findings_table(study, [8]).notes
    assert note.startswith("If only one seed has both rows")


def test_difference_and_interval_are_over_the_seeds_that_have_both_rows(written, tmp_path):
    table = printed_table(3)
    base, full = table.row("base").scores, table.row("full").scores
    for seed, (low, high) in {1: (0.0, 0.0), 2: (1.0, 3.0), 3: (2.0, 6.0)}.items():
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        experiment.evaluation("base", {group: score + low for group, score in base.items()})
        experiment.evaluation("full", {group: score + high for group, score in full.items()})
    written(tmp_path / "seed-4", seed=4).evaluation("base", base)
    (study,) = read_studies([tmp_path])
    finding = by_text(study, [1])[
        "Full fine-tuning harms high-resource directions and helps very-low-resource ones"
    ]
    harm, help_ = finding.outcomes
    assert harm.difference == pytest.approx(31.76 - 29.29 + (0 - 2 - 4) / 3)
    differences = [31.76 - 29.29 - shift for shift in (0, 2, 4)]
    low, high = stats.t.interval(0.95, 2, np.mean(differences), stats.sem(differences))
    assert (harm.interval.low, harm.interval.high) == (pytest.approx(low), pytest.approx(high))
    assert harm.verdict is Verdict.WITHIN and help_.verdict is Verdict.SHOWS
    assert (finding.verdict, finding.summary) == (Verdict.IN_PART, "shows in part (1 of 2 show)")
    notes = findings_table(study, [1]).notes
    assert notes[0].startswith("Difference: mean over the seeds that have both rows")
    assert notes[1].startswith("Likeness shows if")


def test_a_claim_is_judged_only_when_all_its_rows_were_run(written, tmp_path):
    for seed in (1, 2):
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        for run, more in (("2-2-8", 0.0), ("2-2-8-gps0.9", 1e-3 * seed)):
            scores = printed_table(1).row(run).scores
            experiment.evaluation(run, {group: score + more for group, score in scores.items()})
    (study,) = read_studies([tmp_path])
    found = {finding.verdict: finding for finding in findings(study, [1])}
    assert found.keys() == {Verdict.NOT_RUN, Verdict.INCOMPLETE}
    assert found[Verdict.INCOMPLETE].summary == "not all run (2 of 2 show)"


def test_what_goes_the_other_way_does_not_show(written, tmp_path):
    scores = {"2-2-8-gps0.9": 1.0, "2-2-8-source-gps0.9": 2.0, "2-2-8-target-gps0.9": 3.0}
    for seed in (1, 2):
        for run, score in scores.items():
            experiment = written(tmp_path / f"seed-{seed}", seed=seed)
            own = score + 1e-3 * seed * score
            experiment.evaluation(run, dict.fromkeys(printed_table(3).groups, own))
    (study,) = read_studies([tmp_path])
    (finding,) = findings(study, [3])
    assert finding.verdict is Verdict.CONTRARY and finding.summary == "does not show"
    assert [outcome.difference for outcome in finding.outcomes] == pytest.approx([-1, -1, -2, -2], abs=0.01)


def test_a_learned_index_that_is_all_source_is_no_comparison_with_all_source(written, tmp_path):
    for seed in (1, 2):
        experiment = written(tmp_path / f"seed-{seed}", seed=seed).table(3, shift=seed)
        experiment.training("2-2-8-gps0.9", index={"encoder.1": "source", "encoder.12": "source"})
    (study,) = read_studies([tmp_path])
    (finding,) = findings(study, [3])
    assert [outcome.verdict for outcome in finding.outcomes] == [Verdict.SAME] * 2 + [Verdict.SHOWS] * 2
    assert finding.summary == "shows in part (2 of 4 show)"
    note = "2;2;8+SRC+GPS(0.9) was trained with the same settings as 2;2;8+WL+GPS(0.9)."
    assert note in scores_beside_papers(3, study).notes


def test_runs_of_another_learning_rate_were_not_trained_alike(written, tmp_path):
    runs, all_source = ("2-2-8-gps0.9", "2-2-8-source-gps0.9"), {"encoder.1": "source"}

    def alike(**other):
        for run, settings in zip(runs, ({}, other), strict=True):
            written(tmp_path, **settings).training(run, index=all_source)
        return read_studies([tmp_path])[0].trained_alike(*runs)

    assert alike()
    assert not alike(fit={"epochs": 2, "lr": 0.1})


def test_in_another_metric_only_directions_are_judged_and_the_paper_has_no_difference(written, tmp_path):
    seeds_of(written, tmp_path, 1, 0.0, 1.0)
    by_spbleu, by_chrf = (
        [outcome for finding in findings(study, [1]) for outcome in finding.outcomes]
        for study in (read_studies([tmp_path], metric)[0] for metric in ("spBLEU", "chrF++"))
    )
    assert len(by_chrf) < len(by_spbleu)
    assert all(" higher than " in outcome.text and outcome.paper is None for outcome in by_chrf)
    table = findings_table(read_studies([tmp_path], "chrF++")[0], [1])
    assert table.title.endswith(", in chrF++")
    assert not any("lies within" in note for note in table.notes)
    assert any("not judged: their margin is in spBLEU" in note for note in table.notes)


def correlation(stack, kind, r, p):
    return CorrelationRow(
        stack=stack, kind=kind, n=11, pearson=r, pearson_p=p, pearson_log=0.9, pearson_log_p=0.0001,
        spearman=0.8, spearman_p=0.003,
    )  # fmt: skip


def test_importance_follows_bitext_where_every_seed_is_significant(written, tmp_path):
    for seed, p in {1: 0.033, 2: 0.2}.items():
        experiment = written(tmp_path / f"seed-{seed}", seed=seed)
        experiment.prune_report(correlation("encoder", "avg", 0.6 + seed / 10, p))
    (study,) = read_studies([tmp_path])
    (finding,) = findings(study, [9])
    raw, log, *total = finding.outcomes
    assert (raw.difference, raw.paper, raw.verdict) == (pytest.approx(0.75), 0.64, Verdict.CONTRARY)
    assert log.verdict is Verdict.SHOWS
    assert {outcome.verdict for outcome in total} == {Verdict.NOT_RUN}


def test_the_table_has_a_row_for_each_comparison(written, tmp_path):
    (study,) = read_studies([seeds_of(written, tmp_path, 3, 0.0, 1.0)])
    table = findings_table(study, [3])
    assert table.header == [
        "Claim", "Verdict", "Comparison", "In", "Difference", "95 %", "Paper's difference", "Shows?",
    ]  # fmt: skip
    assert table.text_rows()[0] == [
        "The learned index beats source and target in the whole encoder", "shows",
        "2-2-8-gps0.9 higher than 2-2-8-source-gps0.9", "AVG", "+0.21", "+0.21 to +0.21", "+0.21", "shows",
    ]  # fmt: skip
