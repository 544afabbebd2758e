"""Dividing a budget of ranks: each rule on numbers that a reader can divide as well."""

from dataclasses import replace

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.allocation import Estimate, Rule, Spectrum, allocate, rank_budget
from lslo_cli.method.importance import PrunedMatrix
from lslo_cli.method.languages import LANG12, LANGUAGES
from lslo_cli.method.sites import Site

SITE, OTHER = Site.parse("encoder.1.q"), Site.parse("decoder.2.fc1")


def estimate(pruned, spectra=None, gains=None, site=SITE, folds=None):
    """Of each language so many of 100 entries pruned, with singular values at one site."""
    matrices = [PrunedMatrix(site, code, count, 100) for code, count in pruned.items()]
    found = [Spectrum(site, code, 32, values) for code, values in (spectra or {}).items()]
    return Estimate(matrices, 0.7, found, gains or {}, folds or {})


@pytest.mark.parametrize("rule", [None, *Rule])
def test_an_estimate_of_more_languages_is_divided_as_one_of_these_alone(rule):
    pruned = {"a": 80, "b": 72, "c": 60, "d": 10}
    spectra = {"a": [4.0, 3.0], "b": [5.0, 2.0], "c": [9.0, 1.0], "d": [9.0, 9.0]}
    gains = {"a": 0.1, "b": 0.3, "c": 0.7, "d": 3.0}
    folds = {code: [gain - 0.1, gain + 0.1] for code, gain in gains.items()}

    def of(codes):
        values = ({code: each[code] for code in codes} for each in (pruned, spectra, gains))
        return estimate(*values, folds={code: folds[code] for code in codes})

    whole = of("abcd")
    divided = allocate(whole.of(["c", "a", "b"]), 12, rule)
    assert divided == allocate(of("abc"), 12, rule)
    assert sum(divided.ranks.values()) == 12 and set(divided.ranks) == set("abc")
    assert divided.pruned == allocate(of("abc"), 12, rule).pruned
    assert whole.of("abcd") == whole


@pytest.mark.parametrize("rule", Rule)
def test_equal_remainders_go_by_the_order_of_the_recipe_whatever_layer_a_language_is_first_in(rule):
    measured = [(SITE, "b"), (SITE, "c"), (OTHER, "a"), (OTHER, "b"), (OTHER, "c")]
    matrices = [PrunedMatrix(site, code, 70, 100) for site, code in measured]
    spectra = [Spectrum(site, code, 32, [2.0, 1.0]) for site, code in measured]
    found = Estimate(matrices, 0.7, spectra, dict.fromkeys("bca", 0.5)).of("abc")
    assert found.languages == ("a", "b", "c")
    ranks = allocate(found, 4, rule).ranks
    assert list(ranks) == ["a", "b", "c"]
    if rule is not Rule.SPECTRUM:  # which knows no remainders here
        assert ranks == {"a": 2, "b": 1, "c": 1}


@pytest.mark.parametrize("rule", [Rule.SIGN, Rule.KEPT])
def test_a_language_that_is_compared_with_no_other_has_the_mean_share_and_is_not_pruned(rule):
    measured = [(SITE, "s", 70), (OTHER, "a", 80), (OTHER, "b", 75), (OTHER, "c", 55)]
    found = Estimate([PrunedMatrix(site, code, count, 100) for site, code, count in measured], 0.7)
    divided = allocate(found.of("sabc"), 16, rule)
    assert divided.shares["s"] == pytest.approx(1 / 4) and divided.ranks["s"] == 4
    assert divided.pruned == ("a", "b")
    others = allocate(Estimate(found.matrices[1:], 0.7), 12, rule)
    assert {code: divided.ranks[code] for code in "abc"} == others.ranks
    # Also where it was compared with others in some layers: these alone count.
    more = [PrunedMatrix(OTHER, "s", 90, 100), *found.matrices]
    assert allocate(Estimate(more, 0.7), 16, rule) == allocate(Estimate([more[0], *more[2:]], 0.7), 16, rule)
    alone = Estimate([PrunedMatrix(SITE, "s", 70, 100), PrunedMatrix(OTHER, "a", 70, 100)], 0.7)
    assert allocate(alone, 4, rule).ranks == {"s": 2, "a": 2}


def test_by_sign_there_are_two_levels_one_to_four():
    found = estimate({"a": 80, "b": 75, "c": 70, "d": 55})
    divided = allocate(found, 14, Rule.SIGN)
    assert divided.ranks == {"a": 2, "b": 2, "c": 2, "d": 8}
    assert divided.shares["d"] == pytest.approx(4 * divided.shares["a"])


def test_by_what_was_kept_the_largest_share_is_four_times_the_smallest():
    divided = allocate(estimate({"a": 80, "b": 72, "c": 60}), 21, Rule.KEPT)
    # kept 20, 28 and 40: the exponent is log 4 / log 2 = 2, so 400 : 784 : 1600.
    assert divided.ranks == {"a": 3, "b": 6, "c": 12}
    assert divided.shares["c"] == pytest.approx(4 * divided.shares["a"])
    assert allocate(estimate({"a": 70, "b": 70}), 8, Rule.KEPT).ranks == {"a": 4, "b": 4}


def test_by_spectrum_the_largest_directions_of_all_are_bought():
    found = estimate({"a": 70, "b": 70, "c": 70}, {"a": [9, 1, 0.5], "b": [8, 7, 6], "c": [5, 0.2, 0.1]})
    assert allocate(found, 5, Rule.SPECTRUM).ranks == {"a": 1, "b": 3, "c": 1}
    assert allocate(found, 3, Rule.SPECTRUM).ranks == {"a": 1, "b": 2, "c": 0}


def test_a_direction_of_a_wide_matrix_costs_more():
    found = Estimate(
        [PrunedMatrix(site, code, 0, 100) for site in (SITE, OTHER) for code in "ab"],
        0.7,
        [
            Spectrum(SITE, "a", 32, [4.0, 3.0]),
            Spectrum(OTHER, "a", 96, [0.2, 0.1]),
            Spectrum(SITE, "b", 32, [0.2, 0.1]),
            Spectrum(OTHER, "b", 96, [9.0, 8.0]),
        ],
    )
    # A rank costs 128: both directions of b at the wide site take 192, and what is left buys two of a.
    divided = allocate(found, 2, Rule.SPECTRUM)
    assert divided.shares == pytest.approx({"a": 0.25, "b": 0.75})


def test_by_gain_a_language_that_gains_nothing_gets_nothing():
    found = estimate(dict.fromkeys("abc", 70), gains={"a": -0.2, "b": 0.1, "c": 0.3})
    divided = allocate(found, 8, Rule.GAIN)
    assert (divided.rule, divided.ranks) == (Rule.GAIN, {"a": 0, "b": 2, "c": 6})
    assert divided.rank_map.by_language == {"b": 2, "c": 6}


def test_in_levels_who_gains_more_than_the_mean_gets_four_times_as_much_and_who_gains_nothing_none():
    gains = {"a": 0.05, "b": 0.1, "c": 0.6, "d": 0.9, "e": -0.1}
    divided = allocate(estimate(dict.fromkeys("abcde", 70), gains=gains), 20, Rule.LEVELS)
    assert divided.rule is Rule.LEVELS
    assert divided.ranks == {"a": 2, "b": 2, "c": 8, "d": 8, "e": 0}
    assert set(divided.pruned) == {"a", "b", "e"}


def test_levels_of_gains_alike_are_one_level():
    divided = allocate(estimate(dict.fromkeys("abc", 70), gains={"a": 0.5, "b": 0.6, "c": 0.9}), 12)
    assert divided.ranks == {"a": 4, "b": 4, "c": 4}
    assert divided.is_flat


def test_gains_that_differ_by_chance_alone_give_equal_ranks_and_nobody_is_pruned():
    folds = {"a": [0.1, 0.5], "b": [0.5, 0.1], "c": [0.2, 0.3]}
    found = estimate(dict.fromkeys("abc", 70), gains={"a": 0.3, "b": 0.1, "c": 0.25}, folds=folds)
    divided = allocate(found, 12, Rule.GAIN)
    assert found.reliability == 0
    assert divided.ranks == {"a": 4, "b": 4, "c": 4}
    assert divided.is_flat and divided.pruned == ()


def test_gains_that_differ_in_every_fold_alike_are_taken_as_they_are():
    folds = {"a": [0.1, 0.2], "b": [0.3, 0.4], "c": [0.7, 0.8]}  # a column adds the same to all
    found = estimate(dict.fromkeys("abc", 70), gains={"a": 0.1, "b": 0.3, "c": 0.8}, folds=folds)
    assert found.reliability == pytest.approx(1)
    assert found.expected_gains == pytest.approx(found.gains)
    assert allocate(found, 12, Rule.GAIN).ranks == {"a": 1, "b": 3, "c": 8}


def test_gains_are_drawn_to_their_mean_by_what_is_chance():
    folds = {"a": [0.0, 0.2], "b": [0.3, 0.3], "c": [0.8, 0.6]}
    found = estimate(dict.fromkeys("abc", 70), gains={"a": 0.1, "b": 0.3, "c": 0.7}, folds=folds)
    # Rows have means 0.1, 0.3, 0.7 and columns equal ones: MS_rows 2 x 0.28/3, MS_rest 0.04/2.
    reliable = 1 - 0.02 / (2 * 0.28 / 3)
    assert found.reliability == pytest.approx(reliable)
    mean = 1.1 / 3
    assert found.expected_gains["c"] == pytest.approx(mean + reliable * (0.7 - mean))


def test_where_no_gain_is_left_ranks_follow_what_was_kept():
    found = estimate(
        {"a": 80, "b": 60}, gains={"a": 0.1, "b": -0.3}, folds={"a": [0.5, -0.3], "b": [-0.6, 0.0]}
    )
    assert found.reliability == 0 and found.best_rule is Rule.KEPT
    assert allocate(found, 5).ranks == {"a": 1, "b": 4}


def test_a_mixture_divides_gains_by_direction():
    found = estimate(
        dict.fromkeys("abc", 70),
        {"a": [1.0, 1.0], "b": [2.0, 1.0], "c": [5.0, 5.0]},
        {"a": 0.4, "b": 0.5, "c": 0.0},
    )
    # a is worth 0.2 a direction; b 0.4 and 0.1; c nothing, whatever it learned.
    assert allocate(found, 3, Rule.MIXTURE).ranks == {"a": 2, "b": 1, "c": 0}


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("budget", [1, 7, 20])
def test_ranks_add_up_to_the_budget(rule, budget):
    codes = "abcdefg"
    found = estimate(
        dict(zip(codes, (95, 88, 81, 77, 60, 33, 20), strict=True)),
        {code: [(1 + place) * 0.9**n for n in range(8)] for place, code in enumerate(codes)},
        {code: place / 10 for place, code in enumerate(codes)},
    )
    divided = allocate(found, budget, rule)
    assert sum(divided.ranks.values()) == budget
    assert divided.ranks.keys() == set(codes)
    assert sum(divided.shares.values()) == pytest.approx(1)
    assert all(abs(divided.ranks[code] - divided.shares[code] * budget) < 1 for code in codes)
    shares = [divided.shares[code] for code in codes]
    assert shares == sorted(shares)


@pytest.mark.parametrize("rule", [Rule.LEVELS, Rule.GAIN, Rule.MIXTURE])
def test_gains_within_a_fifth_of_perplexity_count_as_equal_however_reliable(rule):
    gains = {"a": 0.01, "b": 0.05, "c": 0.2}
    folds = {code: [gain, gain] for code, gain in gains.items()}
    spectra = {code: [3.0, 2.5, 2.0, 1.5, 1.0, 0.5] for code in gains}
    found = estimate(dict.fromkeys(gains, 70), spectra, gains, folds=folds)
    assert found.reliability == pytest.approx(1)
    divided = allocate(found, 12, rule)
    assert divided.is_flat and divided.pruned == () and divided.ranks == dict.fromkeys(gains, 4)
    wider = replace(found, gains={**gains, "c": 0.22}, gains_by_fold={**folds, "c": [0.22, 0.22]})
    divided = allocate(wider, 12, rule)
    assert not divided.is_flat and divided.ranks["c"] >= 6
    assert "a" in divided.pruned and "c" not in divided.pruned


def test_the_mixture_tells_languages_apart_whatever_the_budget():
    spectra = dict.fromkeys("abc", (3.0, 2.0, 1.0, 0.5))
    found = estimate(dict.fromkeys("abc", 70), spectra, {"a": 0.1, "b": 0.3, "c": 0.9})
    small, large = (allocate(found, budget, Rule.MIXTURE) for budget in (6, 120))
    assert small.ranks == {"a": 1, "b": 2, "c": 3}  # of 9/14.25, 4/14.25, 1/14.25 and 0.25/14.25 times a gain
    assert large.shares == small.shares and large.ranks == {"a": 20, "b": 40, "c": 60}
    assert allocate(found, 1, Rule.MIXTURE).ranks == {"a": 0, "b": 0, "c": 1}


def test_a_map_without_contrast_is_flat_and_one_with_contrast_is_not():
    assert allocate(estimate({"a": 70, "b": 70}), 8, Rule.KEPT).is_flat
    assert allocate(estimate(dict.fromkeys("ab", 70), gains={"a": 0.2, "b": 0.3}), 8).is_flat
    assert not allocate(estimate(dict.fromkeys("ab", 70), gains={"a": 0.2, "b": 0.5}), 8).is_flat
    assert not allocate(estimate(dict.fromkeys("ab", 70), gains={"a": 0.0, "b": 0.5}), 8).is_flat


def test_who_gets_less_than_the_mean_is_pruned():
    found = estimate({"a": 80, "b": 75, "c": 72, "d": 55})
    assert allocate(found, 14, Rule.SIGN).pruned == ("a", "b", "c")
    assert allocate(estimate({"a": 70, "b": 70}), 8, Rule.SIGN).pruned == ()


def test_the_rule_follows_what_the_estimate_has():
    pruned = {"a": 80, "b": 60}
    assert allocate(estimate(pruned), 8).rule is Rule.KEPT
    spectra, gains = {"a": [2.0, 1.0], "b": [3.0, 2.0]}, {"a": 0.1, "b": 0.5}
    assert allocate(estimate(pruned, spectra, gains), 2).rule is Rule.MIXTURE
    assert allocate(estimate(pruned, gains=gains), 8).rule is Rule.LEVELS  # of an earlier version
    assert allocate(estimate(pruned, spectra), 2).rule is Rule.KEPT
    assert allocate(estimate(pruned, gains={"a": -0.1, "b": 0.0}), 8).rule is Rule.KEPT


@pytest.mark.parametrize(
    ("rule", "found", "message"),
    [
        (Rule.GAIN, {}, "needs the gain of each language on dev text"),
        (Rule.MIXTURE, {"spectra": {"a": [1.0], "b": [1.0]}}, "needs the gain of each language"),
        (Rule.SPECTRUM, {}, "needs singular values, which estimates of earlier versions lack"),
        (Rule.GAIN, {"gains": {"a": -1.0, "b": 0.0}}, "gives no language a rank"),
    ],
)
def test_a_rule_whose_data_are_missing_is_refused(rule, found, message):
    with pytest.raises(UsageError, match=message) as error:
        allocate(estimate({"a": 80, "b": 60}, **found), 8, rule)
    assert error.value.hint


def test_a_budget_is_parameters_a_share_or_that_of_other_ranks():
    languages = [LANGUAGES[code] for code in LANG12]
    assert rank_budget("350000", languages, per_rank=7000, base=10_000_000) == 50
    assert rank_budget("350_000", languages, per_rank=7000, base=10_000_000) == 50
    assert rank_budget("2.5%", languages, per_rank=7000, base=10_000_000) == 35
    assert rank_budget("same-as:2,2,8", languages, per_rank=7000, base=10_000_000) == 48
    for text in ("much", "-5", "0", "nan", "%"):
        with pytest.raises(UsageError, match=f"--budget {text} is not a number of parameters"):
            rank_budget(text, languages, per_rank=7000, base=10_000_000)
    with pytest.raises(UsageError, match="a budget of 0 ranks gives no language an adapter"):
        allocate(estimate({"a": 80, "b": 60}), rank_budget("100", languages, 7000, 10_000_000))


def test_a_language_that_is_measured_at_fewer_sites_has_no_lower_rank_for_it():
    """The same shares are kept of all that is measured, of "a" at two sites and of the others at one."""
    measured = [(SITE, "a", 70), (OTHER, "a", 70), (SITE, "b", 80), (OTHER, "c", 60)]
    matrices = [PrunedMatrix(site, code, count, 100) for site, code, count in measured]
    spectra = [Spectrum(site, code, 32, [9.0, 5.0, 1.0]) for site, code, _ in measured]
    found = Estimate(matrices, 0.7, spectra)
    kept = allocate(found, 70, Rule.KEPT).ranks
    assert kept["b"] < kept["a"] < kept["c"]
    assert len(set(allocate(found, 6, Rule.SPECTRUM).ranks.values())) == 1


def test_a_rule_that_gives_no_rank_does_not_name_itself_as_the_way_out():
    nothing = estimate({"a": 100, "b": 100})
    with pytest.raises(UsageError, match="rule 'kept' gives no language a rank") as error:
        allocate(nothing, 8, Rule.KEPT)
    assert "kept" not in error.value.hint and error.value.hint.endswith("--target-ratio 0.7")
