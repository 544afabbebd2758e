from fractions import Fraction

import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.adapters import Span
from lslo_cli.method.families import SHAPES
from lslo_cli.method.languages import LANGUAGES, resolve_languages
from lslo_cli.method.ranks import RankMap, parse_ranks, uniform_ranks
from lslo_cli.method.sites import SiteSet

LANGUAGE_SETS = {name: resolve_languages(name, LANGUAGES) for name in ("lang12", "lang30")}
TWELVE = LANGUAGE_SETS["lang12"]
M2M = SHAPES["m2m-124-615m"]

# Ranks, sites, parameters in millions of adapters that span all feed-forward units and the first d_model of
# them, and what the paper prints. The misprint: 7.7 fits neither.
PARAMETERS = [
    ("lang12", "4,4,4", "all", 22.41, 15.335, 15.35),
    ("lang12", "8,8,8", "all", 44.83, 30.671, 30.7),
    ("lang12", "16,16,16", "all", 89.65, 61.342, 61.4),
    ("lang12", "64,64,64", "all", 358.61, 245.367, 245.6),
    ("lang12", "2,2,8", "all", 22.41, 15.335, 15.3),
    ("lang12", "2,2,16", "all", 37.36, 25.559, 25.6),
    ("lang12", "2,2,64", "all", 127.01, 86.901, 86.9),
    ("lang30", "8,8,8,8", "all", 112.07, 76.677, 76.7),
    ("lang30", "16,16,16,16", "all", 224.13, 153.354, 153.4),
    ("lang30", "2,2,8,8", "all", 67.24, 46.006, 46.0),
    ("lang12", "2,2,8", "attn", 10.617, 10.617, 10.6),
    ("lang12", "2,2,16", "attn", 17.695, 17.695, 17.7),
    ("lang12", "2,2,16", "fc", 19.66, 7.864, 7.7),
    ("lang12", "2,2,32", "fc", 35.39, 14.156, 14.1),
    ("lang12", "2,2,64", "fc", 66.85, 26.739, 26.7),
]
MISPRINT = ("2,2,16", "fc")


@pytest.mark.parametrize(("name", "ranks", "sites", "of_all", "of_d_model", "_printed"), PARAMETERS)
def test_parameters_depend_on_the_span(name, ranks, sites, of_all, of_d_model, _printed):
    counts = [parse_ranks(ranks, LANGUAGE_SETS[name]).parameters(M2M, SiteSet(sites), span) for span in Span]
    assert counts[list(Span).index(Span.ALL)] / 1e6 == pytest.approx(of_all, abs=0.006)
    assert counts[list(Span).index(Span.D_MODEL)] / 1e6 == pytest.approx(of_d_model, abs=6e-4)


@pytest.mark.parametrize(("_name", "ranks", "sites", "of_all", "of_d_model", "printed"), PARAMETERS)
def test_adapters_of_the_first_d_model_units_have_every_printed_number_but_fc_2_2_16(
    _name, ranks, sites, of_all, of_d_model, printed
):
    # Four of the printed numbers are multiples or halves of a rounded one, and one is truncated.
    close = pytest.approx(printed, rel=0.005)
    assert (of_d_model == close) is ((ranks, sites) != MISPRINT)
    if (ranks, sites) == MISPRINT:
        assert of_all != close


def test_the_span_makes_no_difference_to_attention_and_2_5_to_feed_forward():
    counts = {
        (site_set, span): uniform_ranks(TWELVE, 3).parameters(M2M, site_set, span)
        for site_set in SiteSet
        for span in Span
    }
    assert counts[SiteSet.ATTENTION, Span.ALL] == counts[SiteSet.ATTENTION, Span.D_MODEL]
    feed_forward = [counts[SiteSet.FEED_FORWARD, span] for span in (Span.ALL, Span.D_MODEL)]
    assert Fraction(*feed_forward) == Fraction(5, 2)


def test_one_language_at_rank_1_adds_466944_parameters():
    assert RankMap({"wo": 1}).parameters(M2M) == 466_944


def test_ranks_go_to_classes_from_high_to_very_low():
    rank_map = parse_ranks("2,3,8", TWELVE)
    assert [rank_map.of(code) for code in ("en", "zh", "wo")] == [2, 3, 8]
    assert rank_map.total == 4 * (2 + 3 + 8)


def test_semicolons_and_spaces_are_read_as_the_paper_prints_them():
    assert parse_ranks("2; 2; 8", TWELVE) == parse_ranks("2,2,8", TWELVE)


def test_a_language_counts_before_its_class():
    rank_map = parse_ranks("high=2,medium=4,very-low=8,wo=16", TWELVE)
    assert [rank_map.of(code) for code in ("en", "zh", "oc", "wo")] == [2, 4, 8, 16]


def test_every_language_can_be_named():
    rank_map = parse_ranks("fr=2,en=1", resolve_languages("en,fr", LANGUAGES))
    assert list(rank_map.by_language.items()) == [("en", 1), ("fr", 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2,2", "gives 2 ranks for 3 resource classes: high, medium, very-low"),
        ("8", "gives 1 rank for 3 resource classes"),
        ("2,2,8,8", "gives 4 ranks for 3 resource classes"),
        ("2,2,x", "'x' in --ranks 2,2,x is not a whole number"),
        ("2,2,1.5", "'1.5' in --ranks 2,2,1.5 is not a whole number"),
        ("2,2,-8", "'-8' in --ranks 2,2,-8 is not a whole number"),
        ("2,,8", "'' in --ranks 2,,8 is not a whole number"),
        ("", "is not a whole number"),
        ("0,0,0", "no language has an adapter: all ranks are 0"),
        ("high=2,medium=2,very-low=8,wol=8", "'wol=8' in --ranks names no language .* Did you mean 'wo'"),
        ("high=2,medium=2,low=8", "'low=8' in --ranks names no language or class"),
        ("high=2,medium=2,8", "'8' in --ranks names no language or class"),
        ("high=2,medium=x,very-low=8", "'x' in --ranks medium=x is not a whole number"),
        ("high=2,high=4,medium=2,very-low=8", "names 'high' twice"),
        ("high=2,medium=2,wo=8,oc=8", "gives no rank for or, sd"),
    ],
)
def test_ranks_that_cannot_be_meant_are_refused(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_ranks(text, TWELVE)
    assert caught.value.hint


def test_a_language_of_rank_0_has_no_adapter():
    assert parse_ranks("0,0,8", TWELVE) == parse_ranks("high=0,medium=0,very-low=8", TWELVE)
    ranks = RankMap({"en": 0, "wo": 8})
    assert (ranks.by_language, ranks.of("en"), ranks.total) == ({"wo": 8}, 0, 8)
    with pytest.raises(UsageError, match="no language has an adapter"):
        parse_ranks("0,0,0", TWELVE)
