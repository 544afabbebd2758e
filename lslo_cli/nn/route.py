"""The route of a batch: the source and target language of every sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeAlias

import torch

from lslo_cli.method.adapters import AdapterKernel
from lslo_cli.method.strategy import Index
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.products import products
from lslo_cli.nn.recompute import Contexts
from lslo_cli.nn.routed import Products

_Languages: TypeAlias = dict[Index, torch.Tensor] | None
_Made: TypeAlias = dict[tuple[Index, int, Slots, torch.dtype, int], Products]


class Route:
    """Source and target language of each sentence of the current batch, as indices into the languages.

    One object serves a whole model. It is set around a forward pass and empty outside of one, where
    adapters raise RuntimeError::

        with route.of(batch.source_language, batch.target_language):
            model(...)
    """

    def __init__(self, kernel: AdapterKernel = AdapterKernel.AUTO):
        """``kernel`` computes the updates of the model's adapters."""
        self._kernel = kernel
        self._languages: _Languages = None
        self._products: _Made = {}

    @contextmanager
    def of(self, source: torch.Tensor, target: torch.Tensor) -> Iterator[None]:
        """Set the languages, two integer tensors of shape (batch,), for the block."""
        with self._set({Index.SOURCE: source, Index.TARGET: target}, {}):
            yield

    def recomputing(self) -> Contexts:
        """For :func:`~lslo_cli.nn.recompute.recompute`: the second computation has the same languages."""
        return nullcontext(), self._set(self._languages, self._products)

    def languages(self, index: Index, rows: int) -> torch.Tensor:
        """The selecting language of each row, shape (rows,).

        ``rows`` is the batch size, or a multiple of it in beam search, where each sentence's beams are
        neighbouring rows. Raises RuntimeError outside of a batch or for any other number of rows.
        """
        if self._languages is None:
            raise RuntimeError("a routed adapter ran outside of Route.of(), so no language is known")
        languages = self._languages[index]
        beams, rest = divmod(rows, languages.numel())
        if rest:
            raise RuntimeError(f"{rows} rows cannot be the beams of {languages.numel()} sentences")
        return languages if beams == 1 else languages.repeat_interleave(beams)

    def products(self, index: Index, rows: int, slots: Slots, dtype: torch.dtype, d: int) -> Products:
        """The products in format ``dtype`` at sites with ``d`` inputs and outputs or more.

        Computed once per batch for all sites with the same arguments.
        """
        key = (index, rows, slots, dtype, d)
        if key not in self._products:
            self._products[key] = products(self._kernel, self.languages(index, rows), slots, dtype, d)
        return self._products[key]

    @contextmanager
    def _set(self, languages: _Languages, made: _Made) -> Iterator[None]:
        before = self._languages, self._products
        self._languages, self._products = languages, made
        try:
            yield
        finally:
            self._languages, self._products = before
