"""The fusion functions phi(S, T) of source and target in the bottleneck."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lslo_cli.method.flare import Phi

FUNCTIONS = {
    Phi.ADD: lambda S, T: S + T,
    Phi.MUL: lambda S, T: S * T,
    Phi.ADD_RELU: lambda S, T: S.relu() + T.relu(),
    Phi.MUL_RELU: lambda S, T: S.relu() * T.relu(),
}
"""Elementwise phi(S, T); S and T are (batch, length, r)."""


class CrossAttention(nn.Module):
    """``softmax((W_Q S)(W_K T)^T / sqrt(r)) W_V T``: queries of the source, keys and values of the target.

    S is (batch, source length, r) and T (batch, target length, r); the result is (batch, source length, r).
    One head with biases: the only phi with parameters, ``3 r (r + 1)``.
    """

    def __init__(self, rank: int):
        super().__init__()
        self.query = nn.Linear(rank, rank)
        self.key = nn.Linear(rank, rank)
        self.value = nn.Linear(rank, rank)

    def forward(self, S: Tensor, T: Tensor, tokens: Tensor | None = None) -> Tensor:
        """``tokens`` (batch, target length) is 0 at padding, which is masked."""
        own = self.query.weight.dtype  # float32, whatever the model's dtype
        queries, keys, values = self.query(S.to(own)), self.key(T.to(own)), self.value(T.to(own))
        scores = queries @ keys.transpose(1, 2) / math.sqrt(queries.shape[-1])
        if tokens is not None:
            scores = scores.masked_fill(tokens[:, None].to(scores.device) == 0, -torch.inf)
        return (torch.softmax(scores, dim=-1).to(values.dtype) @ values).to(S.dtype)
