from collections import Counter
from itertools import islice

from lslo_cli.world.meaning import LEXICON, REPORT, TALK, TOPIC, Word, meanings


def test_meanings_are_different_and_the_same_for_the_same_seed():
    first, again = list(islice(meanings("a", TALK), 500)), list(islice(meanings("a", TALK), 500))
    assert first == again
    assert len(set(first)) == 500
    assert first != list(islice(meanings("b", TALK), 500))


def test_every_verb_is_used_and_frequent_ones_are_far_more_frequent_than_rare_ones():
    counts = Counter(meaning.verb for meaning in islice(meanings("a", TALK), 20_000))
    assert set(counts) == set(range(LEXICON[Word.VERB]))
    assert counts[0] > 10 * counts[LEXICON[Word.VERB] - 1]


def test_reports_return_to_their_topic_and_are_longer_than_talk():
    def nouns(genre):
        return [meaning.subject.noun for meaning in islice(meanings("a", genre), 2_000)]

    def places(genre):
        return sum(meaning.place is not None for meaning in islice(meanings("a", genre), 2_000))

    assert sum(noun in TOPIC for noun in nouns(REPORT)) > 2 * sum(noun in TOPIC for noun in nouns(TALK))
    assert places(REPORT) > 1.5 * places(TALK)


def test_known_meanings_are_left_out():
    known = list(islice(meanings("a", TALK), 50))
    assert set(islice(meanings("a", TALK, known), 500)).isdisjoint(known)
