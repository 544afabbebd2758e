"""Keys and values of what the hypotheses of a beam search have read, without a copy per hypothesis."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 16
"""Steps between two times that dead slots are dropped and room is made for new ones."""


class SlotCache:
    """One memory per sentence and layer for all its hypotheses.

    Every token that is read takes a slot and stays there, whichever hypotheses continue it. A hypothesis
    attends to the slots on its own path, and ``paths`` (sentences, hypotheses, slots) is true there. So where
    hypotheses fork and end, rows of that mask move, and no key or value does. What they have in common, which
    soon is most of them, is there once and read once. Now and then, slots on nobody's path are dropped.
    """

    def __init__(self, sentences: int, prompt: int, device: torch.device):
        """The first ``prompt`` slots are the prompt's, where each token sees those before it and itself."""
        seen = torch.ones(prompt, prompt, dtype=torch.bool, device=device).tril()
        self.paths = seen.expand(sentences, -1, -1)
        self._room = prompt
        self._memory: list[Tensor] = []  # by layer (2, sentences, room, d): keys, values

    def end_prompt(self) -> None:
        """From here on there is one hypothesis, whose path is the whole prompt."""
        self.paths = self.paths[:, -1:]

    def begin_step(self, parents: Tensor) -> None:
        """Take a slot for the next token of every hypothesis.

        ``parents`` (sentences, hypotheses): which of the hypotheses of the step before each one continues.
        """
        sentences, hypotheses = parents.shape
        self.paths = self.paths.gather(1, parents[:, :, None].expand(-1, -1, self.paths.shape[2]))
        if self.paths.shape[2] + hypotheses > self._room:
            self._drop_dead(torch.arange(sentences, device=parents.device), STEPS * hypotheses)
        own = torch.eye(hypotheses, dtype=torch.bool, device=parents.device)
        self.paths = torch.cat((self.paths, own.expand(sentences, -1, -1)), dim=2)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Fill the slots taken last, layer after layer; keys and values of all, (sentences, slots, d)."""
        if layer == len(self._memory):
            self._memory.append(torch.stack((keys, values)))
        slots = self.paths.shape[2]
        new = slice(slots - keys.shape[1], slots)
        memory = self._memory[layer]
        memory[0, :, new], memory[1, :, new] = keys, values
        return memory[0, :, :slots], memory[1, :, :slots]

    def keep(self, rows: Tensor) -> None:
        """Go on with these sentences only: places (n,) among the present ones."""
        self.paths = self.paths[rows]
        self._drop_dead(rows, STEPS * self.paths.shape[1])

    def _drop_dead(self, rows: Tensor, room: int) -> None:
        """Move what is left of the sentences ``rows`` into a new memory with room for more slots."""
        alive = self.paths.any(dim=1)  # (sentences, slots)
        most = int(alive.sum(dim=1).max())
        order = alive.long().argsort(dim=1, descending=True, stable=True)[:, :most]
        self.paths = self.paths.gather(2, order[:, None].expand(-1, self.paths.shape[1], -1))
        self._room = most + room
        for layer, memory in enumerate(self._memory):
            larger = memory.new_empty(2, len(rows), self._room, memory.shape[3])
            larger[:, :, :most] = memory[:, rows[:, None], order]
            self._memory[layer] = larger
