from collections import Counter
from itertools import islice

from lslo_cli.world.meaning import LEXICON, Word, meanings


def test_meanings_are_different_and_the_same_for_the_same_seed():
    first, again = list(islice(meanings("a"), 500)), list(islice(meanings("a"), 500))
    assert first == again
    assert len(set(first)) == 500
    assert first != list(islice(meanings("b"), 500))


def test_every_verb_is_used_and_frequent_ones_are_far_more_frequent_than_rare_ones():
    counts = Counter(meaning.verb for meaning in islice(meanings("a"), 20_000))
    assert set(counts) == set(range(LEXICON[Word.VERB]))
    assert counts[0] > 10 * counts[LEXICON[Word.VERB] - 1]
