"""The fusion adapter: a LoRA whose bottleneck fuses source and target by a function phi(S, T)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.flare.source import Mode, Source
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


class FlareLoRA(nn.Module):
    """``y = W t + (alpha/r) B phi(A s, A t)`` on a frozen linear map W.

    t, the input of W, is (batch, length, d_in); s, the source states of its block, has the same shape. One A,
    ``lora_A`` (r, d_in), projects both; ``lora_B`` (d_out, r) starts at zero, so that a new adapter changes
    nothing. The frozen map never sees the source. With ``phi`` None it is a plain LoRA without a source,
    ``W t + (alpha/r) B A t``.
    """

    def __init__(
        self,
        base: nn.Linear,
        source: Source,
        *,
        name: str,
        block: str,
        rank: int,
        alpha: float,
        phi: Phi | None,
        norm: nn.Module | None = None,
    ):
        """``norm`` is applied to the source first, as a pre-norm model does to the input of W."""
        super().__init__()
        self.base = base
        self.source = source
        self.name = name
        self.block = block
        self.phi = phi
        self.scale = alpha / rank
        device = base.weight.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=device, dtype=torch.float32))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=device, dtype=torch.float32))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.attention = None
        if phi is Phi.CROSS_ATTENTION:
            self.attention = CrossAttention(rank).to(device, torch.float32)
        self._norm = (norm,)  # in a tuple, or it would count as a part of the adapter
        if phi is not None:
            source.readers.append(name)

    @property
    def weight(self) -> Tensor:
        """W, for models that ask a linear map for its format."""
        return self.base.weight

    def forward(self, t: Tensor) -> Tensor:
        mode = self.source.mode
        y = self.base(t)
        if mode is Mode.OFF:
            return y
        if self.phi is None:
            hidden = self._down(t)
        else:
            S, T = self.bottleneck(t)
            hidden = self.attention(S, T, self.source.tokens) if self.attention else FUNCTIONS[self.phi](S, T)
        return y + self.scale * F.linear(hidden, self.lora_B.to(hidden.dtype)).to(y.dtype)

    def bottleneck(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """S = A s and T = A t, both (batch, length, r), with s read from the source."""
        s = self.source.read(self.name, self.block, t).to(t.dtype)
        (norm,) = self._norm
        return self._down(s if norm is None else norm(s)), self._down(t)

    def _down(self, x: Tensor) -> Tensor:
        return F.linear(x, self.lora_A.to(x.dtype))

    def delta(self) -> Tensor:
        """``(alpha/r) B A``, (d_out, d_in), the update of a plain LoRA. Raises RuntimeError for a fusion."""
        if self.phi is not None:
            raise RuntimeError(f"{self.name} fuses with {self.phi}, which cannot be merged into a matrix")
        return self.scale * (self.lora_B @ self.lora_A)
