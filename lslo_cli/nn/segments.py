"""A frozen linear map with routed updates as one operation, and which products a batch needs for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.nn.norms import Normalised

WIDEST_MASKED = 256
"""The most columns at which, in a 16-bit format on a CPU, one masked product takes less time than many small
ones: those are hardly faster than in float32 there, and large ones are by far.
"""


@dataclass(frozen=True)
class Slots:
    """Which adapter each language uses, and where it lies.

    Adapter i has rank ``ranks[i]``; ``by_language[l]`` is the adapter of the language with index l: its own
    in LSLo, the same for all in ordinary LoRA.
    """

    ranks: tuple[int, ...]
    by_language: tuple[int, ...]

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        """The slice of the rank axis that each adapter owns."""
        bounds = accumulate(self.ranks, initial=0)
        return tuple(slice(start, stop) for start, stop in pairwise(bounds))

    @property
    def width(self) -> int:
        """R, the sum of ranks."""
        return sum(self.ranks)


@dataclass(frozen=True)
class Groups:
    """The rows of a batch in groups of neighbours, each of which multiplies with one part of A and B.

    Group i has ``rows[i]`` rows and uses part ``parts[i]``, where A and B are cut into parts of ``widths``
    columns. ``mask`` (rows, 1, R) says which columns each row owns, where a group has rows of several
    adapters, and is None where none has.
    """

    rows: tuple[int, ...]
    parts: tuple[int, ...]
    widths: tuple[int, ...]
    mask: Tensor | None = None

    @classmethod
    def of(cls, languages: Tensor, slots: Slots, dtype: torch.dtype) -> Groups:
        """The groups that are fastest in format ``dtype`` on the device of ``languages`` (rows,).

        Masked but on a CPU, where it is runs in float32 and for adapters that are wide together.
        """
        on_cpu = languages.device.type == "cpu"
        in_runs = on_cpu and (dtype.itemsize > 2 or slots.width > WIDEST_MASKED)
        return cls.runs(languages, slots) if in_runs else cls.masked(languages, slots)

    @classmethod
    def runs(cls, languages: Tensor, slots: Slots) -> Groups:
        """A group for every run of rows with the same adapter: no product is wider than its rank.

        The cost does not grow with the number of languages. Any order of rows will do, but one with few
        runs is faster.
        """
        used = torch.tensor(slots.by_language, device=languages.device)[languages]
        parts, rows = torch.unique_consecutive(used, return_counts=True)
        return cls(tuple(rows.tolist()), tuple(parts.tolist()), slots.ranks)

    @classmethod
    def masked(cls, languages: Tensor, slots: Slots) -> Groups:
        """All rows in one group with all adapters: few and large products, whose size no language decides."""
        numbers = torch.arange(len(slots.ranks)).repeat_interleave(torch.tensor(slots.ranks))  # (R,)
        owners = numbers.to(languages.device)
        used = torch.tensor(slots.by_language, device=languages.device)[languages]
        mask = (used[:, None] == owners).unsqueeze(1)  # (rows, 1, R)
        return cls((len(languages),), (0,), (slots.width,), mask)

    def tokens(self, x: Tensor, length: int) -> Sequence[Tensor]:
        """The tokens of each group: views of ``x`` (rows * length, d)."""
        return x.split([rows * length for rows in self.rows])

    def matrices(self, lora: Tensor, dim: int) -> list[Tensor]:
        """The part of each group: views of A (R, d_in) along dimension 0, or of B (d_out, R) along 1."""
        parts = lora.split(self.widths, dim)
        return [parts[part] for part in self.parts]

    def own(self, hidden: Tensor) -> Tensor:
        """Zero the columns of ``hidden`` (tokens of a group, r) that a row does not own, in place."""
        if self.mask is not None:
            hidden.unflatten(0, (len(self.mask), -1)).mul_(self.mask)
        return hidden


def routed_linear(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, lora_A: Tensor, lora_B: Tensor, groups: Groups
) -> Tensor:
    """``x W^T + b + x A_l^T B_l^T`` with l the adapter of each row; without ``weight`` the update alone.

    x is (rows, length, d_in), weight (d_out, d_in), lora_A (R, d_in), lora_B (d_out, R); the result
    (rows, length, d_out). Computed in x's format, or autocast's. Weight and bias are frozen and have no
    gradient. Of the inputs only x is kept for backward, and not even that where a layer norm made it.
    """
    return _RoutedLinear.apply(x, weight, bias, lora_A, lora_B, groups, product_format(x))


def product_format(x: Tensor) -> torch.dtype:
    """The format of matrix products with ``x``: autocast's where it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class _RoutedLinear(torch.autograd.Function):
    """See :func:`routed_linear`. Updates are added to the frozen map's output and gradient in place."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        lora_A: Tensor,
        lora_B: Tensor,
        groups: Groups,
        dtype: torch.dtype,
    ) -> Tensor:
        tokens, A, B = _flat(x).to(dtype), lora_A.to(dtype), lora_B.to(dtype)
        if weight is None:
            y = tokens.new_zeros(len(tokens), len(B))
        else:
            y = F.linear(tokens, weight.to(dtype), None if bias is None else bias.to(dtype))
        hidden = []
        length = x.shape[1]
        for x_l, y_l, A_l, B_l in zip(
            groups.tokens(tokens, length),
            groups.tokens(y, length),
            groups.matrices(A, 0),
            groups.matrices(B, 1),
            strict=True,
        ):
            hidden.append(groups.own(x_l @ A_l.T))  # (tokens of the group, r)
            y_l.addmm_(hidden[-1], B_l.T)
        made_by = Normalised.of(x)
        ctx.norm = made_by and made_by.norm
        ctx.save_for_backward(made_by.input if made_by else x, weight, lora_A, lora_B, *hidden)
        ctx.groups, ctx.length = groups, length
        return y.unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, lora_A, lora_B, *hidden = ctx.saved_tensors
        groups, length, dtype = ctx.groups, ctx.length, grad.dtype
        tokens, A, B = _flat(ctx.norm(x) if ctx.norm else x).to(dtype), lora_A.to(dtype), lora_B.to(dtype)
        dy = _flat(grad)
        dA, dB = torch.zeros_like(A), torch.zeros_like(B)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = torch.zeros_like(tokens) if weight is None else dy @ weight.to(dtype)
        for dx_l, dy_l, x_l, h_l, A_l, B_l, dA_l, dB_l in zip(
            groups.tokens(dx, length) if dx is not None else groups.rows,
            groups.tokens(dy, length),
            groups.tokens(tokens, length),
            hidden,
            groups.matrices(A, 0),
            groups.matrices(B, 1),
            groups.matrices(dA, 0),
            groups.matrices(dB, 1),
            strict=True,
        ):
            dh = groups.own(dy_l @ B_l)  # (tokens of the group, r)
            dA_l.addmm_(dh.T, x_l)
            dB_l.addmm_(dy_l.T, h_l)
            if dx is not None:
                dx_l.addmm_(dh, A_l)
        dx = dx if dx is None else dx.view(x.shape)
        return dx, None, None, dA, dB, None, None


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])
