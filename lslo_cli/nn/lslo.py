"""Language-specific LoRA: one low-rank update per language on a frozen matrix (paper, section 3.1)."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import nn

from lslo_cli.method.adapters import Initialisation
from lslo_cli.method.strategy import Index
from lslo_cli.nn.compact import CompactLinear, frozen_matrix, product_format
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.route import Route
from lslo_cli.nn.routed import routed_linear

Frozen: TypeAlias = nn.Linear | CompactLinear
"""A frozen linear map."""


class RoutedLoRA(nn.Module):
    """The low-rank updates of all languages at one site: ``B_l A_l x`` with l selected by the route.

    All adapters are stored in one pair of tensors, so that an optimiser step costs one operation per site for
    any number of languages: ``lora_A`` is (R, d_in) and ``lora_B`` (d_out, R) with R the sum of ranks, of
    which ``slots`` gives every adapter its slice. A language that is absent from an update thus has a
    gradient of zero, not none, and under Adam still moves by its momentum.

    The frozen matrix may have more inputs and outputs: the update reads the first d_in and is added to the
    first d_out of them.

    A is initialised by ``initialisation``, B to zero, so that a new adapter changes nothing.
    """

    def __init__(
        self, d_in: int, d_out: int, slots: Slots, index: Index, route: Route, initialisation: Initialisation
    ):
        super().__init__()
        self.slots = slots
        self.index = index
        self.route = route
        self.lora_A = nn.Parameter(_initial_A(d_in, slots, initialisation))
        self.lora_B = nn.Parameter(torch.zeros(d_out, slots.width))

    def forward(
        self, x: torch.Tensor, base: Frozen | None = None, scale: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The update ``scale * B_l A_l x``, plus ``base(x)`` if a base is given.

        Maps (rows, length, inputs) to (rows, length, outputs), with those of the base; the update alone has
        d_out outputs. ``scale`` is a scalar, 1 by default.
        """
        weight, bias = (frozen_matrix(base), base.bias) if base else (None, None)
        lora_A = self.lora_A if scale is None else scale * self.lora_A
        d = min(lora_A.shape[1], len(self.lora_B))
        products = self.route.products(self.index, x.shape[0], self.slots, product_format(x), d)
        return routed_linear(x, weight, bias, lora_A, self.lora_B, products)

    def matrices(self, slot: int) -> dict[str, torch.Tensor]:
        """A (r, d_in) and B (d_out, r) of one adapter, as views that write through."""
        columns = self.slots.columns[slot]
        return {"A": self.lora_A.data[columns], "B": self.lora_B.data[:, columns]}


def _initial_A(d_in: int, slots: Slots, initialisation: Initialisation) -> torch.Tensor:
    """The A of all adapters, (R, d_in), from torch's global generator."""
    if initialisation is Initialisation.GAUSSIAN:
        return torch.randn(slots.width, d_in) / math.sqrt(d_in)
    bounds = [1 / math.sqrt(rank) for rank in slots.ranks for _ in range(rank)]
    return (2 * torch.rand(slots.width, d_in) - 1) * torch.tensor(bounds).unsqueeze(1)


class Adapted(nn.Module):
    """A module that replaces a frozen linear map, ``base``."""

    base: Frozen

    @property
    def weight(self) -> torch.Tensor:
        """The frozen matrix, or its shape, from which T5 reads the number format of its products."""
        return self.base.weight


class LSLo(Adapted):
    """A frozen linear map with routed updates: ``LSLo(x) = Wx + B_l A_l x``, l = src or tgt (eq. 3)."""

    def __init__(self, base: Frozen, adapter: RoutedLoRA):
        super().__init__()
        self.base = base
        self.adapter = adapter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.adapter(x, self.base)


class LayerWeighting(nn.Module):
    """The weights of one layer, shared by all its sites (eq. 5): softmax of two logits, initially zero."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(source weight, target weight), non-negative and summing to 1."""
        source, target = self.logits.softmax(dim=0)
        return source, target


class IndexMixture(Adapted):
    """Both indices at once: ``h = Wx + w_src LSLo(x, src) + w_tgt LSLo(x, tgt)`` (eq. 5)."""

    def __init__(self, base: Frozen, source: RoutedLoRA, target: RoutedLoRA, weighting: LayerWeighting):
        super().__init__()
        self.base = base
        self.source = source
        self.target = target
        self.weighting = weighting

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        source_weight, target_weight = self.weighting()
        y = self.source(x, self.base, source_weight)
        update = self.target(x, None, target_weight)
        if missing := y.shape[-1] - update.shape[-1]:
            update = F.pad(update, (0, missing))
        return y + update
