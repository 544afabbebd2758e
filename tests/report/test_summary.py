"""What runs show, in sentences."""

import pytest

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import CorrelationRow
from lslo_cli.method.languages import Resource
from lslo_cli.report.summary import correlation_sentence, summarise

GROUPS = [f"{src}2{tgt}" for src in "HMV" for tgt in "HMV"]


@pytest.fixture
def seed(written, tmp_path):
    """Evaluations by run, where every direction scores what is given for its run."""

    def seed(number, **scores):
        experiment = written(tmp_path / f"seed-{number}", seed=number)
        return {
            run: store.read(
                experiment.evaluation(run, dict.fromkeys(GROUPS, score) | {"V2V": score + bonus}),
                EvaluationResult,
            ).result
            for run, (score, bonus) in scores.items()
        }

    return seed


def test_one_seed_says_what_changed_and_that_it_shows_nothing(seed):
    first, last = summarise([seed(2, base=(20, 0), full=(19, 7))], "base")
    assert first == (
        "full against the base model, in spBLEU: -0.4 on average, -1.0 among high-resource languages (H2H), "
        "+6.0 among very-low-resource languages (V2V)."
    )
    assert last == "One seed says nothing about others: the differences may be chance."


def test_several_seeds_give_intervals(seed):
    seeds = [seed(number, base=(20, 0), tuned=(21 + number / 10, 0)) for number in (1, 2, 3)]
    first, last = summarise(seeds, "base")
    assert "+1.2 [+1.0, +1.4] on average" in first
    assert last == "Brackets: 95 % interval over 3 seeds."


def test_languages_without_a_class_are_not_those_with_the_least_text(seed):
    evaluations = seed(2, base=(20, 0), full=(19, 7))
    (v,) = {each.resource for each in evaluations["base"].languages if each.code == "wo"}
    unlabelled = {
        run: result.model_copy(
            update={
                "languages": [
                    each.model_copy(update={"resource": Resource.UNLABELLED}) if each.resource is v else each
                    for each in result.languages
                ]
            }
        )
        for run, result in evaluations.items()
    }
    first, _ = summarise([unlabelled], "base")
    assert first.endswith("among high-resource languages (H2H), -1.0 among medium-resource languages (M2M).")


def test_no_change_is_said_so(seed):
    assert "no change on average" in next(summarise([seed(2, base=(20, 0), same=(20, 0))], "base"))


def test_a_small_mean_with_a_wide_interval_is_not_called_no_change(seed):
    seeds = [seed(number, base=(20, 0), tuned=(20 + change, 0)) for number, change in ((1, 2), (2, -2))]
    first, _ = summarise(seeds, "base")
    assert "+0.0 [-25.4, +25.4] on average" in first and "no change" not in first
    alike = [seed(number, base=(20, 0), same=(20 + number / 1000, 0)) for number in (3, 4)]
    assert "no change [-0.0, +0.0] on average" in next(summarise(alike, "base"))


def test_a_run_that_some_seeds_lack_says_how_many_have_it_wherever_it_is_missing(seed):
    seeds = [
        seed(1, base=(20, 0), full=(21, 0)),
        seed(2, base=(20, 0), full=(21, 0), small=(22, 0)),
        seed(3, base=(20, 0), small=(22.2, 0)),
    ]
    full, small, last = summarise(seeds, "base")
    assert full.startswith("full against the base model, in spBLEU, in 2 of 3 seeds: +1.0 [")
    assert small.startswith("small against the base model, in spBLEU, in 2 of 3 seeds: +2.1 [")
    assert last == "Brackets: 95 % interval over 3 seeds, or over as many as a sentence names."


def test_a_seed_without_the_base_is_left_out_and_counted(seed):
    seeds = [seed(1, full=(29, 0)), seed(2, base=(20, 0), full=(21, 0)), seed(3, base=(20, 0))]
    only, last = summarise(seeds, "base")
    assert only.startswith("full against the base model, in spBLEU, in 1 of 3 seeds: +1.0 on average")
    assert last == "One seed says nothing about others: the differences may be chance."


@pytest.mark.parametrize("runs", [{"full": (20, 0)}, {"base": (20, 0)}])
def test_without_a_base_or_another_run_nothing_is_said(seed, runs):
    assert list(summarise([seed(2, **runs)], "base")) == []


def row(r, p=0.01):
    measures = dict.fromkeys(("pearson_p", "spearman", "spearman_p"))
    return CorrelationRow(
        stack="all", kind="total", n=11, pearson=r, pearson_log=r, pearson_log_p=p, **measures
    )


def test_the_correlation_is_the_mean_over_seeds_and_absent_where_scores_do_not_vary():
    assert correlation_sentence([row(0.9), row(1.0)]) == (
        "Importance score against the logarithm of bitext size: r = 0.95; "
        "the less text a language has, the more capacity it takes."
    )
    assert correlation_sentence([row(-0.9)]).endswith("the less capacity it takes.")
    assert correlation_sentence([row(None)]) is None


def test_a_correlation_that_may_be_chance_in_some_seed_is_no_relation():
    assert correlation_sentence([row(0.9), row(0.2, p=0.5)]).endswith("no relation shows in every seed.")
    assert correlation_sentence([row(0.9), row(-0.9)]).endswith("no relation shows in every seed.")
    assert correlation_sentence([row(0.2, p=0.5)]).endswith("no relation shows.")
