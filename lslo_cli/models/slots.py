"""The key-value cache of a beam search, without a copy per hypothesis."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 16
"""Steps between two reallocations, which drop dead slots and add capacity for new ones."""


class SlotCache:
    """One memory per sentence and layer for all its hypotheses.

    Every token that is read takes a slot for good. A hypothesis attends to the slots on its own path, where
    ``paths`` (sentences, hypotheses, slots) is true. So when hypotheses fork and end, rows of that mask move,
    but no keys or values. Common prefixes, soon most of the tokens, are stored and read once. From time to
    time, slots on no path are dropped.
    """

    def __init__(self, sentences: int, prompt: int, device: torch.device):
        """The first ``prompt`` slots are the prompt's, where each token sees those before it and itself."""
        seen = torch.ones(prompt, prompt, dtype=torch.bool, device=device).tril()
        self.paths = seen.expand(sentences, -1, -1)
        self._capacity = prompt
        self._memory: list[Tensor] = []  # by layer (2, sentences, capacity, d): keys, values

    def end_prompt(self) -> None:
        """Reduce to one hypothesis, whose path is the whole prompt."""
        self.paths = self.paths[:, -1:]

    def begin_step(self, parents: Tensor) -> None:
        """Take a slot for the next token of every hypothesis.

        ``parents`` (sentences, hypotheses): which of the hypotheses of the step before each one continues.
        """
        sentences, hypotheses = parents.shape
        self.paths = self.paths.gather(1, parents[:, :, None].expand(-1, -1, self.paths.shape[2]))
        if self.paths.shape[2] + hypotheses > self._capacity:
            self._drop_dead(torch.arange(sentences, device=parents.device), STEPS * hypotheses)
        own = torch.eye(hypotheses, dtype=torch.bool, device=parents.device)
        self.paths = torch.cat((self.paths, own.expand(sentences, -1, -1)), dim=2)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Fill the latest slots, layer by layer; returns all keys and values, (sentences, slots, d)."""
        if layer == len(self._memory):
            self._memory.append(torch.stack((keys, values)))
        slots = self.paths.shape[2]
        new = slice(slots - keys.shape[1], slots)
        memory = self._memory[layer]
        memory[0, :, new], memory[1, :, new] = keys, values
        return memory[0, :, :slots], memory[1, :, :slots]

    def keep(self, rows: Tensor) -> None:
        """Continue with these sentences only: indices (n,) among the present ones."""
        self.paths = self.paths[rows]
        self._drop_dead(rows, STEPS * self.paths.shape[1])

    def _drop_dead(self, rows: Tensor, more: int) -> None:
        """Copy the live slots of the sentences ``rows`` into a new memory with ``more`` free slots."""
        alive = self.paths.any(dim=1)  # (sentences, slots)
        most = int(alive.sum(dim=1).max())
        order = alive.long().argsort(dim=1, descending=True, stable=True)[:, :most]
        self.paths = self.paths.gather(2, order[:, None].expand(-1, self.paths.shape[1], -1))
        self._capacity = most + more
        for layer, memory in enumerate(self._memory):
            larger = memory.new_empty(2, len(rows), self._capacity, memory.shape[3])
            larger[:, :, :most] = memory[:, rows[:, None], order]
            self._memory[layer] = larger
