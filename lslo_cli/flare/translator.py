"""FLARE-MT: what a frozen translation encoder makes of the target text is the source."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from lslo_cli.flare.capture import evaluating
from lslo_cli.flare.source import SourceStates
from lslo_cli.nn.route import Route


@torch.no_grad()
def read_target(
    encoder: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor,
    route: Route | None = None,
    languages: tuple[Tensor, Tensor] | None = None,
    mask_padding: bool = False,
) -> Tensor:
    """The last states of a frozen M2M100 encoder, (rows, length, d_mt), in eval mode.

    They are the same in every epoch, so they can be kept. Where the encoder carries LSLo adapters, ``route``
    is theirs and ``languages`` each row's source and target as its indices, (rows,) each: the source is the
    language that is read, and the target counts only for adapters that it selects.
    """
    with evaluating(encoder), route.of(*languages) if route and languages else nullcontext():
        states = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    return states * attention_mask[..., None].to(states.dtype) if mask_padding else states


class LatentTranslation(nn.Module):
    """``s = P e + c`` for every block, with e the states of a translation encoder that read the target.

    One P (d_model, d_mt) and c for all blocks, trained with the adapters: all that FLARE-MT adds to FLARE.
    Neither it nor a test needs text in the source language.
    """

    def __init__(self, d_mt: int, d_model: int, blocks: Sequence[str]):
        super().__init__()
        self.projection = nn.Linear(d_mt, d_model)
        self.blocks = tuple(blocks)

    def forward(self, states: Tensor) -> SourceStates:
        """``states`` (rows, length, d_mt) projected, the same tensor for every block."""
        return SourceStates.same(self.projection(states.to(self.projection.weight.dtype)), self.blocks)
