"""T5 1.1: RMS norms without bias, relative positions, unscaled attention, gated feed-forward (MADLAD-400)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, T5ForConditionalGeneration

from lslo_cli.architectures.layout import Layout
from lslo_cli.architectures.translation import Attention, DecoderLayer, Part, TranslationArchitecture
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Kind, Stack

_SELF_ATTENTION = {
    Kind.Q: "layer.0.SelfAttention.q",
    Kind.K: "layer.0.SelfAttention.k",
    Kind.V: "layer.0.SelfAttention.v",
}
_CROSS_ATTENTION = {
    Kind.CROSS_Q: "layer.1.EncDecAttention.q",
    Kind.CROSS_K: "layer.1.EncDecAttention.k",
    Kind.CROSS_V: "layer.1.EncDecAttention.v",
}


def _feed_forward(number: int) -> dict[Kind, str]:
    return {Kind.FC1: f"layer.{number}.DenseReluDense.wi_0", Kind.FC2: f"layer.{number}.DenseReluDense.wo"}


class T5(TranslationArchitecture):
    """A feed-forward block is ``wo(act(wi_0 x) * wi_1 x)``.

    Of its three matrices wi_0 and wo carry adapters: they correspond to fc1 and fc2 of the paper's model, the
    map into the non-linearity and the map out of it. The gate's other factor, wi_1, stays frozen, so that a
    layer has as many sites as the paper's, and ranks and budgets mean the same.

    The output projection may share the embedding or be separate, which config.json does not tell.
    """

    model_type = "t5"
    network = T5ForConditionalGeneration
    sizes = ("num_layers", "d_model", "d_kv", "num_heads", "d_ff", "vocab_size", "pad_token_id")
    arithmetic = (
        "feed_forward_proj",
        "relative_attention_max_distance",
        "layer_norm_epsilon",
        "scale_decoder_outputs",
    )
    layout = Layout(
        layers={Stack.ENCODER: "encoder.block", Stack.DECODER: "decoder.block"},
        matrices={
            Stack.ENCODER: _SELF_ATTENTION | _feed_forward(1),
            Stack.DECODER: _SELF_ATTENTION | _CROSS_ATTENTION | _feed_forward(2),
        },
        norm="layer.0.layer_norm",
    )
    ties_head = False
    converts = False  # beside transformers 5 it takes the outputs for scaled

    def unsupported(self, config: Mapping[str, Any]) -> str | None:
        if not str(config.get("feed_forward_proj", "relu")).startswith("gated-"):
            return "is a T5 whose feed-forward is not gated"
        return None

    def published(self, model: PreTrainedModel, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """With ``tie_word_embeddings`` false if the head is separate and its inputs are not scaled.

        transformers 5 writes true and ``scale_decoder_outputs``, which version 4 does not know.
        """
        has_head = model.get_output_embeddings().weight is not model.get_input_embeddings().weight
        return {**config, "tie_word_embeddings": not has_head or config["scale_decoder_outputs"]}

    def shape(self, config: Any, parameters: int) -> ModelShape:
        return ModelShape(
            encoder_layers=config.num_layers,
            decoder_layers=config.num_decoder_layers,
            d_model=config.d_model,
            ffn_dim=config.d_ff,
            vocab_size=config.vocab_size,
            parameters=parameters,
            attention_dim=config.num_heads * config.d_kv,
        )

    def embed_sources(self, encoder: Part, ids: Tensor) -> Tensor:
        return encoder.dropout(encoder.embed_tokens(ids))

    def encode(self, encoder: Part, layers: Iterable[nn.Module], x: Tensor, mask: Tensor | None) -> Tensor:
        bias = _first_attention(encoder).compute_bias(x.shape[1], x.shape[1], device=x.device)
        if mask is not None:  # some versions of transformers ignore it if there is a bias
            hidden = torch.finfo(bias.dtype).min
            bias = bias.masked_fill(~mask, hidden) if mask.dtype == torch.bool else bias + mask
        for layer in layers:
            x = layer(x, None, bias)[0]
        return x

    def embed_targets(self, decoder: Part, ids: Tensor, first: int, length: int) -> Tensor:
        return decoder.embed_tokens(ids)

    def visible(self, decoder: Part, paths: Tensor) -> Tensor:
        attention = _first_attention(decoder)
        distances = paths.cumsum(dim=2) - paths.sum(dim=2, keepdim=True)  # <= 0: a path has every position
        buckets = attention._relative_position_bucket(
            distances,
            bidirectional=False,
            num_buckets=attention.relative_attention_num_buckets,
            max_distance=attention.relative_attention_max_distance,
        )
        bias = attention.relative_attention_bias(buckets).permute(0, 3, 1, 2)
        return bias.masked_fill(~paths[:, None], -torch.inf)

    def decoder_layer(self, layer: Part) -> DecoderLayer:
        own, cross, feed_forward = layer.layer
        return DecoderLayer(
            own.layer_norm,
            _attention(own.SelfAttention),
            cross.layer_norm,
            _attention(cross.EncDecAttention),
            feed_forward.layer_norm,
            feed_forward.DenseReluDense,
        )

    def finish(self, stack: Part, x: Tensor) -> Tensor:
        return stack.dropout(stack.final_layer_norm(x))

    def head_input(self, model: PreTrainedModel, hidden: Tensor) -> Tensor:
        return hidden * model.config.d_model**-0.5 if model.config.scale_decoder_outputs else hidden

    def set_dropout(
        self, model: PreTrainedModel, dropout: float, attention: float, activation: float
    ) -> None:
        model.config.dropout_rate = dropout
        for stack in (model.get_encoder(), model.get_decoder()):
            stack.dropout.p = dropout
            for layer in stack.block:
                *attentions, feed_forward = layer.layer
                for part in layer.layer:
                    part.dropout.p = dropout
                for part in attentions:
                    name = "SelfAttention" if part is attentions[0] else "EncDecAttention"
                    getattr(part, name).dropout = attention
                feed_forward.DenseReluDense.dropout.p = activation

    def longest_target(self, model: PreTrainedModel) -> int | None:
        return None


def _first_attention(stack: Part) -> Part:
    """The attention with the table of relative positions that all layers of its stack share."""
    return stack.block[0].layer[0].SelfAttention


def _attention(module: Part) -> Attention:
    return Attention(module.q, module.k, module.v, module.o, heads=module.n_heads, scale=1.0)
