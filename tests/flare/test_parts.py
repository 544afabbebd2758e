"""Texts read together are cut part by part, and left alone where they fit."""

import random

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from lslo_cli.flare.base_encoder import BaseTokenizer
from lslo_cli.flare.examples import Example, Question
from lslo_cli.flare.parts import PartTokens, Segment, shares
from lslo_cli.flare.texts import encode, encode_joined, encode_questions
from lslo_cli.models.base import load_base
from lslo_cli.nn.loss import IGNORED
from lslo_cli.recipe.flare import SHORTEST

WORDS = ["<pad>", "<unk>", "<s>", "</s>", *"abcdefgh"]


@pytest.fixture
def tokenizer():
    """A tokenizer of words with the special tokens of RoBERTa, four for a pair."""
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    made.post_processor = TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")


def said(ids):
    return " ".join(WORDS[i] for i in ids)


@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [
        ([3, 5], 8, [3, 5]),
        ([3, 9], 8, [3, 5]),
        ([9, 3], 8, [5, 3]),
        ([9, 9], 7, [3, 4]),
        ([1, 80, 1, 80], 22, [1, 10, 1, 10]),
        ([0, 9, 9], 4, [0, 2, 2]),
        ([9, 9, 9, 9], 4, [1, 1, 1, 1]),
    ],
)
def test_short_parts_stay_whole_and_long_ones_become_equally_long(lengths, room, kept):
    assert shares(lengths, room) == kept


def test_each_part_keeps_its_beginning_and_special_tokens_stay():
    pieces = PartTokens([9, 1, 2, 3, 4, 9, 5, 9], [None, 0, 0, 0, 1, None, 2, None])
    assert pieces.cut(8) is pieces
    assert pieces.cut(6).ids == [9, 1, 4, 9, 5, 9]


def test_a_pair_is_cut_as_the_tokenizer_itself_cuts_it(tokenizer):
    drawn = random.Random(1)
    for _ in range(200):
        question, context = (" ".join(drawn.choices("abcd", k=drawn.randint(1, 12))) for _ in range(2))
        length = drawn.randint(SHORTEST, 20)
        (ids,) = encode_questions(tokenizer, [Question("1", question, context, "a", 0)], length)[0].ids
        assert list(ids) == tokenizer(question, context, truncation=True, max_length=length)["input_ids"]


SOURCE = Question("1", "a b", " ".join("c" * 80), "c", 0)
TARGET = Question("1", "e f", "g " * 5 + "h " + "g " * 74, "h", 10)


def test_a_target_question_survives_a_long_source_and_a_long_target_leaves_room_for_the_source(tokenizer):
    texts, spans = encode_questions(tokenizer, [TARGET], 28, [SOURCE])
    assert said(texts.ids[0]) == (
        "<s> a b " + "c " * 10 + "e f </s> </s> " + "g " * 5 + "h " + "g " * 4 + "</s>"
    )
    assert spans == [((22, 22),)] and texts.contexts == ((17, 27),)
    short = Question("1", "a", "c", "c", 0)
    texts, _ = encode_questions(tokenizer, [TARGET], 20, [short])
    assert said(texts.ids[0]).startswith("<s> a c e f </s> </s> g g g g g h g")


def test_what_fits_is_read_as_the_tokenizer_joins_it(tokenizer):
    source, target = Question("1", " a b ", " c  d ", "c", 1), Question("1", "e", "f g", "f", 0)
    texts, spans = encode_questions(tokenizer, [target], 30, [source])
    joined = tokenizer(f"{source.whole} {target.text}", target.pair)["input_ids"]
    assert list(texts.ids[0]) == joined and spans == [((8, 8),)]
    pair, other = Example("1", "a b", 0, "c"), Example("1", "d", 0, "e f")
    texts = encode_joined(tokenizer, [pair], [other], 30)
    assert list(texts.ids[0]) == tokenizer(pair.whole, other.whole)["input_ids"]


def test_the_second_text_of_an_example_survives_a_long_first(tokenizer):
    long, short = Example("1", "a " * 40, 0, "b"), Example("1", "c " * 40, 0, "d")
    texts = encode_joined(tokenizer, [long], [short], 14)
    assert said(texts.ids[0]) == "<s> a a a a b </s> </s> c c c c d </s>"


def test_a_translation_models_tokenizer_cuts_part_by_part_too():
    base = load_base("world", weights=False)
    tokenizer = BaseTokenizer(base.tokenizer, "qta")
    long, short = "lopaba " * 40, "taro"
    ids = {text: base.tokenizer.encode(text) for text in (long, short)}
    for first, second in ((long, short), (short, long)):
        read = list(encode(tokenizer, [(first, second)], 20).ids[0])
        whole = list(encode(tokenizer, [(first, second)], 500).ids[0])
        assert len(read) == 20 and (read[0], read[-1]) == (whole[0], whole[-1])
        room = 20 - 3 - len(ids[short])
        kept = {text: ids[text][:room] for text in ids}
        assert read[1:-1] == [*kept[first], base.tokenizer.eos_id, *kept[second]]
        assert whole[1:-1] == [*ids[first], base.tokenizer.eos_id, *ids[second]]
    source, target = Example("1", long, 0, short), Example("1", long, 0, short)
    (row,) = encode_joined(tokenizer, [source], [target], 30).ids
    room = (30 - 3 - 2 * len(ids[short])) // 2
    assert len(row) >= 29
    assert list(row[1 : 1 + room]) == ids[long][:room]
    assert list(row[-1 - len(ids[short]) : -1]) == ids[short]
    assert list(row[1 + room : 1 + room + len(ids[short])]) == ids[short]


def test_the_shortest_length_keeps_a_token_of_question_and_context(tokenizer):
    question = Question("1", "a " * 30, "b " * 30, "b", 0)
    texts, spans = encode_questions(tokenizer, [question], SHORTEST)
    assert said(texts.ids[0]) == "<s> a </s> </s> b </s>" and spans == [((4, 4),)]
    texts, _ = encode_questions(tokenizer, [question], 2 * SHORTEST, [question])
    assert set("ab") <= set(said(texts.ids[0])) and len(texts.ids[0]) == 12


def test_a_context_without_tokens_has_no_answer(tokenizer):
    question = Question("1", "a", " ", " ", 0)
    texts, spans = encode_questions(tokenizer, [question], 10)
    assert spans == [((IGNORED, IGNORED),)]
    assert texts.padded([0])["context_mask"].sum() == 1


def test_the_parts_of_a_segment_end_where_its_texts_do():
    segment = Segment.before(Question("1", " who?", "c d ", "c", 0), "e")
    assert segment.text == "who? c d e" and segment.ends == (4, 8)
    assert [segment.part(end) for end in (4, 6, 8, 10)] == [0, 1, 1, 2]
