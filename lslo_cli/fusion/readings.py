"""How each method reads a pair of texts: what it prepares once, and what it computes for a batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.fusion.attach import FusionAdapters
from lslo_cli.fusion.capture import capture
from lslo_cli.fusion.examples import Example, Pairs, Question
from lslo_cli.fusion.mixup import XMixup, mixup_loss
from lslo_cli.fusion.source import SourceStates
from lslo_cli.fusion.task_model import TaskModel
from lslo_cli.fusion.texts import Texts, encode, encode_questions, prediction_batches

CAPTURE_ROWS = 32
"""Source texts that are read at a time."""

KEPT_BYTES = 2**32
"""Source states of a split that are kept; of larger ones those of a batch are made when it is read."""


@dataclass(frozen=True)
class Prepared:
    """A split as a method reads it: texts, labels, and what stands beside each text.

    ``lengths`` are by what rows are sorted into batches, ``states`` what is fused, and ``source`` the source
    texts themselves.
    """

    texts: Texts
    labels: Tensor
    lengths: tuple[int, ...]
    states: SourceStates | Tensor | None = None
    source: Texts | None = None

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


class Reading:
    """A plain reading of the target text, with whatever adapters the model has."""

    def __init__(self, model: TaskModel, adapters: FusionAdapters | None, max_length: int):
        self.model = model
        self.adapters = adapters
        self.max_length = max_length

    def modules(self) -> dict[str, nn.Module]:
        """What is trained and saved beside the adapters."""
        return {"head": self.model.head}

    def parameters(self) -> list[nn.Parameter]:
        own = self.adapters.parameters() if self.adapters else []
        return [*own, *(p for module in self.modules().values() for p in module.parameters())]

    def prepare(self, pairs: Pairs) -> Prepared:
        return self._prepared(pairs.target, self.max_length)

    def logits(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        """(rows, classes)."""
        return self.model.read(split.texts.padded(rows))[0]

    def loss(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        logits = self.logits(split, rows)
        return F.cross_entropy(logits, split.labels[list(rows)].to(logits.device))

    @torch.no_grad()
    def predict(self, split: Prepared, size: int) -> list[int] | list[list[int]]:
        """The label of every text of a split, or its answer's first and last token, in eval mode."""
        self.model.train(False)
        answers = torch.zeros_like(split.labels)
        for rows in prediction_batches(split.lengths, size):
            answers[rows] = self.model.head.answers(self.logits(split, rows)).cpu()
        return answers.tolist()

    def _prepared(self, examples: Sequence[Example] | Sequence[Question], max_length: int) -> Prepared:
        """Texts with their labels: numbers of classes, or first and last token of an answer."""
        if isinstance(examples[0], Question):
            texts, labels = encode_questions(self.model.tokenizer, examples, max_length)
        else:
            texts = self._encode(((example.text, example.pair) for example in examples), max_length)
            labels = torch.tensor([example.label for example in examples])
        return Prepared(texts, labels, tuple(texts.lengths()))

    def _encode(self, texts, max_length: int | None = None) -> Texts:
        return encode(self.model.tokenizer, texts, max_length or self.max_length, self.model.side)


class SourceReading(Reading):
    """Translate-test: the source text stands in for the target's."""

    def prepare(self, pairs: Pairs) -> Prepared:
        return super().prepare(Pairs(pairs.source, pairs.source))


class JoinedReading(Reading):
    """Input-level fusion: source and target one after the other, in twice the length."""

    def prepare(self, pairs: Pairs) -> Prepared:
        both = zip(pairs.source, pairs.target, strict=True)
        return self._prepared([_joined(source, target) for source, target in both], 2 * self.max_length)


class FusionReading(Reading):
    """FLARE: the frozen model reads the source, whose states are fused with the target's.

    Both texts are padded to one length, the longest of a batch on either side. The states of a split are kept
    for all epochs where they fit into ``KEPT_BYTES``, and in ``captured`` for other runs on the same model.
    ``without_source`` reads with plain LoRAs, as a control.
    """

    without_source = False

    def __init__(
        self,
        model: TaskModel,
        adapters: FusionAdapters,
        max_length: int,
        captured: dict[Hashable, SourceStates] | None = None,
    ):
        super().__init__(model, adapters, max_length)
        self.captured = {} if captured is None else captured

    def prepare(self, pairs: Pairs) -> Prepared:
        plain = super().prepare(pairs)
        source = self._encode((example.text, example.pair) for example in pairs.source)
        lengths = tuple(map(max, plain.lengths, source.lengths()))
        width = self.model.width * self.model.backbone.dtype.itemsize * len(self.adapters.blocks)
        states = None
        if len(lengths) * self.max_length * width <= KEPT_BYTES:
            states = self._all_states(source)
        return replace(plain, states=states, source=source, lengths=lengths)

    def logits(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        length = max(split.lengths[row] for row in rows)
        with self._source(split, rows, length):
            return self.model.read(split.texts.padded(rows, length))[0]

    def _source(self, split: Prepared, rows: Sequence[int], length: int) -> AbstractContextManager[None]:
        source = self.adapters.source
        if self.without_source:
            return source.absent()
        if split.states is None:
            return source.of(self._capture(split.source, rows, length))
        return source.of(split.states.rows(rows).resized(length, self.model.side))

    def _all_states(self, source: Texts) -> SourceStates:
        """The states of all rows in ``max_length`` positions, captured once."""
        settings = self.adapters.settings
        key = (source.ids, settings.source_layer_offset, settings.mask_padding)
        if key not in self.captured:
            batches = _slices(len(source.ids), CAPTURE_ROWS)
            parts = [self._capture(source, rows, self.max_length) for rows in batches]
            self.captured[key] = SourceStates.joined(parts)
        return self.captured[key]

    def _capture(self, source: Texts, rows: Sequence[int], length: int) -> SourceStates:
        backbone = self.model.backbone
        inputs = {name: tensor.to(backbone.device) for name, tensor in source.padded(rows, length).items()}
        return capture(backbone, self.adapters, inputs)


class TranslatorReading(FusionReading):
    """FLARE-MT: ``encode_targets`` gives the translation encoder's states of target texts, once.

    ``projection`` takes them (rows, length, d_mt) to source states.
    """

    def __init__(
        self,
        model: TaskModel,
        adapters: FusionAdapters,
        max_length: int,
        projection: nn.Module,
        encode_targets: Callable[[Sequence[str]], Tensor],
    ):
        super().__init__(model, adapters, max_length)
        self.projection = projection
        self.encode_targets = encode_targets

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "translator": self.projection}

    def prepare(self, pairs: Pairs) -> Prepared:
        plain = Reading.prepare(self, pairs)
        return replace(plain, states=self.encode_targets([example.whole for example in pairs.target]))

    def _source(self, split: Prepared, rows: Sequence[int], length: int) -> AbstractContextManager[None]:
        if self.without_source:
            return self.adapters.source.absent()
        states = self.projection(split.states[list(rows)])
        return self.adapters.source.of(states.resized(length, self.model.side))


class MixupReading(Reading):
    """X-Mixup: the source is read first, then the target, mixed with it."""

    def __init__(self, model: TaskModel, adapters: FusionAdapters, max_length: int, mixup: XMixup):
        super().__init__(model, adapters, max_length)
        self.mixup = mixup

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "mixup": self.mixup.mixed.ratio}

    def prepare(self, pairs: Pairs) -> Prepared:
        source = self._encode((example.text, example.pair) for example in pairs.source)
        return replace(super().prepare(pairs), source=source)

    def logits(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self._read(split, rows)[1][0]

    def loss(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        (source, source_state), (target, target_state) = self._read(split, rows)
        labels = split.labels[list(rows)].to(source.device)
        return mixup_loss(source, target, labels, source_state, target_state)

    def _read(self, split: Prepared, rows: Sequence[int]) -> tuple[tuple[Tensor, Tensor], ...]:
        inputs = split.source.padded(rows)
        source = self.model.read(inputs)
        with self.mixup.source_was_read(inputs["attention_mask"].to(source[0].device)):
            return source, self.model.read(split.texts.padded(rows))


def _joined(source: Example | Question, target: Example | Question) -> Example | Question:
    """Two examples as one: the source before the target, whose context stays where answers are found."""
    if isinstance(target, Question):
        return replace(target, text=f"{source.whole} {target.text}")
    return Example(target.id, source.whole, target.label, target.whole)


def _slices(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
