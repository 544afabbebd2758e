"""The source states of the current batch: what fusion adapters read, and proof that they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor


class Side(Enum):
    """The side of a text on which padding stands: right for encoders, left for decoder-only models."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class SourceStates:
    """What the source text looks like in every block: (rows, length, d) by the name of the block."""

    by_block: Mapping[str, Tensor]

    @classmethod
    def same(cls, states: Tensor, blocks: Sequence[str]) -> SourceStates:
        """One tensor for all blocks."""
        return cls(dict.fromkeys(blocks, states))

    @classmethod
    def joined(cls, parts: Sequence[SourceStates]) -> SourceStates:
        """The rows of several batches of one length, in order."""
        return cls({name: torch.cat([part.by_block[name] for part in parts]) for name in parts[0].by_block})

    def rows(self, chosen: Tensor | Sequence[int]) -> SourceStates:
        """Some rows, in the order asked for."""
        index = torch.as_tensor(chosen)
        return self._each(lambda states: states[index.to(states.device)])

    def resized(self, length: int, side: Side = Side.RIGHT, stack: str = "") -> SourceStates:
        """Cut to ``length`` positions, or filled up with zeros, on the side where padding stands.

        The rule for source and target texts of unequal length: position meets position, what is too long is
        cut, and where there is no source S is zero. ``stack`` limits it to ``encoder`` or ``decoder``.
        """

        def resize(states: Tensor) -> Tensor:
            missing = length - states.shape[1]  # a negative width cuts
            return F.pad(states, (0, 0, missing, 0) if side is Side.LEFT else (0, 0, 0, missing))

        return self._each(resize, stack)

    def masked(self, attention_mask: Tensor, stack: str = "") -> SourceStates:
        """Zeros where ``attention_mask`` (rows, length) is 0: padding is not fused."""
        return self._each(lambda states: states * attention_mask[..., None].to(states.dtype), stack)

    def window(self, start: int, stop: int) -> SourceStates:
        """Positions ``start`` to ``stop`` of a decoder, where those after the end have the last one's state.

        What a decoder is fused with while it writes, and so while it learns to: the prompt meets the source's
        prompt, and every later word the source's last state. States of encoders stay whole.
        """

        def cut(states: Tensor) -> Tensor:
            positions = torch.arange(start, stop, device=states.device)
            return states[:, positions.clamp(max=states.shape[1] - 1)]

        return self._each(cut, "decoder")

    def to(self, *target: torch.device | torch.dtype) -> SourceStates:
        """On another device or in another format."""
        return self._each(lambda states: states.to(*target))

    def _each(self, change: Callable[[Tensor], Tensor], stack: str = "") -> SourceStates:
        """The tensors of a stack, or all, changed; one that several blocks share stays shared."""
        chosen = [name for name in self.by_block if name.startswith(stack)]
        changed = {id(self.by_block[name]): None for name in chosen}
        for name in chosen:
            if changed[id(self.by_block[name])] is None:
                changed[id(self.by_block[name])] = change(self.by_block[name])
        return SourceStates(
            {name: changed[id(t)] if name in chosen else t for name, t in self.by_block.items()}
        )


class Mode(Enum):
    """What a fusion adapter does with its source."""

    UNSET = "unset"
    """Raise: a source was forgotten."""
    FUSED = "fused"
    """Fuse."""
    LORA = "lora"
    """Be a plain LoRA, B A t, because that was asked for."""
    OFF = "off"
    """Be the frozen map."""


@dataclass
class _Reading:
    mode: Mode = Mode.UNSET
    states: SourceStates | None = None
    read: set[str] = field(default_factory=set)


class Source:
    """The source of the current batch. One object serves all fusion adapters of a model.

    It is set around a forward pass. Outside of one, adapters raise rather than be a plain LoRA in silence,
    and the end of the block raises where an adapter has not read what was set::

        with source.of(states):
            model(...)
    """

    def __init__(self) -> None:
        self.readers: list[str] = []
        """Names of the adapters that must read."""
        self._reading = _Reading()

    @contextmanager
    def of(self, states: SourceStates) -> Iterator[None]:
        """Set the states for the block. Raises RuntimeError at its end where an adapter did not read them."""
        reading = _Reading(Mode.FUSED, states)
        with self._set(reading):
            yield
        unread = [name for name in self.readers if name not in reading.read]
        if unread:
            raise RuntimeError(
                f"a source was set, but {len(unread)} of {len(self.readers)} fusion adapters did not read "
                f"it: {', '.join(unread[:4])}"
            )

    def off(self) -> AbstractContextManager[None]:
        """For the block the model is the frozen one, adapters elsewhere included."""
        return self._set(_Reading(Mode.OFF))

    def absent(self) -> AbstractContextManager[None]:
        """For the block fusion adapters are plain LoRAs, ``W t + (alpha/r) B A t``."""
        return self._set(_Reading(Mode.LORA))

    @property
    def mode(self) -> Mode:
        return self._reading.mode

    def read(self, name: str, block: str, target: Tensor) -> Tensor:
        """The states for the adapter ``name`` in ``block``, of as many rows and positions as ``target``.

        ``target`` is (rows, length, d). Its rows may be a multiple of the source's, in beam search, where the
        beams of a sentence are neighbours. Raises RuntimeError where none is set or its shape differs.
        """
        if self._reading.states is None:
            raise RuntimeError(
                f"fusion adapter {name} ran without a source; set one with Source.of(), or say that there is "
                "none with Source.absent()"
            )
        states = self._reading.states.by_block[block]
        rows, length, _ = target.shape
        if states.shape[1] != length or rows % len(states):
            raise RuntimeError(
                f"fusion adapter {name} has {rows} rows of {length} positions, its source {len(states)} of "
                f"{states.shape[1]}: pad both texts to one length, or resize the source"
            )
        self._reading.read.add(name)
        return states if rows == len(states) else states.repeat_interleave(rows // len(states), dim=0)

    def checkpointing(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """The ``context_fn`` of torch.utils.checkpoint: what is computed again in backward reads the same."""
        return nullcontext(), self._set(self._reading)

    @contextmanager
    def generating(self, model: torch.nn.Module, states: SourceStates) -> Iterator[None]:
        """Set the states of the prompt while ``model.generate`` runs, step by step.

        The prompt is fused with its source position by position, so both have one length and are padded on
        the left; every new token is fused with the last state of the source. With and without a cache of
        keys and values the same is computed.
        """
        reading = _Reading(Mode.FUSED, states)

        def show(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
            cache = kwargs.get("past_key_values")
            start = 0 if cache is None else int(cache.get_seq_length())
            tokens = kwargs.get("decoder_input_ids", kwargs.get("input_ids"))
            reading.states = states.window(start, start + tokens.shape[1])

        hook = model.register_forward_pre_hook(show, with_kwargs=True)
        try:
            with self._set(reading):
                yield
        finally:
            hook.remove()

    @contextmanager
    def _set(self, reading: _Reading) -> Iterator[None]:
        before, self._reading = self._reading, reading
        try:
            yield
        finally:
            self._reading = before
