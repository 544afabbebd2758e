import numpy as np
import pytest

from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.method.languages import Direction
from lslo_cli.training.tokenized import TokenizedCorpus

EN_FR, FR_EN, WO_FR = Direction("en", "fr"), Direction("fr", "en"), Direction("wo", "fr")


@pytest.fixture
def corpus():
    return Corpus(
        (
            CorpusSection("news", {"en": ["a b c", "d"], "fr": ["e", ""]}),
            CorpusSection("bible", {"fr": ["f g", "h"], "en": ["", "i j"], "wo": ["k", "l"]}),
        )
    )


def test_a_sentence_is_tokenised_once_however_many_directions_use_it(corpus, words):
    tokenized = TokenizedCorpus(corpus, words)
    tokenized.examples([EN_FR, FR_EN, WO_FR])
    assert len(words.encoded) == 10
    assert tokenized.pieces("en", 0, 0) == words.encode("a b c")
    assert tokenized.pieces("en", 1, 1) == words.encode("i j")
    assert tokenized.pieces("fr", 0, 1) == []


def test_examples_are_the_rows_of_each_direction_with_lengths_that_count_specials(corpus, words):
    examples = TokenizedCorpus(corpus, words).examples([EN_FR, FR_EN, WO_FR, Direction("en", "de")])
    assert examples.direction.tolist() == [0, 0, 1, 1, 2, 2]
    assert examples.section.tolist() == [0, 1, 0, 1, 1, 1]
    assert examples.row.tolist() == [0, 1, 0, 1, 0, 1]
    assert examples.source_length.tolist() == [5, 4, 3, 3, 3, 3]
    assert examples.target_length.tolist() == [3, 3, 5, 4, 4, 3]
    assert examples.width.tolist() == [5, 4, 5, 4, 4, 3]
    assert examples[np.array([3, 0])].row.tolist() == [1, 0]
