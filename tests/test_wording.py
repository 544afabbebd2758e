import pytest

from lslo_cli.wording import counted, over, several


@pytest.mark.parametrize(
    ("number", "nouns", "words"),
    [
        (0, ("job",), "0 jobs"),
        (1, ("job",), "1 job"),
        (1012, ("sentence",), "1,012 sentences"),
        (1, ("resource class", "resource classes"), "1 resource class"),
        (2, ("resource class", "resource classes"), "2 resource classes"),
    ],
)
def test_a_noun_agrees_with_its_number(number, nouns, words):
    assert counted(number, *nouns) == words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1], "one seed"),
        ([3, 3], "mean over 3 seeds"),
        ([2, 3, 5], "mean over 2 to 5 seeds"),
        ([1, 2], "mean over 1 to 2 seeds"),
    ],
)
def test_one_seed_is_over_nothing(counts, words):
    assert over("mean", counts) == words


def test_what_is_counted_has_its_own_noun():
    assert over("mean", [1200], "test") == "mean over 1,200 tests" and over("mean", [1], "test") == "one test"


@pytest.mark.parametrize(
    ("most", "words"), [(3, "a, b, c"), (2, "a, b and 1 more"), (1, "a and 2 more"), (4, "a, b, c")]
)
def test_of_many_things_the_first_are_named_and_the_others_counted(most, words):
    assert several(iter("abc"), most) == words
