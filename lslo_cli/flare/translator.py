"""FLARE-MT: a frozen translation encoder's states of the target text are the source."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.flare.capture import evaluating
from lslo_cli.flare.source import Side, SourceStates
from lslo_cli.flare.texts import Texts
from lslo_cli.nn.route import Route


@torch.no_grad()
def read_target(
    encoder: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor,
    route: Route | None = None,
    languages: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The last states of a frozen translation encoder, (rows, length, d_mt), in eval mode.

    They are the same in every epoch, so they can be cached. If the encoder has LSLo adapters, ``route`` is
    theirs and ``languages`` are each row's source and target as its indices, (rows,) each: the source is the
    language of the text, and the target matters only to adapters that it selects.
    """
    with evaluating(encoder), route.of(*languages) if route and languages else nullcontext():
        return encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


@dataclass(frozen=True)
class LatentTexts:
    """A translation encoder's states of texts, (rows, length, d_mt), and their mask, (rows, length).

    ``side`` is the padding side, and ``cut`` counts the texts that were longer.
    """

    states: Tensor
    mask: Tensor
    side: Side = Side.RIGHT
    cut: int = 0

    def beside(self, texts: Texts) -> LatentTexts:
        """The states aligned with the tokens of ``texts``, padded on the same side.

        Alignment is position by position, from the end at which tokens are. If a row has more states than its
        text has tokens, adjacent states are averaged, so that all are used.
        """
        lengths = texts.lengths()
        width = max(min(m, n) for m, n in zip(self.mask.sum(dim=1).tolist(), lengths, strict=True))
        states = self.states.new_zeros(len(lengths), width, self.states.shape[-1])
        mask = self.mask.new_zeros(len(lengths), width)
        for row, length in enumerate(lengths):
            own = self.states[row, self.mask[row].bool()]
            if len(own) > length:
                own = F.adaptive_avg_pool1d(own.T, length).T
            span = slice(width - len(own), width) if texts.side is Side.LEFT else slice(len(own))
            states[row, span], mask[row, span] = own, 1
        return LatentTexts(states, mask, texts.side)

    def rows(self, chosen: Sequence[int]) -> LatentTexts:
        """The ``chosen`` rows, in that order."""
        return LatentTexts(self.states[list(chosen)], self.mask[list(chosen)], self.side)


class LatentTranslation(nn.Module):
    """``s = P e + c`` for every block, with e a translation encoder's states of the target text.

    FLARE-MT adds to FLARE one P (d_model, d_mt) and c for all blocks, trained with the adapters. It needs
    no text in the source language, not even in tests. At padding of e, s is zero.
    """

    def __init__(self, d_mt: int, d_model: int, blocks: Sequence[str]):
        super().__init__()
        self.projection = nn.Linear(d_mt, d_model)
        self.blocks = tuple(blocks)

    def forward(self, latent: LatentTexts) -> SourceStates:
        """The projected states, the same tensor for every block."""
        projected = self.projection(latent.states.to(self.projection.weight.dtype))
        projected = projected * latent.mask[..., None].to(projected.dtype)
        return SourceStates.same(projected, self.blocks, latent.mask, latent.side)
