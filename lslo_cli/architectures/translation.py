"""What has to be known of an architecture to adapt its translation models and to search with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.architectures.layout import Layout
from lslo_cli.method.shapes import ModelShape

Part: TypeAlias = Any
"""A stack, a layer or an attention of transformers. Of its attributes torch's types say ``Tensor | Module``,
whatever they are; the file of an architecture is what knows them."""

UNTIED = "does not tie its embeddings"


class Attention(NamedTuple):
    """An attention of a decoder layer: softmax(scale Q K^T) V over ``heads`` heads."""

    query: nn.Module
    key: nn.Module
    value: nn.Module
    output: nn.Module
    heads: int
    scale: float


class DecoderLayer(NamedTuple):
    """A pre-norm layer of a decoder: three steps ``x + part(norm(x))``, in this order."""

    self_norm: nn.Module
    self_attention: Attention
    cross_norm: nn.Module
    cross_attention: Attention
    feed_forward_norm: nn.Module
    feed_forward: Callable[[Tensor], Tensor]


class TranslationArchitecture(ABC):
    """An encoder and a decoder of pre-norm layers, of one ``model_type`` of config.json.

    ``network`` is transformers' class. ``sizes`` are keys of config.json without which there is no model, all
    of whole numbers. ``settings`` are set in a model's config when it is loaded, whatever its file says.
    Where ``ties_head``, the output projection is the embedding, which both stacks share in any case.
    """

    model_type: ClassVar[str]
    network: ClassVar[type[PreTrainedModel]]
    sizes: ClassVar[tuple[str, ...]]
    layout: ClassVar[Layout]
    settings: ClassVar[Mapping[str, object]] = {}
    ties_head: ClassVar[bool] = True

    def unsupported(self, config: Mapping[str, Any]) -> str | None:
        """Why a model of this type cannot be adapted by what its config.json says, None where it can."""
        return None if config.get("tie_word_embeddings", True) else UNTIED

    @abstractmethod
    def shape(self, config: Any, parameters: int) -> ModelShape:
        """The shape of a model by transformers' config and its number of parameters."""

    @abstractmethod
    def embed_sources(self, encoder: Part, ids: Tensor) -> Tensor:
        """What the first layer of the encoder reads, (rows, length, d), for ``ids`` (rows, length)."""

    @abstractmethod
    def encode(self, encoder: Part, layers: Iterable[nn.Module], x: Tensor, mask: Tensor | None) -> Tensor:
        """Run neighbouring layers of the encoder; ``mask`` is transformers' own, None where all is seen."""

    @abstractmethod
    def embed_targets(self, decoder: Part, ids: Tensor, first: int, length: int) -> Tensor:
        """What the first layer of the decoder reads in evaluation, (rows, n, d), for ``ids`` (rows, n).

        They stand at ``length`` positions from ``first``: one each, or all at one position.
        """

    @abstractmethod
    def decoder_layer(self, layer: Part) -> DecoderLayer:
        """The parts of a layer of the decoder."""

    @abstractmethod
    def finish(self, stack: Part, x: Tensor) -> Tensor:
        """The states of an encoder, or those of a decoder before the head, from those of its last layer."""

    def head_input(self, model: PreTrainedModel, hidden: Tensor) -> Tensor:
        """What the output projection multiplies, from the states of the decoder."""
        return hidden

    @abstractmethod
    def set_dropout(
        self, model: PreTrainedModel, dropout: float, attention: float, activation: float
    ) -> None:
        """Set how often embeddings and outputs, attention weights, and hidden activations are dropped.

        Whole layers never are, whatever the model was trained with.
        """

    def compute_positions(self, model: PreTrainedModel) -> None:
        """Compute in float32 the positions of a model that was loaded in another format; learned ones stay.

        By default there are none that are computed.
        """
        del model

    @abstractmethod
    def longest_target(self, model: PreTrainedModel) -> int | None:
        """The most tokens that the decoder can read; None where positions have no end."""

    def visible(self, decoder: Part, paths: Tensor) -> Tensor:
        """The mask of the decoder's self-attention, boolean or added to scores, (rows, heads or 1, n, slots).

        ``paths`` (rows, n, slots) is true where a hypothesis may look; its slots are in reading order.
        """
        return paths[:, None]
