"""FLARE-MT: what a frozen translation encoder makes of the target text is the source."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from lslo_cli.fusion.capture import evaluating
from lslo_cli.fusion.source import SourceStates
from lslo_cli.nn.route import Route


class LatentTranslator(nn.Module):
    """``s = P e + c`` for every block, with e the last states of a translation encoder that reads the target.

    ``projection`` (d_model, d_mt) with its bias is all that is trained, one for all blocks. There is no text
    in the source language at inference. The encoder may carry LSLo adapters, whose ``route`` then says from
    which language it reads.
    """

    def __init__(self, encoder: nn.Module, width: int, blocks: Sequence[str], route: Route | None = None):
        """``encoder`` is an M2M100's; ``width`` is the task model's d_model and ``blocks`` are its blocks."""
        super().__init__()
        self.projection = nn.Linear(encoder.config.d_model, width)
        self.blocks = tuple(blocks)
        self._frozen = (encoder.requires_grad_(False), route)  # in a tuple: no part of what is trained

    @torch.no_grad()
    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        languages: tuple[Tensor, Tensor] | None = None,
        mask_padding: bool = False,
    ) -> Tensor:
        """The encoder's last states, (rows, length, d_mt), in eval mode; the same in every epoch.

        ``languages`` are each row's source and target, (rows,) each, as the route's indices; only adapters
        that are selected by the target need to know into which language one would translate.
        """
        encoder, route = self._frozen
        with evaluating(encoder), route.of(*languages) if route and languages else nullcontext():
            states = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states * attention_mask[..., None].to(states.dtype) if mask_padding else states

    def forward(self, states: Tensor) -> SourceStates:
        """``states`` (rows, length, d_mt) projected, the same tensor for every block."""
        return SourceStates.same(self.projection(states), self.blocks)
