"""The routed update on a CPU: rows grouped by language, each group a contiguous slice with its exact rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch


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
class Segments:
    """How the rows of a batch fall into groups that share an adapter.

    ``order`` (rows,) sorts the rows by adapter, or is None where they are sorted already. ``groups`` are
    (columns, number of rows) of the adapters that occur, in that order.
    """

    order: torch.Tensor | None
    groups: tuple[tuple[slice, int], ...]

    @classmethod
    def of(cls, languages: torch.Tensor, slots: Slots) -> Segments:
        """Group rows by the adapter of their language, ``languages`` (rows,)."""
        used = torch.tensor(slots.by_language, device=languages.device)[languages]
        counts = torch.bincount(used, minlength=len(slots.ranks)).tolist()
        groups = tuple((slots.columns[slot], count) for slot, count in enumerate(counts) if count)
        is_sorted = bool((used[1:] >= used[:-1]).all())
        return cls(None if is_sorted else used.argsort(stable=True), groups)


def add_update(
    y: torch.Tensor, x: torch.Tensor, lora_A: torch.Tensor, lora_B: torch.Tensor, segments: Segments
) -> torch.Tensor:
    """Add ``B_l A_l x`` of every row's own adapter to ``y`` in place and return it.

    x is (rows, length, d_in), y (rows, length, d_out), lora_A (R, d_in), lora_B (d_out, R). No product is
    larger than a language's rows times its rank, so the cost does not grow with the number of languages.
    Only x and the hidden rows of width r are kept for backward.
    """
    return _AddUpdate.apply(y, x, lora_A, lora_B, segments)


class _AddUpdate(torch.autograd.Function):
    """y += B A x by groups; see :func:`add_update`."""

    @staticmethod
    def forward(
        ctx: Any, y: torch.Tensor, x: torch.Tensor, A: torch.Tensor, B: torch.Tensor, segments: Segments
    ):
        rows = _sorted_rows(x, segments)  # (rows * length, d_in)
        out = _sorted_rows(y, segments)
        hidden = []
        for columns, span in _spans(segments, x.shape[1]):
            hidden.append(rows[span] @ A[columns].T)  # (tokens of the group, r)
            out[span].addmm_(hidden[-1], B[:, columns].T)
        if segments.order is not None:
            y[segments.order] = out.view(y.shape)
        ctx.save_for_backward(x, A, B, *hidden)
        ctx.segments = segments
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor):
        x, A, B, *hidden = ctx.saved_tensors
        segments = ctx.segments
        rows, out = _sorted_rows(x, segments), _sorted_rows(grad, segments)
        grad_rows = torch.empty_like(rows)
        grad_A, grad_B = torch.zeros_like(A), torch.zeros_like(B)
        for (columns, span), h in zip(_spans(segments, x.shape[1]), hidden, strict=True):
            grad_hidden = out[span] @ B[:, columns]  # (tokens of the group, r)
            grad_B[:, columns] = out[span].T @ h
            torch.mm(grad_hidden.T, rows[span], out=grad_A[columns])
            torch.mm(grad_hidden, A[columns], out=grad_rows[span])
        grad_x = grad_rows.view(x.shape)
        if segments.order is not None:
            grad_x = torch.empty_like(grad_x).index_copy_(0, segments.order, grad_x)
        return grad, grad_x if ctx.needs_input_grad[1] else None, grad_A, grad_B, None


def _sorted_rows(x: torch.Tensor, segments: Segments) -> torch.Tensor:
    """The tokens of ``x``, rows in the order of the groups: (rows * length, d), a view where possible."""
    ordered = x if segments.order is None else x.index_select(0, segments.order)
    return ordered.reshape(-1, x.shape[-1])


def _spans(segments: Segments, length: int) -> Iterator[tuple[slice, slice]]:
    """(columns, slice of tokens) of every group."""
    start = 0
    for columns, count in segments.groups:
        yield columns, slice(start, start + count * length)
        start += count * length
