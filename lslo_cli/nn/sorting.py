"""The rows of a batch sorted by adapter, so that every adapter has one run of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.nn.groups import Slots
from lslo_cli.nn.routed import Products, Saved


@dataclass(frozen=True)
class SortedProducts:
    """Products of rows sorted by adapter: ``order`` (rows,) brings them into the order of ``products``.

    Only the update is sorted: x is copied into this order and the update back, and the frozen map gets the
    batch in its own.
    """

    products: Products
    order: Tensor

    def forward(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, A: Tensor, B: Tensor
    ) -> tuple[Tensor, Saved]:
        """See :class:`~lslo_cli.nn.routed.Products`."""
        update, saved = self.products.forward(self._sorted(x[:, : A.shape[1]]), None, None, A, B)
        update = self._restored(update)
        if weight is None:
            return update, saved
        y = F.linear(x, weight, bias)
        y[:, : len(B)] += update
        return y, saved

    def backward(
        self, dy: Tensor, x: Tensor, weight: Tensor | None, A: Tensor, B: Tensor, saved: Saved, wants_dx: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """See :class:`~lslo_cli.nn.routed.Products`."""
        dy_sorted, x_sorted = self._sorted(dy[:, : len(B)]), self._sorted(x[:, : A.shape[1]])
        update, dA, dB = self.products.backward(dy_sorted, x_sorted, None, A, B, saved, wants_dx)
        if update is None:
            return None, dA, dB
        dx = torch.zeros_like(x) if weight is None else dy @ weight
        dx[:, : A.shape[1]] += self._restored(update)
        return dx, dA, dB

    def _sorted(self, x: Tensor) -> Tensor:
        """Tokens (rows * length, d) in the order of their adapters."""
        return x.unflatten(0, (len(self.order), -1))[self.order].flatten(0, 1)

    def _restored(self, x: Tensor) -> Tensor:
        """Tokens in the order of the batch."""
        rows = x.unflatten(0, (len(self.order), -1))
        batch = torch.empty_like(rows)
        batch[self.order] = rows
        return batch.flatten(0, 1)


def in_order(languages: Tensor, slots: Slots, make: Callable[[Tensor, Slots], Products]) -> Products:
    """The products that ``make`` returns for a batch with ``languages`` (rows,), sorted by adapter.

    Synchronises with a GPU, to find out whether the rows are sorted already.
    """
    used = slots.adapters_of(languages)
    if bool((used[1:] >= used[:-1]).all()):
        return make(languages, slots)
    order = used.argsort(stable=True)
    return SortedProducts(make(languages[order], slots), order)
