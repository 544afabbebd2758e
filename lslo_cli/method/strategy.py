"""Index strategy: whether source or target language selects the adapter of a layer (paper, section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.errors import InputError
from lslo_cli.method.languages import Direction
from lslo_cli.method.sites import Layer, Stack, layers


class Index(StrEnum):
    """The language of a translation that selects the adapter."""

    SOURCE = "source"
    TARGET = "target"

    def of(self, direction: Direction) -> str:
        """The language of ``direction`` on this side."""
        return direction.src if self is Index.SOURCE else direction.tgt


@dataclass(frozen=True)
class LayerWeights:
    """The learned weights of one layer: non-negative, summing to 1 (eq. 5, after softmax)."""

    source_weight: float
    target_weight: float

    @property
    def index(self) -> Index:
        """The language with the larger weight. A tie goes to the target, which the decoder prefers."""
        return Index.SOURCE if self.source_weight > self.target_weight else Index.TARGET


@dataclass(frozen=True)
class IndexStrategy:
    """The index of every layer. All adapters of a layer share it, as they share its weights in eq. 5."""

    by_layer: Mapping[Layer, Index]

    def as_text(self) -> dict[str, str]:
        """The index of every layer in plain strings, as artifacts and adapters store it."""
        return {str(layer): str(index) for layer, index in self.by_layer.items()}

    def of(self, layer: Layer) -> Index:
        """The index of ``layer``. Raises InputError if the strategy was made for a shallower model."""
        try:
            return self.by_layer[layer]
        except KeyError:
            raise InputError(
                f"the index strategy has no entry for {layer}; it covers {len(self.by_layer)} layers",
                "learn the strategy on the same base model, or use --index paper, source or target",
            ) from None

    def idle(self, languages: Sequence[str], directions: Iterable[Direction]) -> dict[Index, list[str]]:
        """By side that selects in some layer, the languages that are on it in none of ``directions``.

        No sentence of these directions uses their adapters in the layers that this side selects.
        """
        pairs = list(directions)
        used = {side: {side.of(pair) for pair in pairs} for side in Index if side in self.by_layer.values()}
        return {side: [code for code in languages if code not in there] for side, there in used.items()}


def uniform(index: Index, encoder_layers: int, decoder_layers: int) -> IndexStrategy:
    """The encoder indexed by one language only, the decoder by the target: SRC and TGT of table 3.

    The paper compares encoder settings, since its decoder always prefers the target (section 7.1).
    """
    return IndexStrategy(
        {
            layer: index if layer.stack is Stack.ENCODER else Index.TARGET
            for layer in layers(encoder_layers, decoder_layers)
        }
    )


def paper(encoder_layers: int, decoder_layers: int) -> IndexStrategy:
    """The strategy the paper learned: encoder layers 1-9 of 12 by source, the rest by target (section 6.1).

    Other depths keep the proportion: the first 3/4 of the encoder's layers by source, rounded half up.
    """
    switch = math.floor(0.75 * encoder_layers + 0.5)
    return IndexStrategy(
        {
            layer: Index.SOURCE if layer.stack is Stack.ENCODER and layer.number <= switch else Index.TARGET
            for layer in layers(encoder_layers, decoder_layers)
        }
    )
