"""The decoder of an M2M100 run token by token, over all hypotheses of each sentence at once."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import M2M100ForConditionalGeneration
from transformers.models.m2m_100.modeling_m2m_100 import M2M100Attention, M2M100DecoderLayer

from lslo_cli.method.families import FAIRSEQ_MODULES
from lslo_cli.models.slots import SlotCache
from lslo_cli.nn.lslo import IndexMixture, LSLo
from lslo_cli.nn.route import Route


def is_decodable(model: nn.Module) -> bool:
    """Whether a model is an M2M100 with nothing in its decoder but what computes every position by itself.

    That holds for linear maps and routed adapters; of what else may be attached, nothing is known.
    """
    if type(model) is not M2M100ForConditionalGeneration:
        return False
    own = (nn.Linear, LSLo, IndexMixture)
    return all(
        type(layer) is M2M100DecoderLayer
        and type(layer.self_attn) is type(layer.encoder_attn) is M2M100Attention
        and all(type(layer.get_submodule(name)) in own for name in FAIRSEQ_MODULES.values())
        for layer in model.get_decoder().layers
    )


class IncrementalDecoder:
    """Reads the next token of every hypothesis and gives the hidden state that predicts the one after it.

    The hypotheses of a sentence stand side by side, (sentences, hypotheses, d), as queries to the same keys.
    So keys and values of the encoder's states are there once per sentence, and a routed adapter sees one
    row per sentence, as in training. All modules of the layers are called, whatever is attached to them.
    """

    def __init__(
        self,
        model: M2M100ForConditionalGeneration,
        input_ids: Tensor,
        attention_mask: Tensor,
        route: Route,
        languages: tuple[Tensor, Tensor],
    ):
        """Encode the sources ``input_ids`` (sentences, length), padded where ``attention_mask`` is 0.

        ``languages``, source and target (sentences,), are set in ``route`` whenever the model is called.
        """
        self._decoder = model.get_decoder()
        self._route = route
        self._languages = languages
        self._position = 0
        with route.of(*languages):
            states = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            self._sources = [
                (layer.encoder_attn.k_proj(states), layer.encoder_attn.v_proj(states))
                for layer in self._decoder.layers
            ]
        self._source_mask = attention_mask[:, None].bool()  # (sentences, 1, length)

    def read_prompt(self, tokens: Tensor) -> Tensor:
        """Read the tokens (sentences, n) with which all hypotheses begin: hidden states (sentences, n, d)."""
        sentences, length = tokens.shape
        self._cache = SlotCache(sentences, length, tokens.device)
        hidden = self._read(tokens, length)
        self._cache.end_prompt()
        return hidden

    def read(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Read a token of each hypothesis (sentences, hypotheses): hidden states (sentences, hypotheses, d).

        ``parents`` (sentences, hypotheses) says which of the previous hypotheses each of them continues;
        after the prompt there is one.
        """
        self._cache.begin_step(parents)
        return self._read(tokens, 1)

    def keep(self, rows: Tensor) -> None:
        """Go on with these sentences only: places (n,) among the present ones."""
        self._languages = tuple(language[rows] for language in self._languages)
        self._sources = [(keys[rows], values[rows]) for keys, values in self._sources]
        self._source_mask = self._source_mask[rows]
        self._cache.keep(rows)

    def _read(self, tokens: Tensor, length: int) -> Tensor:
        """One pass through the layers, ``length`` positions on: of one token each, or one of all tokens."""
        embed_positions = self._decoder.embed_positions
        first = embed_positions.padding_idx + 1 + self._position
        self._position += length
        x = self._decoder.embed_tokens(tokens) + embed_positions.weights[first : first + length]
        with self._route.of(*self._languages):
            for number, layer in enumerate(self._decoder.layers):
                normed = layer.self_attn_layer_norm(x)
                attention = layer.self_attn
                slots = self._cache.put(number, attention.k_proj(normed), attention.v_proj(normed))
                x = x + _attend(attention, normed, *slots, self._cache.paths)
                normed = layer.encoder_attn_layer_norm(x)
                x = x + _attend(layer.encoder_attn, normed, *self._sources[number], self._source_mask)
                normed = layer.final_layer_norm(x)
                x = x + layer.fc2(layer.activation_fn(layer.fc1(normed)))
        return self._decoder.layer_norm(x)


def _attend(attention: M2M100Attention, x: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    """What ``x`` (sentences, hypotheses, d) finds in keys and values (sentences, length, d), projected.

    ``seen`` (sentences, hypotheses or 1, length) is true where there is something to be found.
    """
    queries, keys, values = (
        states.unflatten(2, (attention.num_heads, attention.head_dim)).transpose(1, 2)
        for states in (attention.q_proj(x), keys, values)
    )
    found = F.scaled_dot_product_attention(
        queries, keys, values, attn_mask=seen[:, None], scale=attention.scaling
    )
    return attention.out_proj(found.transpose(1, 2).flatten(2))
