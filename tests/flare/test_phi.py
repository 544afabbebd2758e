"""The fusion functions against values worked out by hand."""

import math

import pytest
import torch

from lslo_cli.flare.adapter import FUNCTIONS, CrossAttention
from lslo_cli.method.flare import Phi

S = torch.tensor([[[1.0, -2.0, 3.0]]])
T = torch.tensor([[[-4.0, 5.0, 6.0]]])


@pytest.mark.parametrize(
    ("phi", "expected"),
    [
        (Phi.ADD, [-3.0, 3.0, 9.0]),
        (Phi.MUL, [-4.0, -10.0, 18.0]),
        (Phi.ADD_RELU, [1.0, 5.0, 9.0]),
        (Phi.MUL_RELU, [0.0, 0.0, 18.0]),
    ],
)
def test_phi_by_value(phi, expected):
    assert FUNCTIONS[phi](S, T).flatten().tolist() == expected


def test_relu_comes_before_the_sum_and_not_after():
    assert not torch.equal(FUNCTIONS[Phi.ADD_RELU](S, T), (S + T).relu())


def test_in_cross_attention_the_source_asks_and_the_target_answers():
    torch.manual_seed(0)
    attention = CrossAttention(4)
    source, target = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    query, key, value = attention.query, attention.key, attention.value
    weights = torch.softmax(query(source) @ key(target).transpose(1, 2) / math.sqrt(4), dim=-1)
    torch.testing.assert_close(attention(source, target), weights @ value(target))
    assert attention(source, target).shape == (2, 3, 4)
    moved = target.flip(1)  # keys and values have no order
    torch.testing.assert_close(attention(source, moved), attention(source, target))
    torch.testing.assert_close(attention(source.flip(1), target), attention(source, target).flip(1))
    assert sum(parameter.numel() for parameter in attention.parameters()) == 3 * 4 * 5
