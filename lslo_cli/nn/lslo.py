"""Language-specific LoRA: one low-rank update per language on a frozen matrix (paper, section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import nn

from lslo_cli.method.strategy import Index
from lslo_cli.nn.route import Route


class RoutedLoRA(nn.Module):
    """The low-rank updates of all languages at one site: ``B_l A_l x`` with l chosen by the route.

    All adapters live in one pair of tensors, so that an optimiser step costs one operation per site
    whatever the number of languages: ``lora_A`` is (R, d_in) and ``lora_B`` (d_out, R) with R the sum of
    ``ranks``; adapter i owns the rank-``ranks[i]`` slice ``columns[i]``. The update is computed for all of R
    and masked to the sentence's own slice, which keeps it one dense product without data-dependent shapes.

    ``slots`` names the adapter of each language, in the order of the route's indices: its own in LSLo, the
    same for all in ordinary LoRA. A starts Gaussian with standard deviation 1/sqrt(d_in), B at zero, so an
    adapter that was just made changes nothing.
    """

    def __init__(
        self, d_in: int, d_out: int, ranks: Sequence[int], slots: Sequence[int], index: Index, route: Route
    ):
        super().__init__()
        self.index = index
        self.route = route
        bounds = [0, *accumulate(ranks)]
        self.columns = [slice(start, stop) for start, stop in pairwise(bounds)]
        self.lora_A = nn.Parameter(torch.randn(bounds[-1], d_in) / math.sqrt(d_in))
        self.lora_B = nn.Parameter(torch.zeros(d_out, bounds[-1]))
        owned = torch.zeros(len(slots), bounds[-1])
        for language, slot in enumerate(slots):
            owned[language, self.columns[slot]] = 1.0
        self.register_buffer("owned", owned, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (rows, length, d_in) to the update (rows, length, d_out)."""
        mask = self.owned[self.route.languages(self.index, x.shape[0])].to(x.dtype).unsqueeze(1)  # (rows, 1, R)
        hidden = F.linear(x, self.lora_A.to(x.dtype)) * mask  # (rows, length, R)
        return F.linear(hidden, self.lora_B.to(x.dtype))

    def matrices(self, slot: int) -> dict[str, torch.Tensor]:
        """A (r, d_in) and B (d_out, r) of one adapter, as views that write through."""
        columns = self.columns[slot]
        return {"A": self.lora_A.data[columns], "B": self.lora_B.data[:, columns]}


class LSLo(nn.Module):
    """A frozen linear map with routed updates: ``LSLo(x) = Wx + B_l A_l x``, l = src or tgt (eq. 3)."""

    def __init__(self, base: nn.Linear, adapter: RoutedLoRA):
        super().__init__()
        self.base = base
        self.adapter = adapter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.adapter(x)


class LayerWeighting(nn.Module):
    """The pair of weights of one layer, shared by all its sites (eq. 5): softmax of two logits from zero."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(source weight, target weight), non-negative and summing to 1."""
        source, target = self.logits.softmax(dim=0)
        return source, target


class IndexMixture(nn.Module):
    """Both indices at once: ``h = Wx + w_src LSLo(x, src) + w_tgt LSLo(x, tgt)`` (eq. 5)."""

    def __init__(self, base: nn.Linear, source: RoutedLoRA, target: RoutedLoRA, weighting: LayerWeighting):
        super().__init__()
        self.base = base
        self.source = source
        self.target = target
        self.weighting = weighting

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        source_weight, target_weight = self.weighting()
        return self.base(x) + source_weight * self.source(x) + target_weight * self.target(x)
