"""What a task needs of a model: to read texts, to learn from their answers, and to answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from lslo_cli.flare.examples import Example, Pairs, Question
from lslo_cli.flare.source import Side, Source, SourceStates
from lslo_cli.flare.texts import Texts

Examples = Sequence[Example] | Sequence[Question]


@dataclass(frozen=True)
class Prepared:
    """A split as a method reads it: texts, labels, and what stands beside each text.

    ``lengths`` are by what rows are sorted into batches, ``states`` what is fused, ``source`` the source
    texts themselves, and ``answers`` the right ones in words, where a model writes them.
    """

    texts: Texts
    labels: Tensor
    lengths: tuple[int, ...]
    states: SourceStates | Tensor | None = None
    source: Texts | None = None
    answers: tuple[str, ...] = ()

    def with_sources_of(self, rows: Sequence[int]) -> Prepared:
        """The same texts, each with the source of another row."""
        states, source = self.states, self.source
        if states is not None:
            states = states.rows(rows) if isinstance(states, SourceStates) else states[list(rows)]
        if source is not None:
            source = replace(source, ids=tuple(source.ids[row] for row in rows))
        lengths = self.lengths
        if source is not None:
            lengths = tuple(map(max, self.texts.lengths(), source.lengths()))
        return replace(self, states=states, source=source, lengths=lengths)


@dataclass(frozen=True)
class Batch:
    """Rows of a split, padded to ``length``, and what is fused while a model reads them.

    ``fusion`` None stands for a model without fusion adapters, ``states`` None for fusion without a source.
    """

    split: Prepared
    rows: Sequence[int]
    length: int
    fusion: Source | None = None
    states: SourceStates | None = None

    def inputs(self, device: torch.device) -> dict[str, Tensor]:
        """What a stock model reads, each (rows, length)."""
        inputs = self.split.texts.padded(self.rows, self.length)
        return {name: tensor.to(device) for name, tensor in inputs.items()}

    def labels(self, device: torch.device) -> Tensor:
        return self.split.labels[list(self.rows)].to(device)

    def reading(self, length: int | None = None) -> AbstractContextManager[None]:
        """Around one pass over the texts; a decoder reads on to ``length`` where answers follow them."""
        if self.fusion is None or self.states is None:
            return self._without_source()
        return self.fusion.of(self.states.window(0, length or self.length))

    def writing(self, model: nn.Module) -> AbstractContextManager[None]:
        """Around ``model.generate`` on the texts."""
        if self.fusion is None or self.states is None:
            return self._without_source()
        return self.fusion.generating(model, self.states)

    def _without_source(self) -> AbstractContextManager[None]:
        return nullcontext() if self.fusion is None else self.fusion.absent()


@dataclass
class TaskModel(ABC):
    """``backbone`` is the stock model, with its tokenizer; ``side`` is where padding goes."""

    backbone: nn.Module
    tokenizer: Any
    side: Side

    @property
    def width(self) -> int:
        """d of the backbone."""
        return self.backbone.config.hidden_size

    @abstractmethod
    def texts(self, examples: Examples, max_length: int) -> Texts:
        """Examples as the model reads them, cut to ``max_length`` tokens."""

    @abstractmethod
    def prepared(self, examples: Examples, max_length: int) -> Prepared:
        """The same with their answers."""

    @abstractmethod
    def joined(self, pairs: Pairs, max_length: int) -> Prepared:
        """Source and target one after the other, with the target's answers."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the right answers."""

    @abstractmethod
    def logits(self, batch: Batch) -> Tensor:
        """(rows, classes), (rows, length, 2) or (rows, words): what the model says first."""

    @abstractmethod
    def answers(self, batch: Batch) -> Tensor:
        """What it answers, in the form of ``labels``."""

    def modules(self) -> dict[str, nn.Module]:
        """What is trained and saved beside adapters."""
        return {}

    def fresh(self) -> Self:
        """The same model with copies of :meth:`modules`, which another run may train."""
        return self

    def train(self, mode: bool) -> None:
        self.backbone.train(mode)
        for module in self.modules().values():
            module.train(mode)
