"""The interface of task models: encoding texts, the loss on their answers, and answering."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.errors import UsageError
from lslo_cli.flare.architectures import positions_of
from lslo_cli.flare.examples import Examples, Pairs
from lslo_cli.flare.source import Side, Source, SourceStates
from lslo_cli.flare.texts import Texts, prediction_batches
from lslo_cli.method.flare import FlareMethod, SourceGiven
from lslo_cli.nn.loss import IGNORED
from lslo_cli.recipe.flare import SHORTEST, FlareSection

MEAN_ROWS = 32
"""Rows at a time whose source states are averaged."""


Sources = Callable[[Sequence[int], int], SourceStates]
"""The source states of rows of a split, in a given number of positions."""


@dataclass(frozen=True)
class Prepared:
    """A split prepared for a method: texts, labels, and the source of each text.

    Rows are sorted into batches by ``lengths``; ``sources`` are the states to fuse, which may have
    ``longest_source`` tokens where that is more than the texts have, and ``source`` is the source texts.
    ``answers`` are each row's right ones, of which the first is trained on: in words, for a model that writes
    them, or as spans. ``cut`` counts the texts and sources that were too long to be read whole.
    """

    texts: Texts
    labels: Tensor
    lengths: tuple[int, ...]
    sources: Sources | None = None
    longest_source: int = 0
    source: Texts | None = None
    answers: tuple[tuple[Any, ...], ...] = ()
    cut: int = 0

    @classmethod
    def of(cls, texts: Texts, labels: Tensor, answers: tuple[tuple[Any, ...], ...] = ()) -> Prepared:
        """Texts and labels, without a source."""
        return cls(texts, labels, tuple(texts.lengths()), answers=answers, cut=texts.cut)

    def given(self, source: SourceGiven, rows: Sequence[int]) -> Prepared:
        """The same texts with another source; if shuffled, row i has that of ``rows[i]``.

        The mean is over all tokens of the split's sources, by block, and replaces every token of the row's
        own: at the scale of real states, it carries nothing but the length of the text.
        """
        match source:
            case SourceGiven.MATCHED:
                return self
            case SourceGiven.ZERO:
                return self.fused_with(lambda chosen, length: self._one(chosen, length).zeros())
            case SourceGiven.MEAN:
                means = self._means()
                return self.fused_with(lambda chosen, length: self.states(chosen, length).filled(means))
            case SourceGiven.SHUFFLED:
                return self.fused_with(
                    lambda chosen, length: self.states([rows[row] for row in chosen], length)
                )

    def with_answers(self) -> Prepared:
        """Without the rows whose answer was cut off, which cannot be trained on."""
        whole = [row for row, label in enumerate(self.labels.tolist()) if label != [IGNORED, IGNORED]]
        return self if len(whole) == len(self.lengths) else self.rows(whole)

    def rows(self, chosen: Sequence[int]) -> Prepared:
        """The ``chosen`` rows, in that order."""
        sources = self.sources
        return replace(
            self,
            texts=self.texts.rows(chosen),
            labels=self.labels[list(chosen)],
            lengths=tuple(self.lengths[row] for row in chosen),
            sources=sources and (lambda rows, length: sources([chosen[row] for row in rows], length)),
            source=self.source and self.source.rows(chosen),
            answers=tuple(self.answers[row] for row in chosen) if self.answers else (),
        )

    def states(self, rows: Sequence[int], length: int) -> SourceStates:
        """The source states of rows. Raises RuntimeError for a split without sources."""
        if self.sources is None:
            raise RuntimeError("the split has no sources to fuse with its texts")
        return self.sources(rows, length)

    def fused_with(self, sources: Sources, longest: int = 0, cut: int = 0) -> Prepared:
        """The same texts with other sources, of at most ``longest`` tokens, of which ``cut`` were longer."""
        return replace(self, sources=sources, longest_source=longest, cut=self.cut + cut)

    def _one(self, rows: Sequence[int], length: int) -> SourceStates:
        """The first row's source for every row, for its shape alone."""
        return self.states(rows[:1], length).rows([0] * len(rows))

    @torch.no_grad()
    def _means(self) -> dict[str, Tensor]:
        """The mean state over all source tokens by block, (d,), those beyond the longest text included."""
        length = max(self.texts.longest, self.longest_source)
        totals: dict[str, Tensor] = {}
        for rows in prediction_batches(self.lengths, MEAN_ROWS):
            for name, sums in self.states(rows, length).sums().items():
                totals[name] = totals.get(name, 0) + sums
        return {name: total[:-1] / total[-1] for name, total in totals.items()}


@dataclass(frozen=True)
class FusedBatch:
    """Rows of a split, padded to ``length``, and the source states to fuse with them.

    ``fusion`` and ``states`` are None for a model without fusion adapters.
    """

    split: Prepared
    rows: Sequence[int]
    length: int
    fusion: Source | None = None
    states: SourceStates | None = None

    @cached_property
    def padded(self) -> dict[str, Tensor]:
        """The texts' ``input_ids`` and masks, each (rows, length)."""
        return self.split.texts.padded(self.rows, self.length)

    def inputs(self, device: torch.device) -> dict[str, Tensor]:
        """The inputs of a stock model."""
        return {name: tensor.to(device) for name, tensor in self.padded.items()}

    def labels(self, device: torch.device) -> Tensor:
        return self.split.labels[list(self.rows)].to(device)

    def reading(self, length: int | None = None) -> AbstractContextManager[None]:
        """The context of one forward pass; ``length`` includes answers that a decoder reads after texts."""
        if self.fusion is None or self.states is None:
            return nullcontext()
        return self.fusion.of(self.states.window(0, length or self.length), self.padded["attention_mask"])

    def writing(self, model: nn.Module) -> AbstractContextManager[None]:
        """The context of ``model.generate`` on the texts."""
        if self.fusion is None or self.states is None:
            return nullcontext()
        return self.fusion.generating(model, self.states)


@dataclass
class TaskModel(ABC):
    """``backbone`` is the stock model, with its tokenizer; ``side`` is its padding side."""

    backbone: PreTrainedModel
    tokenizer: Any
    side: Side

    @property
    def width(self) -> int:
        """d of the backbone."""
        return self.backbone.config.hidden_size

    @property
    def longest(self) -> int | None:
        """The most tokens that the backbone reads at once; None without a limit."""
        return positions_of(self.backbone)

    @property
    def shortest(self) -> int:
        """The fewest tokens in which it reads some of every text."""
        return SHORTEST

    @abstractmethod
    def texts(self, examples: Examples, max_length: int) -> Texts:
        """Encoded examples, truncated to ``max_length`` tokens."""

    @abstractmethod
    def prepared(self, examples: Examples, max_length: int) -> Prepared:
        """Encoded examples with their answers."""

    @abstractmethod
    def joined(self, pairs: Pairs, max_length: int) -> Prepared:
        """Source and target concatenated, with the target's answers."""

    @abstractmethod
    def loss(self, batch: FusedBatch) -> Tensor:
        """Cross-entropy of the right answers."""

    @abstractmethod
    def logits(self, batch: FusedBatch) -> Tensor:
        """Logits: (rows, classes), (rows, length, 2), or (rows, vocabulary) of the first token."""

    @abstractmethod
    def answers(self, batch: FusedBatch) -> Tensor:
        """The answers: label numbers, (rows,), or exact match and token F1, (rows, 2)."""

    def modules(self) -> dict[str, nn.Module]:
        """Modules that are trained and saved with the adapters."""
        return {}

    def fresh(self) -> Self:
        """The same model with copies of :meth:`modules`, for another run to train."""
        return self

    def train(self, mode: bool) -> None:
        self.backbone.train(mode)
        for module in self.modules().values():
            module.train(mode)


def longest_texts(model: TaskModel, method: FlareMethod) -> int | None:
    """The largest ``flare.max_length`` with which a method reads as many tokens as the model has positions.

    None if the model has no limit.
    """
    return model.longest and model.longest // method.texts_at_once


def check_lengths(model: TaskModel, method: FlareMethod, settings: FlareSection) -> None:
    """Raise UsageError if a method would read more tokens at once than the task model has positions for.

    Raises it too if the words of a prompt leave no room for its texts.
    """
    if settings.max_length < model.shortest:
        raise UsageError(
            f"a prompt of {settings.task} takes {model.shortest} tokens and more, and flare.max_length = "
            f"{settings.max_length}",
            f"read more: --set flare.max_length={8 * model.shortest}",
        )
    longest = longest_texts(model, method)
    if longest is None or settings.max_length <= longest:
        return
    tokens = f"flare.max_length = {settings.max_length}"
    hint = f"shorten texts: --set flare.max_length={longest}"
    if method.texts_at_once > 1:
        tokens += f", of which {method} reads twice as many"
        hint += f", or leave {method} out of --runs"
    raise UsageError(f"'{settings.model}' reads at most {model.longest:,} tokens at once, and {tokens}", hint)
