"""The interface of an architecture, for adapting its translation models and searching with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.architectures.layout import Layout
from lslo_cli.method.shapes import ModelShape

Part: TypeAlias = Any
"""A stack, a layer or an attention of transformers. torch types all its attributes as ``Tensor | Module``;
only the file of an architecture knows them."""

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

    ``network`` is transformers' class. ``sizes`` are the required integer keys of config.json, ``arithmetic``
    are keys that change what a model computes but not the shapes of its weights. ``settings`` override the
    keys of config.json that would change what a call returns, or what lslo decides itself. If ``ties_head``,
    the output projection is the embedding, which both stacks always share. If not ``converts``, CTranslate2's
    converter writes a model that computes something else.
    """

    model_type: ClassVar[str]
    network: ClassVar[type[PreTrainedModel]]
    sizes: ClassVar[tuple[str, ...]]
    arithmetic: ClassVar[tuple[str, ...]]
    layout: ClassVar[Layout]
    settings: ClassVar[Mapping[str, object]] = {
        "return_dict": True,
        "output_attentions": False,
        "output_hidden_states": False,
        "use_cache": True,
    }
    ties_head: ClassVar[bool] = True
    converts: ClassVar[bool] = True

    def unsupported(self, config: Mapping[str, Any]) -> str | None:
        """Why a model of this type cannot be adapted, by its config.json; None if it can."""
        return None if config.get("tie_word_embeddings", True) else UNTIED

    def published(self, model: PreTrainedModel, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The config.json that transformers wrote of a model, with the values that published ones have."""
        return config

    @abstractmethod
    def shape(self, config: Any, parameters: int) -> ModelShape:
        """The shape of a model, from transformers' config and its number of parameters."""

    @abstractmethod
    def embed_sources(self, encoder: Part, ids: Tensor) -> Tensor:
        """The input of the encoder's first layer, (rows, length, d), for ``ids`` (rows, length)."""

    @abstractmethod
    def encode(self, encoder: Part, layers: Iterable[nn.Module], x: Tensor, mask: Tensor | None) -> Tensor:
        """Run consecutive layers of the encoder; ``mask`` is transformers' own, None if all is visible."""

    @abstractmethod
    def embed_targets(self, decoder: Part, ids: Tensor, first: int, length: int) -> Tensor:
        """The input of the decoder's first layer in evaluation, (rows, n, d), for ``ids`` (rows, n).

        They are at ``length`` positions from ``first``: one each, or all at one position.
        """

    @abstractmethod
    def decoder_layer(self, layer: Part) -> DecoderLayer:
        """The parts of a layer of the decoder."""

    @abstractmethod
    def finish(self, stack: Part, x: Tensor) -> Tensor:
        """The final states of an encoder, or of a decoder before the head, from those of its last layer."""

    def head_input(self, model: PreTrainedModel, hidden: Tensor) -> Tensor:
        """The input of the output projection, from the final states of the decoder."""
        return hidden

    @abstractmethod
    def set_dropout(
        self, model: PreTrainedModel, dropout: float, attention: float, activation: float
    ) -> None:
        """Set the dropout of embeddings and outputs, attention weights, and hidden activations.

        Layerdrop is set to 0.
        """

    def compute_positions(self, model: PreTrainedModel) -> None:
        """Recompute in float32 the sinusoidal positions of a model loaded in another format.

        By default there are none.
        """
        del model

    @abstractmethod
    def longest_target(self, model: PreTrainedModel) -> int | None:
        """The most tokens that the decoder can read; None if positions are unlimited."""

    def visible(self, decoder: Part, paths: Tensor) -> Tensor:
        """The mask of the decoder's self-attention, boolean or added to scores, (rows, heads or 1, n, slots).

        ``paths`` (rows, n, slots) is true at slots visible to a hypothesis; slots are in reading order.
        """
        return paths[:, None]
