"""The encoder of an M2M100 in training, over every source sentence of a batch once, whatever its targets."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import M2M100ForConditionalGeneration
from transformers.masking_utils import create_bidirectional_mask

from lslo_cli.method.strategy import Index
from lslo_cli.nn.lslo import RoutedLoRA
from lslo_cli.nn.route import Route


def encode_once(
    model: M2M100ForConditionalGeneration,
    input_ids: Tensor,
    attention_mask: Tensor,
    route: Route | None = None,
) -> Tensor:
    """The encoder's states (rows, length, d) of ``input_ids`` (rows, length), equal rows encoded together.

    The first layers, in which no adapter is selected by the target, see each of the different sources once,
    sorted by their ids: those of a language stand together, for its token is the first. From there on every
    row has its own states again. Equal to what the encoder itself computes but for dropout, which the rows of
    a source have in common in the layers they share. ``route`` is set for the rows, where there are adapters.
    """
    encoder = model.get_encoder()
    shared = target_blind_layers(encoder)
    ids, place = input_ids.unique(dim=0, return_inverse=True)
    embedded = encoder.embed_tokens(ids)
    x = embedded + encoder.embed_positions(ids, embedded)
    x = F.dropout(x, encoder.dropout, encoder.training)
    mask = create_bidirectional_mask(
        config=encoder.config, inputs_embeds=embedded, attention_mask=_of_sources(attention_mask, place, ids)
    )
    if route is None:
        x = _through(encoder.layers[:shared], x, mask)
    else:
        languages = _of_sources(route.languages(Index.SOURCE, len(input_ids)), place, ids)
        with route.of(languages, languages):
            x = _through(encoder.layers[:shared], x, mask)
    mask = None if mask is None else mask[place]
    return encoder.layer_norm(_through(encoder.layers[shared:], x[place], mask))


def is_shareable(model: nn.Module) -> bool:
    """Whether :func:`encode_once` knows the architecture of a model."""
    return type(model) is M2M100ForConditionalGeneration


def target_blind_layers(encoder: nn.Module) -> int:
    """How many of the first layers know nothing of the target: it selects none of their adapters."""
    for number, layer in enumerate(encoder.layers):
        if any(isinstance(part, RoutedLoRA) and part.index is Index.TARGET for part in layer.modules()):
            return number
    return len(encoder.layers)


def _through(layers: nn.ModuleList, x: Tensor, mask: Tensor | None) -> Tensor:
    for layer in layers:
        x = layer(x, mask)
    return x


def _of_sources(rows: Tensor, place: Tensor, ids: Tensor) -> Tensor:
    """What the rows of each source have in common, by source; ``place`` (rows,) is the source of each row."""
    return rows.new_empty(len(ids), *rows.shape[1:]).index_copy_(0, place, rows)
