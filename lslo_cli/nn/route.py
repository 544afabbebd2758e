"""The route of a batch: which languages every sentence goes from and to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lslo_cli.method.strategy import Index
from lslo_cli.nn.segments import Groups, Slots


class Route:
    """Source and target language of each sentence of the current batch, as indices into the languages.

    One object serves a whole model. It is set around a forward pass and empty outside of one, where an
    adapter raises rather than guesses::

        with route.of(batch.source_language, batch.target_language):
            model(...)
    """

    def __init__(self) -> None:
        self._languages: dict[Index, torch.Tensor] | None = None
        self._groups: dict[tuple[Index, int, Slots, torch.dtype], Groups] = {}

    @contextmanager
    def of(self, source: torch.Tensor, target: torch.Tensor) -> Iterator[None]:
        """Set the languages, two integer tensors of shape (batch,), for the block."""
        before = self._languages, self._groups
        self._languages, self._groups = {Index.SOURCE: source, Index.TARGET: target}, {}
        try:
            yield
        finally:
            self._languages, self._groups = before

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

    def groups(self, index: Index, rows: int, slots: Slots, dtype: torch.dtype) -> Groups:
        """The groups of rows for products in format ``dtype``, worked out once for all sites of a batch."""
        key = (index, rows, slots, dtype)
        if key not in self._groups:
            self._groups[key] = Groups.of(self.languages(index, rows), slots, dtype)
        return self._groups[key]
