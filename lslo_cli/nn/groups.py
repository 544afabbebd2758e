"""The adapter of each language, and the matrix products of a batch's rows with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.nn.routed import Saved


@dataclass(frozen=True)
class Slots:
    """The adapter of each language, and its slice of the rank axis.

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

    def adapters_of(self, languages: Tensor) -> Tensor:
        """The adapter of each row, given its language (rows,)."""
        return torch.tensor(self.by_language, device=languages.device)[languages]

    @property
    def width(self) -> int:
        """R, the sum of ranks."""
        return sum(self.ranks)


@dataclass(frozen=True)
class Groups:
    """The rows of a batch in groups of neighbours, each multiplied with one part of A and B.

    Group i has ``rows[i]`` rows and uses part ``parts[i]``, where A and B are split into parts of ``widths``
    columns. ``mask`` (rows, 1, R) marks the columns that each row owns if a group has rows of several
    adapters, and is None otherwise.
    """

    rows: tuple[int, ...]
    parts: tuple[int, ...]
    widths: tuple[int, ...]
    mask: Tensor | None = None

    @classmethod
    def runs(cls, languages: Tensor, slots: Slots) -> Groups:
        """A group for every run of rows with the same adapter: no product is wider than its rank.

        The cost does not grow with the number of languages. Any order of rows works, and few runs are faster.
        """
        parts, rows = torch.unique_consecutive(slots.adapters_of(languages), return_counts=True)
        return cls(tuple(rows.tolist()), tuple(parts.tolist()), slots.ranks)

    @classmethod
    def masked(cls, languages: Tensor, slots: Slots) -> Groups:
        """All rows in one group with all adapters: few and large products, of a size fixed by R."""
        numbers = torch.arange(len(slots.ranks)).repeat_interleave(torch.tensor(slots.ranks))  # (R,)
        owners = numbers.to(languages.device)
        mask = (slots.adapters_of(languages)[:, None] == owners).unsqueeze(1)  # (rows, 1, R)
        return cls((len(languages),), (0,), (slots.width,), mask)

    def forward(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, A: Tensor, B: Tensor
    ) -> tuple[Tensor, Saved]:
        """See :class:`~lslo_cli.nn.routed.Products`. The update is added to the frozen map's output."""
        y = x.new_zeros(len(x), len(B)) if weight is None else F.linear(x, weight, bias)
        length, hidden = len(x) // sum(self.rows), []
        for x_l, y_l, A_l, B_l in zip(
            self._tokens(x[:, : A.shape[1]], length),
            self._tokens(y[:, : len(B)], length),
            self._matrices(A, 0),
            self._matrices(B, 1),
            strict=True,
        ):
            hidden.append(self._own(x_l @ A_l.T))  # (tokens of the group, r)
            y_l.addmm_(hidden[-1], B_l.T)
        return y, tuple(hidden)

    def backward(
        self, dy: Tensor, x: Tensor, weight: Tensor | None, A: Tensor, B: Tensor, saved: Saved, wants_dx: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """See :class:`~lslo_cli.nn.routed.Products`."""
        dA, dB = torch.zeros_like(A), torch.zeros_like(B)
        dx, length = None, len(x) // sum(self.rows)
        if wants_dx:
            dx = torch.zeros_like(x) if weight is None else dy @ weight
        for dx_l, dy_l, x_l, h_l, A_l, B_l, dA_l, dB_l in zip(
            self._tokens(dx[:, : A.shape[1]], length) if dx is not None else self.rows,
            self._tokens(dy[:, : len(B)], length),
            self._tokens(x[:, : A.shape[1]], length),
            saved,
            self._matrices(A, 0),
            self._matrices(B, 1),
            self._matrices(dA, 0),
            self._matrices(dB, 1),
            strict=True,
        ):
            dh = self._own(dy_l @ B_l)  # (tokens of the group, r)
            dA_l.addmm_(dh.T, x_l)
            dB_l.addmm_(dy_l.T, h_l)
            if dx is not None:
                dx_l.addmm_(dh, A_l)
        return dx, dA, dB

    def _tokens(self, x: Tensor, length: int) -> Sequence[Tensor]:
        """The tokens of each group: views of ``x`` (rows * length, d)."""
        return x.split([rows * length for rows in self.rows])

    def _matrices(self, lora: Tensor, dim: int) -> list[Tensor]:
        """The part of each group: views of A (R, s_in) along dimension 0, or of B (s_out, R) along 1."""
        parts = lora.split(self.widths, dim)
        return [parts[part] for part in self.parts]

    def _own(self, hidden: Tensor) -> Tensor:
        """Set the columns of ``hidden`` (tokens of a group, r) that a row does not own to zero, in place."""
        if self.mask is not None:
            hidden.unflatten(0, (len(self.mask), -1)).mul_(self.mask)
        return hidden
