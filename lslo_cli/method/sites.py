"""Addresses of the weight matrices that can carry an adapter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.errors import UsageError


class Stack(StrEnum):
    """One of the two halves of the translation model."""

    ENCODER = "encoder"
    DECODER = "decoder"


class Kind(StrEnum):
    """Which matrix of a layer: self-attention, cross-attention (decoder only) or feed-forward."""

    Q = "q"
    K = "k"
    V = "v"
    CROSS_Q = "c-q"
    CROSS_K = "c-k"
    CROSS_V = "c-v"
    FC1 = "fc1"
    FC2 = "fc2"

    @property
    def is_attention(self) -> bool:
        return self not in (Kind.FC1, Kind.FC2)


KINDS: dict[Stack, tuple[Kind, ...]] = {
    Stack.ENCODER: (Kind.Q, Kind.K, Kind.V, Kind.FC1, Kind.FC2),
    Stack.DECODER: tuple(Kind),
}
"""The matrices of one layer, in the column order of the paper's figures. Output projections carry none."""


class SiteSet(StrEnum):
    """Which matrices carry adapters (paper, table 4): all, only attention, or only feed-forward."""

    ALL = "all"
    ATTENTION = "attn"
    FEED_FORWARD = "fc"

    def includes(self, kind: Kind) -> bool:
        return self is SiteSet.ALL or kind.is_attention == (self is SiteSet.ATTENTION)


@dataclass(frozen=True)
class Layer:
    """One layer of one stack. ``number`` counts from 1, as in the paper's figures."""

    stack: Stack
    number: int

    def __str__(self) -> str:
        return f"{self.stack}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Layer:
        """Read ``encoder.3``. Raises UsageError for anything else."""
        stack, _, number = text.partition(".")
        if stack not in tuple(Stack) or not number.isdecimal() or int(number) < 1:
            raise UsageError(
                f"'{text}' is not a layer", "write a stack and a layer counted from 1, as encoder.3"
            )
        return cls(Stack(stack), int(number))


@dataclass(frozen=True)
class Site:
    """One weight matrix, written ``decoder.3.c-q``."""

    layer: Layer
    kind: Kind

    def __str__(self) -> str:
        return f"{self.layer}.{self.kind}"

    @classmethod
    def parse(cls, text: str) -> Site:
        """Read ``decoder.3.c-q``. Raises UsageError for anything else."""
        layer, _, kind = text.rpartition(".")
        if not layer or kind not in tuple(Kind):
            raise UsageError(f"'{text}' is not a site", "write stack, layer and matrix, as decoder.3.c-q")
        site = cls(Layer.parse(layer), Kind(kind))
        if site.kind not in KINDS[site.layer.stack]:
            raise UsageError(
                f"'{text}' is not a site: an {site.layer.stack} layer has no cross-attention",
                f"choose one of {', '.join(KINDS[site.layer.stack])}",
            )
        return site


def layers(encoder_layers: int, decoder_layers: int) -> tuple[Layer, ...]:
    """All layers, the encoder's first."""
    return tuple(
        Layer(stack, number)
        for stack, depth in ((Stack.ENCODER, encoder_layers), (Stack.DECODER, decoder_layers))
        for number in range(1, depth + 1)
    )


def sites(encoder_layers: int, decoder_layers: int, site_set: SiteSet = SiteSet.ALL) -> tuple[Site, ...]:
    """All sites of a model: 5 per encoder layer and 8 per decoder layer for ``SiteSet.ALL``."""
    return tuple(
        Site(layer, kind)
        for layer in layers(encoder_layers, decoder_layers)
        for kind in KINDS[layer.stack]
        if site_set.includes(kind)
    )
