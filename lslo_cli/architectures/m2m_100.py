"""M2M100: fairseq's pre-norm transformer with sinusoidal positions (M2M, SMaLL-100, NLLB-200)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import M2M100ForConditionalGeneration, PreTrainedModel

from lslo_cli.architectures.layout import Layout
from lslo_cli.architectures.translation import Attention, DecoderLayer, Part, TranslationArchitecture
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Kind, Stack

_ENCODER = {
    Kind.Q: "self_attn.q_proj",
    Kind.K: "self_attn.k_proj",
    Kind.V: "self_attn.v_proj",
    Kind.FC1: "fc1",
    Kind.FC2: "fc2",
}
_CROSS = {
    Kind.CROSS_Q: "encoder_attn.q_proj",
    Kind.CROSS_K: "encoder_attn.k_proj",
    Kind.CROSS_V: "encoder_attn.v_proj",
}


class M2M100(TranslationArchitecture):
    """Modules have fairseq's names, in transformers too."""

    model_type = "m2m_100"
    network: ClassVar[type[PreTrainedModel]] = M2M100ForConditionalGeneration
    sizes = ("encoder_layers", "decoder_layers", "d_model", "encoder_ffn_dim", "vocab_size")
    arithmetic = (
        "encoder_attention_heads",
        "decoder_attention_heads",
        "activation_function",
        "scale_embedding",
    )
    layout = Layout(
        layers={Stack.ENCODER: "encoder.layers", Stack.DECODER: "decoder.layers"},
        matrices={Stack.ENCODER: _ENCODER, Stack.DECODER: _ENCODER | _CROSS},
        norm="self_attn_layer_norm",
    )
    # Adapters of a dropped layer would get no gradients. Positions are counted from the id of padding, which
    # fine-tuning scripts overwrite in config.json though the weights were trained with fairseq's.
    settings: ClassVar = {
        **TranslationArchitecture.settings,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
        "pad_token_id": 1,
    }

    def shape(self, config: Any, parameters: int) -> ModelShape:
        widths = config.encoder_ffn_dim, config.decoder_ffn_dim
        return ModelShape(
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            d_model=config.d_model,
            ffn_dim=widths[0],
            vocab_size=config.vocab_size,
            parameters=parameters,
            decoder_ffn_dim=widths[1] if len(set(widths)) > 1 else None,
        )

    def embed_sources(self, encoder: Part, ids: Tensor) -> Tensor:
        embedded = encoder.embed_tokens(ids)
        x = embedded + encoder.embed_positions(ids, embedded)
        return F.dropout(x, encoder.dropout, encoder.training)

    def encode(self, encoder: Part, layers: Iterable[nn.Module], x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in layers:
            x = layer(x, mask)
        return x

    def embed_targets(self, decoder: Part, ids: Tensor, first: int, length: int) -> Tensor:
        first += decoder.embed_positions.padding_idx + 1
        return decoder.embed_tokens(ids) + decoder.embed_positions.weights[first : first + length]

    def decoder_layer(self, layer: Part) -> DecoderLayer:
        return DecoderLayer(
            layer.self_attn_layer_norm,
            _attention(layer.self_attn),
            layer.encoder_attn_layer_norm,
            _attention(layer.encoder_attn),
            layer.final_layer_norm,
            lambda x: layer.fc2(layer.activation_fn(layer.fc1(x))),
        )

    def finish(self, stack: Part, x: Tensor) -> Tensor:
        return stack.layer_norm(x)

    def set_dropout(
        self, model: PreTrainedModel, dropout: float, attention: float, activation: float
    ) -> None:
        config = model.config
        config.dropout, config.attention_dropout, config.activation_dropout = dropout, attention, activation
        config.encoder_layerdrop = config.decoder_layerdrop = 0.0
        for stack in (model.get_encoder(), model.get_decoder()):
            stack.dropout, stack.layerdrop = dropout, 0.0
            for layer in stack.layers:
                layer.dropout, layer.activation_dropout = dropout, activation
                layer.self_attn.dropout = attention
        for layer in model.get_decoder().layers:
            layer.encoder_attn.dropout = attention

    def compute_positions(self, model: PreTrainedModel) -> None:
        for stack in (model.get_encoder(), model.get_decoder()):
            positions = stack.embed_positions
            positions.weights = positions.weights.float()
            positions.make_weights(*positions.weights.shape, positions.padding_idx)

    def longest_target(self, model: PreTrainedModel) -> int | None:
        return model.config.max_position_embeddings


def _attention(module: Part) -> Attention:
    projections = (module.q_proj, module.k_proj, module.v_proj, module.out_proj)
    return Attention(*projections, heads=module.num_heads, scale=module.scaling)
