"""Routed updates by torch's grouped matrix product: one call for all adapters, with any rows each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.errors import UsageError
from lslo_cli.nn.routed import Saved
from lslo_cli.nn.segments import Slots

PADDED_TO = 8
"""Ranks are padded to multiples of this: 16 bytes in bfloat16, as GPU products require."""
ALIGNED = 16
"""Widths of a product are multiples of so many bytes."""


@dataclass(frozen=True)
class GroupedProducts:
    """The rows of a batch, sorted by adapter.

    ``ends`` (adapters,) int32 counts the rows up to the last of each adapter. All ranks are padded to the
    same r: ``columns`` (adapters, r) are each adapter's positions on the rank axis, R for padding, and
    ``inverse`` (R,) is the inverse map.
    """

    rows: int
    ends: Tensor
    columns: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, languages: Tensor, slots: Slots) -> GroupedProducts:
        """The groups of a batch with ``languages`` (rows,), sorted by adapter."""
        device = languages.device
        used = torch.tensor(slots.by_language, device=device)[languages]
        padded = -(-max(slots.ranks) // PADDED_TO) * PADDED_TO
        columns = torch.full((len(slots.ranks), padded), slots.width)
        for number, own in enumerate(slots.columns):
            columns[number, : own.stop - own.start] = torch.arange(own.start, own.stop)
        return cls(
            rows=len(languages),
            ends=used.bincount(minlength=len(slots.ranks)).cumsum(0).to(torch.int32),
            columns=columns.to(device),
            inverse=(columns.flatten() < slots.width).nonzero()[:, 0].to(device),
        )

    def forward(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, A: Tensor, B: Tensor
    ) -> tuple[Tensor, Saved]:
        """See :class:`~lslo_cli.nn.routed.Products`; raises UsageError for a width torch cannot take."""
        for width in (x.shape[1], A.shape[1], len(B)):
            if width * x.element_size() % ALIGNED:
                raise UsageError(
                    f"run.adapter_kernel=grouped needs widths of a multiple of {ALIGNED} bytes, not "
                    f"{width} numbers of {x.element_size()} bytes",
                    "choose auto",
                )
        length = len(x) // self.rows
        ends = self.ends * length
        hidden = F.grouped_mm(x[:, : A.shape[1]], self._padded(A).transpose(1, 2), offs=ends)
        update = F.grouped_mm(hidden, self._padded(B.T), offs=ends)
        if weight is None:
            return update, (hidden,)
        y = F.linear(x, weight, bias)
        y[:, : len(B)] += update
        return y, (hidden,)

    def backward(
        self, dy: Tensor, x: Tensor, weight: Tensor | None, A: Tensor, B: Tensor, saved: Saved, wants_dx: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """See :class:`~lslo_cli.nn.routed.Products`."""
        length = len(x) // self.rows
        ends = self.ends * length
        dy_read = dy[:, : len(B)].contiguous()
        d_hidden = F.grouped_mm(dy_read, self._padded(B.T).transpose(1, 2), offs=ends)
        dA = F.grouped_mm(d_hidden.T, x[:, : A.shape[1]], offs=ends)  # (adapters, r, s_in)
        dB = F.grouped_mm(saved[0].T, dy_read, offs=ends)  # (adapters, r, s_out)
        dx = None
        if wants_dx:
            dx = torch.zeros_like(x) if weight is None else dy @ weight
            dx[:, : A.shape[1]] += F.grouped_mm(d_hidden, self._padded(A), offs=ends)
        return dx, dA.flatten(0, 1)[self.inverse], dB.flatten(0, 1)[self.inverse].T

    def _padded(self, lora: Tensor) -> Tensor:
        """(R, d) as (adapters, r, d), with rows of zeros for padding."""
        return F.pad(lora, (0, 0, 0, 1))[self.columns]
