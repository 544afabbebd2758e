"""The transfer methods: the inputs that each prepares once, and its forward pass on a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lslo_cli.flare.attach import FlareAdapters
from lslo_cli.flare.capture import capture
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.mixup import XMixup, mixup_loss
from lslo_cli.flare.source import SourceStates
from lslo_cli.flare.source_cache import SourceCache
from lslo_cli.flare.task_model import FusedBatch, Prepared, TaskModel
from lslo_cli.flare.texts import Texts, prediction_batches
from lslo_cli.flare.translator import LatentTexts, LatentTranslation
from lslo_cli.method.flare import FlareMethod

CAPTURE_ROWS = 32
"""Source texts encoded at a time."""


class TransferMethod:
    """The model on the target text alone, with the adapters it has."""

    def __init__(self, model: TaskModel, adapters: FlareAdapters | None, max_length: int):
        self.model = model
        self.adapters = adapters
        self.max_length = max_length

    def modules(self) -> dict[str, nn.Module]:
        """Modules that are trained and saved beside the adapters."""
        return self.model.modules()

    def attached(self) -> FlareAdapters:
        """The adapters of a method that trains. Raises RuntimeError for one without adapters."""
        if self.adapters is None:
            raise RuntimeError("a method that trains nothing has no adapters")
        return self.adapters

    def parameters(self) -> list[nn.Parameter]:
        own = self.adapters.parameters() if self.adapters else []
        return [*own, *(p for module in self.modules().values() for p in module.parameters())]

    def detach(self) -> None:
        """Remove from the model what the method attached to it; adapters stay."""

    def prepare(self, pairs: Pairs) -> Prepared:
        return self.model.prepared(pairs.target, self.max_length)

    def batch(self, split: Prepared, rows: Sequence[int]) -> FusedBatch:
        """Rows of a split, with the source states to fuse."""
        return FusedBatch(split, rows, max(split.lengths[row] for row in rows))

    def logits(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self.model.logits(self.batch(split, rows))

    def loss(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self.model.loss(self.batch(split, rows))

    def answers(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self.model.answers(self.batch(split, rows))

    @torch.no_grad()
    def predict(self, split: Prepared, size: int) -> list[Any]:
        """The answer to every text of a split, as :meth:`TaskModel.answers` gives it, in eval mode."""
        self.model.train(False)
        answers: dict[int, Any] = {}
        for rows in prediction_batches(split.lengths, size):
            answers |= zip(rows, self.answers(split, rows).tolist(), strict=True)
        return [answers[row] for row in range(len(split.lengths))]


class TranslateTestMethod(TransferMethod):
    """Translate-test: the source text in place of the target's."""

    def prepare(self, pairs: Pairs) -> Prepared:
        return self.model.prepared(pairs.source, self.max_length)


class InputFusionMethod(TransferMethod):
    """Input-level fusion: source and target concatenated, in twice the length."""

    def prepare(self, pairs: Pairs) -> Prepared:
        return self.model.joined(pairs, FlareMethod.INPUT_FUSION.texts_at_once * self.max_length)


PLAIN_METHODS: Mapping[FlareMethod, type[TransferMethod]] = {
    FlareMethod.ZERO_SHOT: TransferMethod,
    FlareMethod.TRANSLATE_TEST: TranslateTestMethod,
    FlareMethod.LORA: TransferMethod,
    FlareMethod.INPUT_FUSION: InputFusionMethod,
}
"""The methods that need nothing but the model, with its adapters if they train any."""


class FusionMethod(TransferMethod):
    """FLARE: the frozen model reads the source, whose states are fused with the target's.

    They are fused position by position, from the end at which the model has tokens. The states of a split are
    computed once for all epochs if they fit into ``captured``, which keeps them for other runs on the same
    model; else they are computed batch by batch. Either way they depend on the row alone: those of padding
    are zero or, if padding is not masked, those of a text padded to ``max_length``.
    """

    adapters: FlareAdapters

    def __init__(
        self, model: TaskModel, adapters: FlareAdapters, max_length: int, captured: SourceCache | None = None
    ):
        super().__init__(model, adapters, max_length)
        self.captured = SourceCache() if captured is None else captured

    def prepare(self, pairs: Pairs) -> Prepared:
        plain = super().prepare(pairs)
        source = self.model.texts(pairs.source, self.max_length)
        width = self.model.width * self.model.backbone.dtype.itemsize * len(self.adapters.blocks)
        size = len(source.ids) * self.max_length * width
        if size > self.captured.limit:
            return plain.fused_with(
                lambda rows, length: self._capture(source, rows).resized(length), source.longest, source.cut
            )
        cached = self._all_states(source, size)
        return plain.fused_with(
            lambda rows, length: cached.rows(rows).resized(length), source.longest, source.cut
        )

    def batch(self, split: Prepared, rows: Sequence[int]) -> FusedBatch:
        batch = super().batch(split, rows)
        return replace(batch, fusion=self.adapters.source, states=split.states(rows, batch.length))

    def _all_states(self, source: Texts, size: int) -> SourceStates:
        """The states of all rows in ``max_length`` positions, of ``size`` bytes, captured once."""
        settings = self.adapters.settings
        key = (source.ids, settings.source_layer_offset, settings.mask_padding)

        def compute() -> SourceStates:
            batches = _slices(len(source.ids), CAPTURE_ROWS)
            return SourceStates.joined(
                [self._capture(source, rows).resized(self.max_length) for rows in batches]
            )

        return self.captured.states(key, size, compute)

    def _capture(self, source: Texts, rows: Sequence[int]) -> SourceStates:
        backbone = self.model.backbone
        padded = source.padded(rows, None if self.adapters.settings.mask_padding else self.max_length)
        inputs = {name: tensor.to(backbone.device) for name, tensor in padded.items()}
        forward = backbone.base_model  # no language head
        return capture(backbone, self.adapters, inputs, forward, source.side)


class TranslatorMethod(FusionMethod):
    """FLARE-MT: ``encode_targets`` computes the translation encoder's states of target texts once.

    ``projection`` maps them, (rows, length, d_mt), to source states.
    """

    def __init__(
        self,
        model: TaskModel,
        adapters: FlareAdapters,
        max_length: int,
        projection: LatentTranslation,
        encode_targets: Callable[[Sequence[tuple[str, str]]], LatentTexts],
    ):
        super().__init__(model, adapters, max_length)
        self.projection = projection
        self.encode_targets = encode_targets

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "translator": self.projection}

    def prepare(self, pairs: Pairs) -> Prepared:
        plain = TransferMethod.prepare(self, pairs)
        texts = [(example.text, example.pair) for example in pairs.target]
        encoded = self.encode_targets(texts)
        latent = encoded.beside(plain.texts)
        return plain.fused_with(
            lambda rows, length: self.projection(latent.rows(rows)).resized(length), cut=encoded.cut
        )


class MixupMethod(TransferMethod):
    """X-Mixup: the model reads the source first, then the target, mixed with it."""

    model: HeadModel

    def __init__(self, model: HeadModel, adapters: FlareAdapters, max_length: int, mixup: XMixup):
        super().__init__(model, adapters, max_length)
        self.mixup = mixup

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "mixup": self.mixup.mixed.ratio}

    def detach(self) -> None:
        self.mixup.detach()

    def prepare(self, pairs: Pairs) -> Prepared:
        plain, source = super().prepare(pairs), self.model.texts(pairs.source, self.max_length)
        return replace(plain, source=source, cut=plain.cut + source.cut)

    def logits(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self._read(split, rows)[1][0]

    def loss(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        (source, source_state), (target, target_state) = self._read(split, rows)
        labels = split.labels[list(rows)].to(source.device)
        return mixup_loss(source, target, labels, source_state, target_state)

    def answers(self, split: Prepared, rows: Sequence[int]) -> Tensor:
        return self.model.head.answers(self.logits(split, rows))

    def _read(self, split: Prepared, rows: Sequence[int]) -> tuple[tuple[Tensor, Tensor], ...]:
        assert split.source is not None  # set by :meth:`prepare`
        inputs, targets = split.source.padded(rows), split.texts.padded(rows)
        source = self.model.read(inputs)
        with self.mixup.source_was_read(inputs["attention_mask"], targets["attention_mask"]):
            return source, self.model.read(targets)


def _slices(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
