"""The source states of the current batch, which fusion adapters must read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from lslo_cli.nn.recompute import Contexts


class Side(Enum):
    """The padding side: right for encoders, left for decoder-only models."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class SourceStates:
    """The states of the source text in every block: (rows, length, d) by the name of the block.

    ``masks`` are (rows, length, 1) by the name of the stack, 1 at tokens and 0 at padding, which is on
    ``side``; a stack without a mask has no padding.
    """

    by_block: Mapping[str, Tensor]
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    side: Side = Side.RIGHT

    @classmethod
    def same(
        cls, states: Tensor, blocks: Sequence[str], mask: Tensor | None = None, side: Side = Side.RIGHT
    ) -> SourceStates:
        """One tensor for all blocks, and one mask (rows, length) for all stacks."""
        masks = {} if mask is None else dict.fromkeys(map(_stack, blocks), mask[..., None])
        return cls(dict.fromkeys(blocks, states), masks, side)

    @classmethod
    def joined(cls, parts: Sequence[SourceStates]) -> SourceStates:
        """The rows of several batches of one length, in order."""
        by_block, masks = (
            {name: torch.cat([tensors[name] for tensors in group]) for name in group[0]}
            for group in ([part.by_block for part in parts], [part.masks for part in parts])
        )
        return cls(by_block, masks, parts[0].side)

    def rows(self, chosen: Tensor | Sequence[int]) -> SourceStates:
        """The ``chosen`` rows, in that order."""
        index = torch.as_tensor(chosen)
        return self._each(lambda tensor: tensor[index.to(tensor.device)])

    def resized(self, length: int, stack: str = "") -> SourceStates:
        """Truncated or zero-padded to ``length`` positions, on the padding side.

        Source and target texts of unequal length are fused position by position: a longer source is
        truncated, and S is zero beyond a shorter one. ``stack`` limits it to ``encoder`` or ``decoder``.
        """

        def resize(tensor: Tensor) -> Tensor:
            missing = length - tensor.shape[1]  # a negative width cuts
            return F.pad(tensor, (0, 0, missing, 0) if self.side is Side.LEFT else (0, 0, 0, missing))

        return self._each(resize, stack)

    def masked(self) -> SourceStates:
        """Zeros at padding, which is then not fused."""
        return replace(
            self, by_block={name: x * self._mask(name).to(x.dtype) for name, x in self.by_block.items()}
        )

    def zeros(self) -> SourceStates:
        """Zeros everywhere: no source."""
        return replace(self, by_block={name: torch.zeros_like(x) for name, x in self.by_block.items()})

    def filled(self, states: Mapping[str, Tensor]) -> SourceStates:
        """One state (d,) by block at every token, zeros at padding."""
        ones = {name: torch.ones_like(x) * states[name].to(x) for name, x in self.by_block.items()}
        return replace(self, by_block=ones).masked()

    def sums(self) -> dict[str, Tensor]:
        """By block the sum of the states of all tokens, (d,), followed by their number: (d + 1,)."""
        sums = {}
        for name, x in self.masked().by_block.items():
            tokens = self._mask(name).expand(*x.shape[:2], 1)
            sums[name] = torch.cat([x.double().sum(dim=(0, 1)), tokens.double().sum().to(x.device)[None]])
        return sums

    def window(self, start: int, stop: int) -> SourceStates:
        """Positions ``start`` to ``stop`` of a decoder; positions after the end have the last one's state.

        So a decoder is fused in generation and in training: the prompt with the source's prompt, and every
        later token with the source's last state. States of encoders are unchanged.
        """

        def cut(tensor: Tensor) -> Tensor:
            positions = torch.arange(start, stop, device=tensor.device)
            return tensor[:, positions.clamp(max=tensor.shape[1] - 1)]

        return self._each(cut, "decoder")

    def _mask(self, block: str) -> Tensor:
        states = self.by_block[block]
        mask = self.masks.get(_stack(block))
        return torch.ones(1, 1, 1, device=states.device) if mask is None else mask.to(states.device)

    def _each(self, change: Callable[[Tensor], Tensor], stack: str = "") -> SourceStates:
        """``change`` applied to the states and masks of a stack, or of all; shared tensors stay shared."""
        changed: dict[int, Tensor] = {}

        def once(name: str, tensor: Tensor) -> Tensor:
            if not name.startswith(stack):
                return tensor
            if id(tensor) not in changed:
                changed[id(tensor)] = change(tensor)
            return changed[id(tensor)]

        by_block, masks = (
            {name: once(name, tensor) for name, tensor in group.items()}
            for group in (self.by_block, self.masks)
        )
        return SourceStates(by_block, masks, self.side)


def _stack(block: str) -> str:
    """The stack of a block by its name: ``encoder`` of ``encoder.1``."""
    return block.partition(".")[0]


class Mode(Enum):
    """How fusion adapters use the source."""

    UNSET = "unset"
    """Raise an error: no source was set."""
    FUSED = "fused"
    """Fuse."""
    OFF = "off"
    """Compute the frozen map alone."""


@dataclass
class _Current:
    mode: Mode = Mode.UNSET
    states: SourceStates | None = None
    tokens: Tensor | None = None
    read: set[str] = field(default_factory=set)


class Source:
    """The source of the current batch. One object serves all fusion adapters of a model.

    It is set around a forward pass. Without it adapters raise, rather than silently acting as a plain LoRA,
    and the end of the ``with`` block raises if an adapter has not read it::

        with source.of(states):
            model(...)
    """

    def __init__(self) -> None:
        self.readers: list[str] = []
        """Names of the adapters that must read."""
        self._current = _Current()

    @contextmanager
    def of(self, states: SourceStates, tokens: Tensor | None = None) -> Iterator[None]:
        """Set the states for the block. Raises RuntimeError at its end if an adapter has not read them.

        ``tokens`` is the attention mask of the target texts, (rows, length), for fusion functions that mask
        their padding; None means no padding.
        """
        current = _Current(Mode.FUSED, states, tokens)
        with self._set(current):
            yield
        unread = [name for name in self.readers if name not in current.read]
        if unread:
            raise RuntimeError(
                f"a source was set, but {len(unread)} of {len(self.readers)} fusion adapters did not read "
                f"it: {', '.join(unread[:4])}"
            )

    def off(self) -> AbstractContextManager[None]:
        """Turn all adapters off for the ``with`` block: the model is the frozen one."""
        return self._set(_Current(Mode.OFF))

    @property
    def mode(self) -> Mode:
        return self._current.mode

    @property
    def tokens(self) -> Tensor | None:
        """The attention mask of the target texts, (rows, length); None without padding."""
        return self._current.tokens

    def read(self, name: str, block: str, target: Tensor) -> Tensor:
        """The states for the adapter ``name`` in ``block``, with as many rows and positions as ``target``.

        ``target`` is (rows, length, d). Its rows may be a multiple of the source's, as in beam search, where
        the beams of a sentence are adjacent. Raises RuntimeError if no source is set or its shape differs.
        """
        if self._current.states is None:
            raise RuntimeError(
                f"fusion adapter {name} ran without a source: set one with Source.of(), which may be zeros"
            )
        states = self._current.states.by_block[block]
        rows, length, _ = target.shape
        if states.shape[1] != length or rows % len(states):
            raise RuntimeError(
                f"fusion adapter {name} has {rows} rows of {length} positions, its source {len(states)} of "
                f"{states.shape[1]}: pad both texts to one length, or resize the source"
            )
        self._current.read.add(name)
        return states if rows == len(states) else states.repeat_interleave(rows // len(states), dim=0)

    def recomputing(self) -> Contexts:
        """Contexts for :func:`~lslo_cli.nn.recompute.recompute`: recomputation reads the same source."""
        return nullcontext(), self._set(self._current)

    @contextmanager
    def generating(self, model: torch.nn.Module, states: SourceStates) -> Iterator[None]:
        """Set the states of the prompt while ``model.generate`` runs, step by step.

        The prompt is fused with its source position by position, so both have one length and are padded on
        the left; every new token is fused with the last state of the source. The result does not depend on
        the cache of keys and values.
        """
        current = _Current(Mode.FUSED, states)

        def show(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
            cache = kwargs.get("past_key_values")
            start = 0 if cache is None else int(cache.get_seq_length())
            tokens = kwargs["decoder_input_ids" if "decoder_input_ids" in kwargs else "input_ids"]
            current.states = states.window(start, start + tokens.shape[1])

        hook = model.register_forward_pre_hook(show, with_kwargs=True)
        try:
            with self._set(current):
                yield
        finally:
            hook.remove()

    @contextmanager
    def _set(self, current: _Current) -> Iterator[None]:
        before, self._current = self._current, current
        try:
            yield
        finally:
            self._current = before
