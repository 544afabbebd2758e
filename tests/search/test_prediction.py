"""Next tokens against torch's own functions over the whole vocabulary."""

import pytest
import torch
from torch import nn

from lslo_cli.search import prediction
from lslo_cli.search.prediction import best_continuations, log_prob

PAD = 1


def case(vocabulary, sentences=7, hypotheses=3):
    torch.manual_seed(vocabulary)
    head = nn.Linear(8, vocabulary).requires_grad_(False)
    head.bias[PAD] = 3.0
    hidden = 4 * torch.randn(sentences, hypotheses, 8)
    return head, hidden, torch.randn(sentences, hypotheses)


@pytest.mark.parametrize("vocabulary", [20, 32, 33, 640, 1013])
@pytest.mark.parametrize("at_a_time", [1, 2 * 3 * 1013, 2**26])
def test_the_best_continuations_are_those_of_topk_over_everything(vocabulary, at_a_time, monkeypatch):
    monkeypatch.setattr(prediction, "LOGITS", at_a_time)
    head, hidden, scores = case(vocabulary)
    totals, parents, tokens = best_continuations(head, hidden, scores, 6, never=[1])
    all_totals = head(hidden).log_softmax(-1) + scores[:, :, None]
    all_totals[:, :, PAD] = -torch.inf
    expected, places = all_totals.flatten(1).topk(6)
    torch.testing.assert_close(totals, expected)
    assert parents.tolist() == (places // vocabulary).tolist()
    assert tokens.tolist() == (places % vocabulary).tolist()


@pytest.mark.parametrize("vocabulary", [20, 33, 64])
def test_where_there_are_fewer_continuations_than_asked_for_all_are_found(vocabulary):
    head, hidden, scores = case(vocabulary, hypotheses=1)
    totals, parents, tokens = best_continuations(head, hidden, scores, 2 * vocabulary, never=[PAD])
    assert tokens.sort(dim=1).values.tolist() == [list(range(vocabulary))] * len(hidden)
    assert (tokens[:, -1] == PAD).all() and (totals[:, -1] == -torch.inf).all()
    assert (totals.diff(dim=1) <= 0).all() and not parents.any()


def test_padding_has_its_share_of_the_probability():
    head, hidden, scores = case(40)
    head.bias[PAD] = 50.0
    totals, _, tokens = best_continuations(head, hidden, scores, 4, never=[1])
    assert (totals < scores.amax(1, keepdim=True) - 20).all()
    assert (tokens != PAD).all()


@pytest.mark.parametrize("at_a_time", [1, 2**26])
def test_a_tokens_log_probability_is_that_of_log_softmax(at_a_time, monkeypatch):
    monkeypatch.setattr(prediction, "LOGITS", at_a_time)
    monkeypatch.setattr(prediction, "CACHED", 100)
    head, hidden, _ = case(50)
    tokens = torch.randint(50, hidden.shape[:2])
    expected = head(hidden).log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0]
    torch.testing.assert_close(log_prob(head, hidden, tokens), expected)


def test_sixteen_bit_logits_are_summed_in_float32():
    head, hidden, scores = case(1013)
    totals, _, _ = best_continuations(head.bfloat16(), hidden.bfloat16(), scores, 4, never=[1])
    assert totals.dtype == torch.float32
