"""The cost of FLARE: parameters, time and memory of a training step, as ratios to LoRA and input fusion.

    python -m benchmarks.flare [--shape xlm-r-base|tiny] [--dtype float32|bfloat16] [--json FILE]

Every variant is the transfer method of ``lslo flare train``, on a random model and random texts, source and
target of one length. FLARE's source is encoded in every step, as in the paper; "states kept" is lslo's way
if they fit into memory: they are computed once, and a step looks them up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import M2M100Config, XLMRobertaConfig, XLMRobertaModel
from transformers.models.m2m_100.modeling_m2m_100 import M2M100Encoder

from benchmarks import measure
from benchmarks.models import twin
from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.capture import capture
from lslo_cli.flare.head_model import HeadModel
from lslo_cli.flare.heads import Classifier
from lslo_cli.flare.mixup import XMixup
from lslo_cli.flare.source import Side
from lslo_cli.flare.task_model import Prepared
from lslo_cli.flare.texts import Texts
from lslo_cli.flare.transfer_methods import (
    FusionMethod,
    InputFusionMethod,
    MixupMethod,
    TransferMethod,
    TranslatorMethod,
)
from lslo_cli.flare.translator import LatentTexts, LatentTranslation, read_target
from lslo_cli.method.flare import Phi

LORA, INPUT_FUSION = "LoRA", "input fusion"
CLASSES = 3
PAD = 1


@dataclass(frozen=True)
class Size:
    """An encoder, a translation encoder for FLARE-MT, and a batch of ``rows`` texts of ``length`` tokens."""

    layers: int
    width: int
    heads: int
    inner: int
    translator_layers: int
    translator_width: int
    rows: int
    length: int
    vocabulary: int


SIZES = {
    "xlm-r-base": Size(12, 768, 12, 3072, 12, 1024, rows=8, length=64, vocabulary=8000),
    "tiny": Size(2, 16, 2, 32, 1, 24, rows=3, length=5, vocabulary=40),
}
"""XLM-R Base with NLLB-200 600M's encoder, both with another vocabulary, and one for tests."""


@dataclass(frozen=True)
class Variant:
    """A transfer method with a batch, and the source states cached from epoch to epoch."""

    method: TransferMethod
    batch: Prepared
    kept: tuple[torch.Tensor, ...] = ()

    def loss(self) -> torch.Tensor:
        return self.method.loss(self.batch, range(len(self.batch.lengths)))

    def step(self) -> None:
        """Forward and backward; gradients are dropped, so that they do not pile up in memory."""
        self.loss().backward()
        for parameter in self.method.parameters():
            parameter.grad = None

    def kept_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.kept)


class Setting:
    """A random model with random texts, common to all variants."""

    def __init__(self, size: Size, device: str, dtype: str):
        self.size, self.device, self.dtype = size, device, getattr(torch, dtype)
        torch.manual_seed(1)
        config = XLMRobertaConfig(
            vocab_size=size.vocabulary,
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=size.inner,
            max_position_embeddings=2 * size.length + 2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=PAD,
        )
        self.backbone = XLMRobertaModel(config, add_pooling_layer=False).to(device, self.dtype)
        self.backbone.requires_grad_(False)
        self.target, self.source, self.both = (self._texts(n) for n in (1, 1, 2))

    def _texts(self, times: int) -> Texts:
        ids = torch.randint(PAD + 1, self.size.vocabulary, (self.size.rows, times * self.size.length))
        return Texts(tuple(map(tuple, ids.tolist())), PAD)

    def task_model(self) -> HeadModel:
        """A copy of the model with shared weights and its own head."""
        head = Classifier(self.size.width, CLASSES, dropout=0.0).to(self.device)
        return HeadModel(twin(self.backbone), tokenizer=None, side=Side.RIGHT, head=head)

    def batch(self, texts: Texts, source: Texts | None = None) -> Prepared:
        labels = torch.arange(len(texts.ids)) % CLASSES
        return Prepared(texts, labels, tuple(texts.lengths()), source=source)

    def plain(self) -> Variant:
        """LoRA on the target text."""
        model = self.task_model()
        adapters = attach_flare(model.backbone, FlareSettings(phi=None))
        return Variant(TransferMethod(model, adapters, self.size.length), self.batch(self.target))

    def joined(self) -> Variant:
        """LoRA on both texts, concatenated."""
        model = self.task_model()
        adapters = attach_flare(model.backbone, FlareSettings(phi=None))
        return Variant(InputFusionMethod(model, adapters, self.size.length), self.batch(self.both))

    def mixup(self) -> Variant:
        """LoRA on both texts, mixed in the middle block."""
        model = self.task_model()
        adapters = attach_flare(model.backbone, FlareSettings(phi=None))
        mixup = XMixup(model.backbone, (self.size.layers + 1) // 2)
        method = MixupMethod(model, adapters, self.size.length, mixup)
        return Variant(method, self.batch(self.target, self.source))

    def flare(self, phi: Phi, keep: bool = False) -> Variant:
        """FLARE; with ``keep`` its source states are cached."""
        model = self.task_model()
        adapters = attach_flare(model.backbone, FlareSettings(phi=phi))
        inputs = self.source.padded(range(self.size.rows))
        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        read = partial(capture, model.backbone, adapters, inputs)
        kept = read() if keep else None
        batch = self.batch(self.target).fused_with(lambda rows, length: kept or read())
        tensors = tuple(kept.by_block.values()) if kept else ()
        return Variant(FusionMethod(model, adapters, self.size.length), batch, tensors)

    def flare_mt(self, keep: bool = False) -> Variant:
        """FLARE-MT; with ``keep`` the translation encoder's states of the target texts are cached."""
        model = self.task_model()
        adapters = attach_flare(model.backbone, FlareSettings())
        encoder = self._translation_encoder()
        projection = LatentTranslation(self.size.translator_width, self.size.width, adapters.blocks)
        method = TranslatorMethod(
            model, adapters, self.size.length, projection.to(self.device), encode_targets=lambda _: None
        )
        inputs = [tensor.to(self.device) for tensor in self.target.padded(range(self.size.rows)).values()]

        def read() -> LatentTexts:
            return LatentTexts(read_target(encoder, *inputs), inputs[1])

        kept = read() if keep else None
        batch = self.batch(self.target).fused_with(lambda rows, length: projection(kept or read()))
        return Variant(method, batch, (kept.states,) if kept else ())

    def _translation_encoder(self) -> nn.Module:
        width = self.size.translator_width
        config = M2M100Config(
            vocab_size=self.size.vocabulary,
            d_model=width,
            encoder_layers=self.size.translator_layers,
            encoder_attention_heads=max(1, width // 64),
            encoder_ffn_dim=4 * width,
            pad_token_id=PAD,
        )
        return M2M100Encoder(config).to(self.device, self.dtype).requires_grad_(False)

    def variants(self) -> dict[str, Callable[[], Variant]]:
        """The variants by name."""
        return {
            LORA: self.plain,
            INPUT_FUSION: self.joined,
            "X-Mixup": self.mixup,
            **{f"FLARE {phi}": partial(self.flare, phi) for phi in Phi},
            "FLARE add-relu, states kept": partial(self.flare, Phi.ADD_RELU, keep=True),
            "FLARE-MT": self.flare_mt,
            "FLARE-MT, states kept": partial(self.flare_mt, keep=True),
        }


def run(shape: str, device: str, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Measure every variant: time in turns, memory one by one."""
    made = Setting(SIZES[shape], device, dtype).variants()
    memory = {name: _memory(make(), device) for name, make in made.items()}
    built = {name: make() for name, make in made.items()}
    timings = measure.alternate({name: variant.step for name, variant in built.items()}, repeats, device)
    trained = {name: _count(variant) for name, variant in built.items()}
    return [
        {
            "variant": name,
            "trained": trained[name],
            "more than LoRA": trained[name] - trained[LORA],
            "seconds": timing.median,
            "spread": timing.spread,
            "over LoRA": timing.over(timings[LORA]),
            "over input fusion": timing.over(timings[INPUT_FUSION]),
            **memory[name],
            "peak over LoRA": memory[name]["peak MiB"] / memory[LORA]["peak MiB"],
            "peak over input fusion": memory[name]["peak MiB"] / memory[INPUT_FUSION]["peak MiB"],
        }
        for name, timing in timings.items()
    ]


def _memory(variant: Variant, device: str) -> dict[str, float]:
    """Memory of a step: saved for backward, peak beside weights, and cached source states."""
    method = variant.method
    weights = [*method.model.backbone.parameters(), *method.parameters()]
    saved = measure.saved_bytes(variant.loss, weights)
    variant.step()
    sizes = {
        "saved MiB": saved,
        "peak MiB": measure.peak_bytes(variant.step, device),
        "kept MiB": variant.kept_bytes(),
    }
    return {name: size / 2**20 for name, size in sizes.items()}


def _count(variant: Variant) -> int:
    return sum(parameter.numel() for parameter in variant.method.parameters())


def main() -> None:
    given = measure.parse(measure.parser(__doc__, tuple(SIZES)))
    measure.report(run(given.shape, given.device, given.dtype, given.repeats or 5), given)


if __name__ == "__main__":
    main()
