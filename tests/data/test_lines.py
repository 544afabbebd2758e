import random

import pytest

from lslo_cli.data.lines import damaged, duplicates, normalise, overlap, readable, untranslated
from lslo_cli.data.row_checks import length_outliers


def test_a_repeated_line_is_a_duplicate_from_its_second_time_on_and_a_gap_is_none():
    assert duplicates(["a", "b", "a", "", "", "A", "a"]) == [2, 6]


@pytest.mark.parametrize(
    "line", ["caf\ufffd", "a\x00b", "a\x1b[1m", "a\x85b", "cafÃ©", "Ñ‚ÐµÐºÑ�Ñ‚\ufffd", "â€œquotedâ€\x9d"]
)
def test_damaged_characters_are_seen(line):
    assert damaged(["fine", line]) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "café",
        "Ça va ? Ñandú, Ångström",
        "日本語",
        "ß",
        "tab\tinside",
        "\u200bzero width",
        "Ã is a letter",
        "œuvre €5",
    ],
)
def test_text_of_any_script_is_not_damaged(line):
    assert damaged([line]) == []


@pytest.fixture
def pairs():
    """A pivot of 300 lines, and translations of 0.6 times their length with noise as in real text."""
    generator = random.Random(1)
    pivot = ["p" * generator.randint(5, 250) for _ in range(300)]
    noise = [generator.gauss(0, 1.2) * len(line) ** 0.5 * 0.6**0.5 for line in pivot]
    return pivot, [
        "t" * max(1, round(0.6 * len(line) + each)) for line, each in zip(pivot, noise, strict=True)
    ]


def test_translations_of_usual_lengths_have_no_outliers(pairs):
    assert length_outliers(*pairs) == []


@pytest.mark.parametrize("factor", [0.1, 4])
def test_a_line_much_shorter_or_longer_than_usual_is_an_outlier(pairs, factor):
    pivot, lines = pairs
    pivot[7], lines[7] = "p" * 100, "t" * round(60 * factor)
    assert length_outliers(pivot, lines) == [7]


def test_many_outliers_do_not_hide_each_other(pairs):
    pivot, lines = pairs
    for row in range(0, 300, 4):
        pivot[row], lines[row] = "p" * 150, "t"
    assert length_outliers(pivot, lines) == list(range(0, 300, 4))


def test_shifted_lines_are_outliers_in_part_though_every_length_occurs(pairs):
    pivot, lines = pairs
    assert len(length_outliers(pivot, [*lines[:200], "", *lines[200:-1]])) > 20


def test_lengths_that_never_vary_have_no_outliers_and_neither_do_a_few_rows():
    assert length_outliers(["abcd"] * 50, ["ab"] * 50) == []
    assert length_outliers(["abcd"] * 50, ["ab"] * 49 + ["ab" * 50]) == [49]
    assert length_outliers(["abcd"] * 19, ["ab"] * 18 + ["ab" * 50]) == []


def test_a_gap_has_no_length():
    assert length_outliers(["a" * 50] * 60, ["b" * 50] * 30 + [""] * 30) == []


def test_long_lines_that_are_the_same_in_two_languages_are_untranslated():
    name, sentence = "Albert Einstein", "This was never translated."
    text = {
        "en": [sentence, name, "", sentence],
        "fr": ["Ceci a été traduit, lui.", name, "", sentence],
        "wo": [sentence, name, "", sentence],
    }
    assert untranslated(text) == {("en", "wo"): [0, 3], ("en", "fr"): [3], ("fr", "wo"): [3]}


def test_overlap_is_counted_as_is_and_apart_from_case_and_spaces():
    train = ["Hello there.", "GROSSE Straße", ""]
    test = ["hello  there.", "Hello there.", "große strasse", "new", ""]
    assert overlap(train, test) == ([1], [0, 1, 2])
    assert normalise(" A\u00a0b\u3000 C ") == "a b c"


@pytest.mark.parametrize(
    "line", ["\u200b", "\ufeff", "\u200e\u200f", "\u202b \u202c", "\u2060\xad", "\x07", "\u2581"]
)
def test_a_line_in_which_nothing_can_be_seen_is_a_gap(line):
    assert readable(line) == ""
    assert readable(f"{line}a") == f"{line}a"


def test_one_sentence_in_two_normal_forms_is_one_for_duplicates_and_overlap():
    nfc, nfd = "le caf\u00e9 est ferm\u00e9 ce soir", "le cafe\u0301 est ferme\u0301 ce soir"
    assert nfc != nfd
    assert duplicates([nfc, "x", nfd]) == [2]
    assert overlap([nfd], [nfc, "y"]) == ([0], [0])
    assert duplicates(["a\u200eb", "ab"]) == [1]
    assert untranslated({"en": [nfc], "fr": [nfd]}) == {("en", "fr"): [0]}
