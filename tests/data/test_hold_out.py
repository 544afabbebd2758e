import pytest

from lslo_cli.data.corpus import Corpus, CorpusSection, hold_out
from lslo_cli.errors import InputError


def corpus(rows):
    text = {"en": [f"en {row}" for row in range(rows)], "fr": [f"fr {row}" for row in range(rows)]}
    return Corpus((CorpusSection("text", text),))


def rows_of(part):
    return list(zip(*part.sections[0].text.values(), strict=True))


def test_rows_held_out_are_drawn_by_the_seed_and_left_out_of_training():
    whole = corpus(50)
    train, test = hold_out(whole, 10, seed=1)
    assert sorted(rows_of(train) + rows_of(test)) == sorted(rows_of(whole))
    assert len(rows_of(test)) == 10
    assert hold_out(whole, 10, seed=1)[1].digest == test.digest != hold_out(whole, 10, seed=2)[1].digest


def test_no_sentence_is_held_out_twice_or_trained_on_as_well():
    lines = ["Caf\u00e9", "cafe\u0301", "b", "c", "B ", "d", "e", "f"]
    text = {"en": lines, "fr": [f"fr {row}" for row in range(len(lines))]}
    for seed in range(20):
        train, test = hold_out(Corpus((CorpusSection("text", text),)), 3, seed)
        spelt = [line.casefold().strip().replace("e\u0301", "\u00e9") for line in test.sections[0].text["en"]]
        assert len(set(spelt)) == 3
        kept = {line.casefold().strip().replace("e\u0301", "\u00e9") for line in train.sections[0].text["en"]}
        assert kept and kept.isdisjoint(spelt)


def test_rows_without_a_translation_are_no_test_rows():
    section = CorpusSection("text", {"en": ["a", "b", "c"], "fr": ["", "x", "y"]})
    for seed in range(5):
        assert "a" not in hold_out(Corpus((section,)), 1, seed)[1].sections[0].text["en"]


def test_more_rows_than_there_are_cannot_be_held_out():
    with pytest.raises(InputError, match="9 rows cannot be held out of the 8 of 'text'"):
        hold_out(corpus(8), 9, seed=1)
    with pytest.raises(InputError, match="0 would be left"):
        hold_out(corpus(8), 8, seed=1)


def test_rows_that_are_trained_on_are_spared_as_long_as_others_suffice():
    whole = corpus(50)
    for seed in range(5):
        train, dev = hold_out(whole, 10, seed, spared=40)
        assert rows_of(train)[:40] == rows_of(whole)[:40]
        assert set(rows_of(dev)) == set(rows_of(whole)[40:])
    train, dev = hold_out(whole, 12, seed=1, spared=40)
    assert len(set(rows_of(whole)[:40]) - set(rows_of(train))) == 2
    assert sorted(rows_of(train) + rows_of(dev)) == sorted(rows_of(whole))


def test_a_row_that_shares_a_sentence_with_spared_ones_is_drawn_last():
    text = {"en": ["a", "b", "A ", "c"], "fr": ["1", "2", "3", "4"]}
    for seed in range(5):
        _, dev = hold_out(Corpus((CorpusSection("text", text),)), 1, seed, spared=2)
        assert rows_of(dev) == [("c", "4")]
