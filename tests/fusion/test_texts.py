"""Padding and batches."""

import torch

from lslo_cli.fusion.heads import Classifier, Pooling, SpanFinder, pooled
from lslo_cli.fusion.source import Side
from lslo_cli.fusion.texts import Texts, prediction_batches, training_batches

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
    assert pooled(states, right, Pooling.MEAN).tolist() == [[1, 2]]
    assert pooled(states, right, Pooling.FIRST).tolist() == [[0, 1]]
    assert pooled(states, right, Pooling.LAST).tolist() == [[2, 3]]
    assert pooled(states, left, Pooling.FIRST).tolist() == [[4, 5]]
    assert pooled(states, left, Pooling.LAST).tolist() == [[6, 7]]
    assert pooled(states, left, Pooling.MEAN).tolist() == [[5, 6]]


def test_heads_give_logits_of_the_right_shape():
    states = torch.randn(2, 5, 4)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    assert Classifier(4, 3)(states, mask).shape == (2, 3)
    start, end = SpanFinder(4)(states, mask)
    assert start.shape == end.shape == (2, 5)
    assert start[1, 2:].isinf().all() and start[1, :2].isfinite().all()
