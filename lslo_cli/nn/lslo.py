"""Language-specific LoRA: one low-rank update per language on a frozen matrix (paper, section 3.1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from lslo_cli.method.strategy import Index
from lslo_cli.nn.route import Route
from lslo_cli.nn.segments import Slots, add_update


class RoutedLoRA(nn.Module):
    """The low-rank updates of all languages at one site: ``B_l A_l x`` with l chosen by the route.

    All adapters live in one pair of tensors, so that an optimiser step costs one operation per site
    whatever the number of languages: ``lora_A`` is (R, d_in) and ``lora_B`` (d_out, R) with R the sum of
    ranks, of which ``slots`` gives every adapter its slice. So a language that is absent from an update has
    a gradient of zero, not none, and under Adam moves on by its momentum.

    A starts Gaussian with standard deviation 1/sqrt(d_in), B at zero, so an adapter that was just made
    changes nothing.
    """

    def __init__(self, d_in: int, d_out: int, slots: Slots, index: Index, route: Route):
        super().__init__()
        self.slots = slots
        self.index = index
        self.route = route
        self.lora_A = nn.Parameter(torch.randn(slots.width, d_in) / math.sqrt(d_in))
        self.lora_B = nn.Parameter(torch.zeros(d_out, slots.width))
        owned = torch.zeros(len(slots.by_language), slots.width)
        for language, slot in enumerate(slots.by_language):
            owned[language, slots.columns[slot]] = 1.0
        self.register_buffer("owned", owned, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (rows, length, d_in) to the update (rows, length, d_out).

        Dense form: computed for all of R and masked to each row's own slice. It has no data-dependent
        shape, which suits a GPU, and is the reference for the grouped form of :meth:`add_to`.
        """
        mask = self.owned[self.route.languages(self.index, x.shape[0])].unsqueeze(1)  # (rows, 1, R)
        hidden = F.linear(x, self.lora_A) * mask  # (rows, length, R)
        return F.linear(hidden, self.lora_B)

    def add_to(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Add the update of ``x`` to ``y`` (rows, length, d_out), which may be overwritten."""
        if x.device.type == "cpu" and x.dtype == y.dtype == self.lora_A.dtype:
            segments = self.route.segments(self.index, x.shape[0], self.slots)
            return add_update(y, x, self.lora_A, self.lora_B, segments)
        return y + self(x)

    def matrices(self, slot: int) -> dict[str, torch.Tensor]:
        """A (r, d_in) and B (d_out, r) of one adapter, as views that write through."""
        columns = self.slots.columns[slot]
        return {"A": self.lora_A.data[columns], "B": self.lora_B.data[:, columns]}


class LSLo(nn.Module):
    """A frozen linear map with routed updates: ``LSLo(x) = Wx + B_l A_l x``, l = src or tgt (eq. 3)."""

    def __init__(self, base: nn.Linear, adapter: RoutedLoRA):
        super().__init__()
        self.base = base
        self.adapter = adapter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.adapter.add_to(self.base(x), x)


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
        y = self.base(x)
        source_weight, target_weight = self.weighting()
        source = self.source.add_to(torch.zeros_like(y), x)
        target = self.target.add_to(torch.zeros_like(y), x)
        return y + source_weight * source + target_weight * target
