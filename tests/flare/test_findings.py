"""What the controls of made-up models say of them."""

import random

import pytest

from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError
from lslo_cli.flare.comparisons import Comparer, MeasuredDifference, p_note
from lslo_cli.flare.controls import MARGIN, ControlVerdict, check_table, checked_runs
from lslo_cli.flare.findings import claim_table
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult, Prediction, TrainedRun
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import control_table, flare_tables, headline_table, noise_table, rank_table
from lslo_cli.method.flare import SourceGiven, shuffled_rows
from lslo_cli.method.statistics import Interval
from lslo_cli.method.task_scores import macro_f1
from lslo_cli.paper import flare_table
from lslo_cli.report.findings import Verdict
from lslo_cli.report.markdown import markdown

ROWS = 300
FLARE = "flare:add-relu:1"
MODEL = ModelIdentity(
    name="models/small", revision=None, digest="0" * 64, encoder_layers=6, decoder_layers=0, d_model=384,
    ffn_dim=1536, vocab_size=100, parameters=22_700_000,
)  # fmt: skip


def answers(rng, right, knows):
    """The right label where the model knows it, and else any."""
    return [label if rng.random() < knows else rng.randrange(3) for label in right]


def evaluation(seed, language, kind, right_share=0.8):
    """Runs of which FLARE reads its text, its source or both, as ``kind`` says."""
    rng = random.Random(f"{seed} {language} {kind}")
    gold = [rng.randrange(3) for _ in range(ROWS)]
    shuffled = shuffled_rows(ROWS, seed)
    wrong = [gold[row] for row in shuffled]
    lora, source = answers(rng, gold, 0.5), answers(rng, gold, right_share)
    of_wrong = [source[row] for row in shuffled]
    fused = {
        "passes through": (source, answers(rng, gold, 0.0), answers(rng, gold, 0.0), of_wrong),
        "ignores": (lora, lora, lora, lora),
        "fuses": (answers(rng, gold, 0.95), lora, lora, answers(rng, gold, 0.4)),
        "adds nothing": (source, lora, lora, answers(rng, gold, 0.4)),
        "is as good with the mean": (*[answers(rng, gold, 0.95)] * 3, answers(rng, gold, 0.4)),
    }[kind]
    given = {("lora", "matched"): lora, ("translate-test", "matched"): source}
    given |= {(FLARE, str(name)): found for name, found in zip(SourceGiven, fused, strict=True)}
    return FlareEvaluationResult(
        task="nusax",
        language=language,
        metric="macro-F1",
        labels=["negative", "neutral", "positive"],
        gold="".join(map(str, gold)),
        shuffled=shuffled,
        predictions=[
            Prediction(run=run, source=name, score=macro_f1(found, gold, 3), answers="".join(map(str, found)))
            for (run, name), found in given.items()
        ],
    ), macro_f1(wrong, gold, 3)


def study(kind, seeds=(1, 2, 3)):
    keys = [(seed, language) for seed in seeds for language in ("jv", "su")]
    trained = [
        TrainedRun(run=run, method=run, trainable_parameters=n, step_seconds=n) for n, run in
        enumerate(("lora", FLARE), start=1)
    ]  # fmt: skip
    return FlareStudy(
        {key: evaluation(*key, kind)[0] for key in keys},
        {key: FlareTrainingResult(task="nusax", language=key[1], runs=trained) for key in keys},
    )


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("passes through", ControlVerdict.PASSES_THROUGH),
        ("ignores", ControlVerdict.IGNORES),
        ("fuses", ControlVerdict.FUSES),
        ("adds nothing", ControlVerdict.ADDS_NOTHING),
        ("is as good with the mean", ControlVerdict.MEAN_WILL_DO),
    ],
)
def test_a_fused_run_is_called_what_it_is(kind, verdict):
    some = study(kind)
    found = checked_runs(some)
    assert found[FLARE].verdict is verdict
    assert f"| {FLARE} | {verdict.value} |" in markdown(check_table(some, found))


@pytest.mark.parametrize(
    ("seeds", "rows", "p", "verdict"),
    [
        ((0.2, 3.0), (0.1, 3.1), 0.01, Verdict.SHOWS),
        ((0.2, 3.0), (-0.1, 3.3), 0.06, Verdict.WITHIN),
        ((-21.0, 53.0), (13.0, 19.0), 1e-15, Verdict.WITHIN),  # large, and far from sure
        ((-3.0, 0.9), (-2.0, 0.9), 0.5, Verdict.CONTRARY),
        ((-3.0, 0.9), (-4.0, 1.1), 0.5, Verdict.WITHIN),
        ((-3.0, 1.1), (-2.0, 0.9), 0.5, Verdict.WITHIN),
        ((-9.0, -3.0), (-8.0, -4.0), 1e-9, Verdict.CONTRARY),
        (None, (13.0, 19.0), 1e-15, Verdict.UNKNOWN),
        ((5.0, 5.0), (3.0, 7.0), 1e-9, Verdict.WITHIN),  # the same of every seed
        ((-5.0, -5.0), (-7.0, -3.0), 1e-9, Verdict.WITHIN),
        ((0.0, 0.0), (-0.5, 0.5), 0.9, Verdict.CONTRARY),  # no seed differs
    ],
)
def test_a_check_fails_only_where_its_difference_is_known_to_be_small(seeds, rows, p, verdict):
    over_seeds = Interval(*seeds) if seeds else None
    measured = MeasuredDifference(sum(rows) / 2, over_seeds, Interval(*rows), p)
    assert measured.verdict(MARGIN) is verdict


def mixed(kinds, without=()):
    """A study whose n-th seed is of the n-th kind, without the predictions of some runs or sources."""
    keys = [(seed, language) for seed in range(1, len(kinds) + 1) for language in ("jv", "su")]
    found = {key: evaluation(*key, kinds[key[0] - 1])[0] for key in keys}
    for result in found.values():
        result.predictions[:] = [
            test for test in result.predictions if not {test.run, test.source} & set(without)
        ]
    return FlareStudy(found, {})


def test_seeds_that_disagree_are_no_evidence_that_a_source_makes_no_difference():
    some = mixed(["fuses", "ignores"])
    checked = checked_runs(some)
    uses = checked[FLARE].checks["uses its source"]
    assert uses.difference > 10 and uses.p < 1e-6 and uses.verdict is Verdict.WITHIN
    assert checked[FLARE].verdict is ControlVerdict.OPEN
    assert "WARNING" not in markdown(check_table(some, checked)).partition("A check does not show")[0]


def claims_of(some):
    """The rows of the table of claims by what they compare."""
    return {row[2]: row for row in claim_table(some, checked_runs(some)).rows}


def claims(kind, seeds=(1, 2, 3)):
    return claims_of(study(kind, seeds))


def test_a_finding_is_left_open_where_its_controls_are_open_or_were_not_run():
    agreed = mixed(["fuses", "is as good with the mean", "fuses"])
    row = claims_of(agreed)[f"{FLARE} higher than lora"]
    assert row[-1] == Verdict.CONTROLS_OPEN and row[-3] < 1e-6
    halved = mixed(["fuses"] * 3, without=("mean",))
    assert claims_of(halved)[f"{FLARE} higher than lora"][-1] == Verdict.CONTROLS_NOT_RUN
    assert checked_runs(halved)[FLARE].verdict is ControlVerdict.UNKNOWN


def test_a_control_that_fails_decides_even_if_others_were_not_run():
    some = mixed(["adds nothing"] * 3, without=("mean", "lora"))
    assert checked_runs(some)[FLARE].verdict is ControlVerdict.ADDS_NOTHING


def test_an_improvement_can_come_from_both_texts_without_beating_the_target_alone():
    some = study("fuses")
    for result in some.evaluations.values():
        fused = next(t for t in result.predictions if (t.run, t.source) == (FLARE, "matched"))
        result.predictions[:] = [
            test.model_copy(update={"answers": fused.answers}) if test.run == "lora" else test
            for test in result.predictions
        ]
    found = checked_runs(some)[FLARE]
    assert (found.verdict, found.attribution) == (ControlVerdict.NO_BETTER, Verdict.SHOWS)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("fuses", Verdict.SHOWS),
        ("passes through", Verdict.CONTROL),
        ("adds nothing", Verdict.CONTROL),
        ("is as good with the mean", Verdict.CONTROL),
    ],
)
def test_a_claim_about_the_source_cannot_show_where_the_runs_control_fails(kind, verdict):
    *_, p, _, found = claims(kind)[f"{FLARE} higher than lora"]
    assert p < 0.001  # it is higher, whatever the reason
    assert found == verdict


def test_one_seed_shows_nothing():
    assert checked_runs(study("fuses", seeds=(1,)))[FLARE].verdict is ControlVerdict.ONE_SEED
    assert claims("fuses", seeds=(1,))[f"{FLARE} higher than lora"][-1] == Verdict.UNKNOWN


def test_a_difference_of_one_row_does_not_show_however_alike_the_seeds_are():
    some = study("ignores")
    for result in some.evaluations.values():
        for index, test in enumerate(result.predictions):
            if (test.run, test.source) == (FLARE, "matched"):
                wrong = [row for row, label in enumerate(result.gold) if test.answers[row] != label][:1]
                mended = "".join(result.gold[r] if r in wrong else a for r, a in enumerate(test.answers))
                result.predictions[index] = test.model_copy(update={"answers": mended})
    outcome = checked_runs(some)[FLARE].checks["beats the target"]
    assert outcome.interval.low > 0 and outcome.p > 0.05
    assert outcome.verdict is Verdict.CONTRARY  # and it is known to be below the margin


def test_agreement_is_with_what_translate_test_says_to_the_source_that_was_given():
    passes = study("passes through")
    assert set(passes.agreements(FLARE)) == set(passes.agreements(FLARE, SourceGiven.SHUFFLED)) == {100.0}
    fuses = study("fuses")
    assert max(fuses.agreements(FLARE, SourceGiven.SHUFFLED)) < 50


def test_a_run_that_passes_through_repeats_every_error_of_the_source():
    passes = study("passes through")
    assert set(passes.repeated_errors(FLARE)) == {100.0}
    assert all(each.source > 75 > 25 > each.target for each in passes.reliances(FLARE))


def test_chance_is_the_score_of_the_wrong_sources_labels():
    expected = [evaluation(1, language, "fuses")[1] for language in ("jv", "su")]
    assert study("fuses", seeds=(1,)).chances() == {1: pytest.approx(sum(expected) / 2)}


def test_controls_that_were_not_run_leave_the_verdict_open():
    some = study("fuses")
    for result in some.evaluations.values():
        result.predictions[:] = [test for test in result.predictions if test.run != "translate-test"]
    found = checked_runs(some)[FLARE]
    assert found.verdict is ControlVerdict.UNKNOWN
    assert found.checks["beats the source"].verdict is Verdict.NOT_RUN


def test_only_what_fuses_is_held_against_controls():
    assert list(checked_runs(study("fuses"))) == [FLARE]


def spans_of(some):
    """A study as of questions: an answer is 1 if it is right, and no more is known of it."""
    found = {}
    for key, result in some.evaluations.items():
        tests = []
        for test in result.predictions:
            right = [str(int(a == gold)) for a, gold in zip(test.answers, result.gold, strict=True)]
            score = 100 * right.count("1") / ROWS
            tests.append(test.model_copy(update={"answers": "".join(right), "score": score}))
        changes = {"labels": [], "metric": "exact match", "gold": "1" * ROWS, "predictions": tests}
        found[key] = result.model_copy(update=changes)
    return FlareStudy(found, some.trainings)


def test_spans_have_no_labels_that_a_source_could_lend():
    some = spans_of(study("fuses"))
    assert not some.has_labels
    assert some.chances() == some.wrong_labels() == some.wrong_answers() == {}
    assert some.reliances(FLARE) == some.agreements(FLARE) == some.repeated_errors(FLARE) == []
    table = control_table(some)
    assert table.header == [
        "Run", "Right source", "No source", "Mean source", "Shuffled source", "Translate-test", "LoRA",
    ]  # fmt: skip
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert "label" not in "".join(table.notes)


def test_what_a_run_of_spans_passes_through_cannot_be_seen():
    checked = checked_runs(spans_of(study("passes through")))
    assert "reads its text" not in checked[FLARE].checks
    assert checked[FLARE].verdict is ControlVerdict.ADDS_NOTHING
    assert "passes" not in "".join(check_table(spans_of(study("fuses")), checked).notes)


@pytest.mark.parametrize("alike", [True, False])
def test_rows_are_resampled_together_only_where_tests_are_translations_of_each_other(alike):
    some = study("fuses")
    first = some.evaluations[1, "jv"]
    if alike:
        same = {key: first.model_copy(update={"language": key[1]}) for key in some.evaluations}
        some = FlareStudy(same, some.trainings)
    assert some.is_parallel is alike
    comparer, answers = Comparer(some), first.predictions[0].answers
    one, other, later = (comparer._resample(key, answers) for key in ((1, "jv"), (1, "su"), (2, "su")))
    assert (one == other).all() == alike
    if alike:
        assert (other == later).all()
    assert ("the same resamples for all languages" in p_note(some)) is alike
    assert not spans_of(some).is_parallel  # of which 1 for every right answer says nothing


def test_claims_have_our_difference_and_the_papers_beside_it():
    rows = claims("fuses")
    lora = rows[f"{FLARE} higher than lora"]
    assert lora[-1] == Verdict.SHOWS and lora[-2].value == pytest.approx(79.18 - 77.00)
    assert rows["flare-mt higher than lora"][-1] == Verdict.NOT_RUN


def test_ours_stand_below_the_papers_of_the_same_task_and_are_called_ours():
    table = headline_table(study("fuses"), MODEL)
    assert [str(row[1]) for row in table.rows][-2:] == ["Gemma 2 9B", "ours: small, 22.7M"]
    assert table.rows[-1][0] == "NusaX, macro-F1"
    assert "do not compare" in table.notes[0]


def test_ranks_are_among_the_methods_of_the_study_in_the_paper_too():
    table = rank_table(study("fuses"))
    assert table.header == ["Model", "lora", "flare"]
    assert [row[1:] for row in table.rows] == [(2.0, 1.0)] * 5
    assert f"from the means of lora, {FLARE}" in table.notes[0]


def test_all_methods_have_the_papers_printed_ranks_and_one_method_has_none():
    alone = mixed(["fuses"] * 2, without=("lora",))
    table, printed = rank_table(alone), flare_table().ranks
    for row in table.rows[:-1]:
        found = dict(zip(table.header[1:], row[1:], strict=True))
        assert found == pytest.approx(printed[str(row[0])], abs=0.005)
    assert set(table.rows[-1][1:]) == {None} and "fewer than two" in table.notes[0]


def test_ranks_and_the_headline_compare_runs_in_the_seeds_that_all_have():
    whole, found = study("fuses", seeds=(1, 2)), {}
    for key, result in whole.evaluations.items():
        tests = [test for test in result.predictions if key[0] == 1 or test.run != FLARE]
        better = [test.model_copy(update={"score": 99.0}) if key[0] == 2 else test for test in tests]
        found[key] = result.model_copy(update={"predictions": better})
    lacking = FlareStudy(found, whole.trainings)
    table, headline = rank_table(lacking), headline_table(lacking, MODEL)
    assert [row[1:] for row in table.rows] == [(2.0, 1.0)] * 5
    assert "in seed 1 alone, which all of them have" in table.notes[0]
    ours = dict(zip(headline.header, headline.rows[-1], strict=True))
    assert ours["lora"].mean == pytest.approx(whole.averages("lora")[1]) and ours["lora"].n == 1
    assert "in seed 1 alone, which all of them have" in headline.notes[-1]


def renamed(some, *names):
    """A study whose fused run has another name, or stands once for each of several."""
    found = {}
    for key, result in some.evaluations.items():
        tests = [
            test.model_copy(update={"run": name})
            for test in result.predictions
            for name in (names if test.run == FLARE else (test.run,))
        ]
        found[key] = result.model_copy(update={"predictions": tests})
    return FlareStudy(found, {})


def test_a_claim_is_about_every_run_of_flare_mt():
    several = renamed(study("fuses"), "flare-mt:small", "flare-mt:large")
    assert several.run_of("flare-mt") == "flare-mt:small"  # the first of the recipe, not of the alphabet
    rows = claims_of(several)
    differences = {rows[f"flare-mt:{name} higher than lora"][3] for name in ("small", "large")}
    assert len(differences) == 1 and "flare-mt higher than lora" not in rows
    note = headline_table(several, MODEL).notes[-1]
    assert "translate-test, lora, flare-mt:small: of each method" in note


@pytest.mark.parametrize("name", ["flare:mul:1", "flare:add-relu:1~0.4"])
def test_another_run_in_the_place_of_a_method_is_named(name):
    other = renamed(study("fuses"), name)
    table = headline_table(other, MODEL)
    assert dict(zip(table.header, table.rows[-1], strict=True))["flare"].mean > 80
    assert f"lora, {name}:" in table.notes[-1]
    assert claims_of(other)[f"{FLARE} higher than lora"][-1] == Verdict.NOT_RUN


def test_one_seed_has_no_deviation_and_is_not_called_a_mean_of_seeds():
    one, several = (
        " ".join(note for table in flare_tables(study("fuses", seeds), MODEL) for note in table.notes)
        for seeds in ((1,), (1, 2, 3))
    )
    assert "over 3 seeds" in several and "over 6 tests" in several
    assert "Scores: one seed." in one and "over 1" not in one and "over 2 tests" in one


def test_missing_seeds_are_counted():
    some = study("fuses")
    result = some.evaluations[3, "su"]
    result.predictions[:] = [test for test in result.predictions if test.run != FLARE]
    assert some.seed_counts == {2, 3}
    assert "over 2 to 3 seeds" in next(flare_tables(some, MODEL)).notes[0]


def test_a_report_has_every_table_and_a_study_of_nothing_is_refused():
    titles = [table.title for table in flare_tables(study("fuses"), MODEL)]
    assert len(titles) == len(set(titles)) == 7
    with pytest.raises(InputError, match="no evaluation"):
        FlareStudy({}, {})


def with_more(some):
    """A study whose runs that read sources were tested with more noise, which costs translate-test most."""
    found = {}
    for key, result in some.evaluations.items():
        more = [
            test.model_copy(update={"noise": share, "score": test.score - loss * 100 * share})
            for share in (0.2, 0.4)
            for run, loss in ((FLARE, 0.5), ("translate-test", 1.5))
            for test in result.predictions
            if test.run == run and test.source == "matched"
        ]
        found[key] = result.model_copy(update={"predictions": [*result.predictions, *more]})
    return FlareStudy(found, some.trainings)


def test_scores_by_noise_and_what_flare_gains_over_the_better_of_its_rivals():
    plain = study("fuses")
    assert "by noise" not in "".join(table.title for table in flare_tables(plain, MODEL))
    noisy = with_more(plain)
    assert noisy.noise == [0, 0.2, 0.4]
    assert noisy.averages(FLARE) == plain.averages(FLARE)  # tables and controls are of the first share
    rows = {row[0]: row[1:] for row in noise_table(noisy).rows}
    assert [column.name for column in noise_table(noisy).columns[1:]] == [
        "0% of words", "20% of words", "40% of words",
    ]  # fmt: skip
    fused, source, lora = ([cell.mean for cell in rows[run]] for run in (FLARE, "translate-test", "lora"))
    assert fused == pytest.approx([fused[0], fused[0] - 10, fused[0] - 20])
    assert lora == [lora[0]] * 3 and source[0] > lora[0] > source[2]
    gains = [cell.mean for cell in rows[f"{FLARE}, over the better of lora and translate-test"]]
    better = [max(pair) for pair in zip(source, lora, strict=True)]
    assert gains == pytest.approx([one - other for one, other in zip(fused, better, strict=True)])
    assert any("by noise" in table.title for table in flare_tables(noisy, MODEL))
    notes = [" ".join(check_table(some, checked_runs(some)).notes) for some in (plain, noisy)]
    assert ["tests with 0% of the words" in note for note in notes] == [False, True]


def test_token_f1_stands_beside_exact_match():
    some = study("fuses", seeds=(1, 2))
    assert not some.has_token_f1
    asked = {
        key: result.model_copy(
            update={
                "metric": "exact match",
                "labels": [],
                "predictions": [
                    test.model_copy(update={"token_f1": test.score + 5, "answers": "1" * ROWS})
                    for test in result.predictions
                ],
            }
        )
        for key, result in some.evaluations.items()
    }
    tables = {table.title: table for table in flare_tables(FlareStudy(asked, some.trainings), MODEL)}
    exact, f1 = tables["exact match by target language"], tables["token F1 by target language"]
    assert [row[:2] for row in exact.rows] == [row[:2] for row in f1.rows]
    for one, other in zip(exact.rows, f1.rows, strict=True):
        assert [cell.mean + 5 for cell in one[2:5]] == pytest.approx([cell.mean for cell in other[2:5]])


def test_a_test_whose_labels_are_all_the_same_is_reported_without_what_needs_two():
    whole = study("fuses")
    one_label = {
        key: result.model_copy(update={"gold": "0" * len(result.gold)})
        for key, result in whole.evaluations.items()
    }
    only = FlareStudy(one_label, whole.trainings)
    assert only.reliances(FLARE) == []
    tables = {table.title: table for table in flare_tables(only, MODEL)}
    header, rows = (getattr(tables["Controls: the value of the source"], name) for name in ("header", "rows"))
    cells = dict(zip(header, rows[0], strict=True))
    assert cells["Says the wrong source's label, %"] is cells["Says its text's label, %"] is None
    mixed = FlareStudy({**one_label, (1, "jv"): whole.evaluations[1, "jv"]}, whole.trainings)
    assert len(mixed.reliances(FLARE)) == 1
