"""The encoder in training, over every source sentence of a batch once, whatever its targets."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask

from lslo_cli.architectures import architecture_of
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index
from lslo_cli.nn.attach import stack_layers
from lslo_cli.nn.lslo import RoutedLoRA
from lslo_cli.nn.route import Route


def encode_once(
    model: PreTrainedModel,
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
    architecture, encoder, layers = (
        architecture_of(model),
        model.get_encoder(),
        stack_layers(model, Stack.ENCODER),
    )
    shared = target_blind_layers(layers)
    ids, place = input_ids.unique(dim=0, return_inverse=True)
    x = architecture.embed_sources(encoder, ids)
    mask = cast(  # flex attention, which is not asked for, would be given a mask of another type
        "Tensor | None",
        create_bidirectional_mask(
            config=encoder.config, inputs_embeds=x, attention_mask=_of_sources(attention_mask, place, ids)
        ),
    )
    if route is None:
        x = architecture.encode(encoder, layers[:shared], x, mask)
    else:
        languages = _of_sources(route.languages(Index.SOURCE, len(input_ids)), place, ids)
        with route.of(languages, languages):
            x = architecture.encode(encoder, layers[:shared], x, mask)
    mask = None if mask is None else mask[place]
    return architecture.finish(encoder, architecture.encode(encoder, layers[shared:], x[place], mask))


def target_blind_layers(layers: nn.ModuleList) -> int:
    """How many of the encoder's first ``layers`` know nothing of the target: it selects no adapter there."""
    for number, layer in enumerate(layers):
        if any(isinstance(part, RoutedLoRA) and part.index is Index.TARGET for part in layer.modules()):
            return number
    return len(layers)


def _of_sources(rows: Tensor, place: Tensor, ids: Tensor) -> Tensor:
    """What the rows of each source have in common, by source; ``place`` (rows,) is the source of each row."""
    return rows.new_empty(len(ids), *rows.shape[1:]).index_copy_(0, place, rows)
