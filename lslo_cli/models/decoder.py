"""The decoder run token by token, over all hypotheses of each sentence at once."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from lslo_cli.architectures import architecture_of
from lslo_cli.architectures.translation import Attention
from lslo_cli.method.sites import Stack
from lslo_cli.models.encoder import distinct_sources, encode_once
from lslo_cli.models.slots import SlotCache
from lslo_cli.nn.attach import stack_layers
from lslo_cli.nn.route import Route


class IncrementalDecoder:
    """Reads the next token of every hypothesis and returns the hidden state that predicts the one after it.

    The hypotheses of a sentence are queries (sentences, hypotheses, d) to the same keys. So keys and values
    of the encoder's states are stored once per sentence, and a routed adapter sees one row per sentence, as
    in training. The layers' own modules are called, with anything attached to them, and must compute
    positions independently.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        input_ids: Tensor,
        attention_mask: Tensor,
        route: Route,
        languages: tuple[Tensor, Tensor],
    ):
        """Encode the sources ``input_ids`` (sentences, length), padded where ``attention_mask`` is 0.

        ``languages``, source and target (sentences,), are set in ``route`` whenever the model is called.
        """
        self._architecture = architecture_of(model)
        self._model = model
        self._decoder = model.get_decoder()
        self._layers = [
            self._architecture.decoder_layer(layer) for layer in stack_layers(model, Stack.DECODER)
        ]
        self._route = route
        self._languages = languages
        self._position = 0
        with route.of(*languages):
            # One source may have several targets in a batch. If none has, there is nothing to share.
            if len(distinct_sources(input_ids, languages[0])[0]) < len(input_ids):
                states = encode_once(model, input_ids, attention_mask, route)
            else:
                encoder = model.get_encoder()
                states = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            self._sources = [
                (layer.cross_attention.key(states), layer.cross_attention.value(states))
                for layer in self._layers
            ]
        self._source_mask = attention_mask[:, None, None].bool()  # (sentences, 1, 1, length)

    def read_prompt(self, tokens: Tensor) -> Tensor:
        """Read the tokens (sentences, n) with which all hypotheses begin: hidden states (sentences, n, d)."""
        sentences, length = tokens.shape
        self._cache = SlotCache(sentences, length, tokens.device)
        hidden = self._read(tokens, length)
        self._cache.end_prompt()
        return hidden

    def read(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Read a token of each hypothesis (sentences, hypotheses): hidden states (sentences, hypotheses, d).

        ``parents`` (sentences, hypotheses) are the previous hypotheses that they continue; after the prompt
        there is one.
        """
        self._cache.begin_step(parents)
        return self._read(tokens, 1)

    def keep(self, rows: Tensor) -> None:
        """Continue with these sentences only: indices (n,) among the present ones."""
        source, target = self._languages
        self._languages = source[rows], target[rows]
        self._sources = [(keys[rows], values[rows]) for keys, values in self._sources]
        self._source_mask = self._source_mask[rows]
        self._cache.keep(rows)

    def _read(self, tokens: Tensor, length: int) -> Tensor:
        """One pass through the layers, over ``length`` positions: one per token, or one for all tokens."""
        x = self._architecture.embed_targets(self._decoder, tokens, self._position, length)
        self._position += length
        visible = self._architecture.visible(self._decoder, self._cache.paths)
        with self._route.of(*self._languages):
            for number, layer in enumerate(self._layers):
                normed = layer.self_norm(x)
                attention = layer.self_attention
                slots = self._cache.put(number, attention.key(normed), attention.value(normed))
                x = x + _attend(attention, normed, *slots, visible)
                normed = layer.cross_norm(x)
                x = x + _attend(layer.cross_attention, normed, *self._sources[number], self._source_mask)
                x = x + layer.feed_forward(layer.feed_forward_norm(x))
        return self._architecture.head_input(self._model, self._architecture.finish(self._decoder, x))


def _attend(attention: Attention, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention of ``x`` (sentences, hypotheses, d) to keys and values (sentences, length, d), projected.

    ``mask`` (sentences, heads or 1, hypotheses or 1, length) is true at visible keys, or is added to the
    scores.
    """
    queries, keys, values = (
        states.unflatten(2, (attention.heads, -1)).transpose(1, 2)
        for states in (attention.query(x), keys, values)
    )
    found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=attention.scale)
    return attention.output(found.transpose(1, 2).flatten(2))
