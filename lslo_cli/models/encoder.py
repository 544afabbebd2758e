"""The encoder in training, run once for each distinct source sentence of a batch."""

from __future__ import annotations

from typing import cast

import torch
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
    model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor, route: Route | None = None
) -> Tensor:
    """The encoder's states (rows, length, d) of ``input_ids`` (rows, length), equal sources encoded together.

    The first layers, in which no adapter is selected by the target, see each distinct source once, sorted by
    ids. In later layers every row has its own states. Equal to the encoder itself except for dropout, which
    rows of a source have in common in the shared layers. ``route`` is set for the rows, if there are
    adapters.
    """
    architecture, encoder, layers = (
        architecture_of(model),
        model.get_encoder(),
        stack_layers(model, Stack.ENCODER),
    )
    shared = target_blind_layers(layers)
    spoken = None if route is None else route.languages(Index.SOURCE, len(input_ids))
    ids, languages, source = distinct_sources(input_ids, spoken)
    x = architecture.embed_sources(encoder, ids)
    mask = cast(  # flex attention, which is not asked for, would be given a mask of another type
        "Tensor | None",
        create_bidirectional_mask(
            config=encoder.config, inputs_embeds=x, attention_mask=_of_sources(attention_mask, source, ids)
        ),
    )
    if route is None or languages is None:
        x = architecture.encode(encoder, layers[:shared], x, mask)
    else:
        with route.of(languages, languages):
            x = architecture.encode(encoder, layers[:shared], x, mask)
    mask = None if mask is None else mask[source]
    return architecture.finish(encoder, architecture.encode(encoder, layers[shared:], x[source], mask))


def distinct_sources(
    input_ids: Tensor, languages: Tensor | None = None
) -> tuple[Tensor, Tensor | None, Tensor]:
    """The distinct sources among ``input_ids`` (rows, length) in ``languages`` (rows,).

    Returns the ids (sources, length), the languages (sources,), and the source (rows,) of each row. The ids
    of a text do not tell its language in families whose encoder reads the token of the target.
    """
    if languages is None:
        ids, source = input_ids.unique(dim=0, return_inverse=True)
        return ids, None, source
    both, source = torch.cat((input_ids, languages[:, None]), dim=1).unique(dim=0, return_inverse=True)
    return both[:, :-1], both[:, -1], source


def target_blind_layers(layers: nn.ModuleList) -> int:
    """The number of the encoder's first ``layers`` in which the target selects no adapter."""
    for number, layer in enumerate(layers):
        if any(isinstance(part, RoutedLoRA) and part.index is Index.TARGET for part in layer.modules()):
            return number
    return len(layers)


def _of_sources(rows: Tensor, source: Tensor, ids: Tensor) -> Tensor:
    """Values that the rows of a source share, by source; ``source`` (rows,) is the source of each row."""
    return rows.new_empty(len(ids), *rows.shape[1:]).index_copy_(0, source, rows)
