"""Padding and batches."""

import pytest
import torch
from transformers import BertTokenizerFast

from lslo_cli.flare.examples import Example, Question
from lslo_cli.flare.heads import Classifier, SpanFinder, pooled
from lslo_cli.flare.source import Side
from lslo_cli.flare.texts import (
    Texts,
    encode,
    encode_joined,
    encode_questions,
    prediction_batches,
    training_batches,
)
from lslo_cli.nn.loss import IGNORED

ROWS = ((5, 6, 7), (8,))


def test_padding_stands_on_its_side():
    right = Texts(ROWS, 0).padded([1, 0], 4)
    assert right["input_ids"].tolist() == [[8, 0, 0, 0], [5, 6, 7, 0]]
    assert right["attention_mask"].tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]
    left = Texts(ROWS, 0, Side.LEFT).padded([0, 1])
    assert left["input_ids"].tolist() == [[5, 6, 7], [0, 0, 8]]


def test_training_batches_hold_every_row_once_and_differ_by_epoch_and_seed():
    lengths = [row % 17 for row in range(100)]
    batches = training_batches(lengths, 8, seed=1, epoch=1)
    assert sorted(row for batch in batches for row in batch) == list(range(100))
    assert batches == training_batches(lengths, 8, seed=1, epoch=1)
    assert batches != training_batches(lengths, 8, seed=1, epoch=2)
    assert batches != training_batches(lengths, 8, seed=2, epoch=1)
    spread = [max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in batches]
    assert sum(spread) / len(spread) < 6  # texts of like length share a batch


def test_prediction_batches_are_sorted():
    assert prediction_batches([3, 1, 2], 2) == [[1, 2], [0]]


def test_pooling_leaves_padding_out():
    states = torch.arange(8.0).reshape(1, 4, 2)
    left, right = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[1, 1, 0, 0]])
    assert pooled(states, right).tolist() == [[1, 2]]
    assert pooled(states, left).tolist() == [[5, 6]]


def test_a_classifier_gives_logits_for_every_label():
    states = torch.randn(2, 5, 4)
    assert Classifier(4, 3)(states, torch.ones(2, 5, dtype=torch.long)).shape == (2, 3)


def test_a_span_lies_in_the_context_and_does_not_end_before_it_begins():
    head = SpanFinder(2)
    head.linear.weight.data, head.linear.bias.data = torch.eye(2), torch.zeros(2)
    states = torch.zeros(1, 5, 2)
    states[0, :, 0] = torch.tensor([9.0, 0, 0, 3, 0])  # begins best at 0, then at 3
    states[0, :, 1] = torch.tensor([0.0, 4, 0, 0, 1])  # ends best at 1, then at 4
    logits = head(states, torch.tensor([[0, 1, 1, 1, 1]]))
    assert logits.shape == (1, 5, 2)
    assert head.answers(logits).tolist() in ([[1, 1]], [[3, 4]])  # both sum to 4
    states[0, 4, 1] = 2
    assert head.answers(head(states, torch.tensor([[0, 1, 1, 1, 1]]))).tolist() == [[3, 4]]


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer of words that knows from which characters they come."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "?", "the", "old", "cat", "sat", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    return BertTokenizerFast(str(tmp_path / "vocab.txt"))


def test_an_answer_in_characters_becomes_tokens(tokenizer):
    question = Question("1", "who?", "The old cat sat.", "old cat", 4)
    texts, spans = encode_questions(tokenizer, [question], max_length=20)
    # [CLS] who ? [SEP] the old cat sat . [SEP]
    assert spans == [((5, 6),)]
    assert texts.contexts == ((4, 9),)
    assert texts.padded([0], 12)["context_mask"].tolist() == [[0] * 4 + [1] * 5 + [0] * 3]


def test_texts_that_are_cut_are_counted_and_those_that_just_fit_are_not(tokenizer):
    pairs = [("the cat", "sat ."), ("the old cat", "sat ."), ("the", "")]
    assert encode(tokenizer, pairs, max_length=7).cut == 1
    examples = [Example("1", first, 0, second) for first, second in pairs]
    assert encode_joined(tokenizer, examples, examples, max_length=11).cut == 1
    assert encode_questions(tokenizer, [Question("1", "who?", "The cat.", "cat", 4)], 8)[0].cut == 0
    assert encode_questions(tokenizer, [Question("1", "who?", "The cat.", "cat", 4)], 7)[0].cut == 1


def test_an_answer_that_is_cut_off_is_ignored(tokenizer):
    question = Question("1", "who?", "The old cat sat.", "old cat", 4)
    _, spans = encode_questions(tokenizer, [question], max_length=7)
    assert spans == [((IGNORED, IGNORED),)]
