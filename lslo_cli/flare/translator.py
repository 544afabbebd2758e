"""FLARE-MT: what a frozen translation encoder makes of the target text is the source."""

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

    They are the same in every epoch, so they can be kept. Where the encoder carries LSLo adapters, ``route``
    is theirs and ``languages`` each row's source and target as its indices, (rows,) each: the source is the
    language that is read, and the target counts only for adapters that it selects.
    """
    with evaluating(encoder), route.of(*languages) if route and languages else nullcontext():
        return encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


@dataclass(frozen=True)
class LatentTexts:
    """A translation encoder's states of texts, (rows, length, d_mt), and which are of tokens, (rows, length).

    ``side`` is where padding stands.
    """

    states: Tensor
    mask: Tensor
    side: Side = Side.RIGHT

    def beside(self, texts: Texts) -> LatentTexts:
        """The states as they meet the tokens of ``texts``, with padding on their side.

        Position meets position from the end at which tokens stand. Where a row has more states than its text
        has tokens, neighbours are averaged, so that none goes unread.
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
        """Some rows, in the order asked for."""
        return LatentTexts(self.states[list(chosen)], self.mask[list(chosen)], self.side)


class LatentTranslation(nn.Module):
    """``s = P e + c`` for every block, with e the states of a translation encoder that read the target.

    One P (d_model, d_mt) and c for all blocks, trained with the adapters: all that FLARE-MT adds to FLARE.
    Neither it nor a test needs text in the source language. Where there is no e, s is zero.
    """

    def __init__(self, d_mt: int, d_model: int, blocks: Sequence[str]):
        super().__init__()
        self.projection = nn.Linear(d_mt, d_model)
        self.blocks = tuple(blocks)

    def forward(self, latent: LatentTexts) -> SourceStates:
        """The states projected, the same tensor for every block."""
        projected = self.projection(latent.states.to(self.projection.weight.dtype))
        projected = projected * latent.mask[..., None].to(projected.dtype)
        return SourceStates.same(projected, self.blocks, latent.mask, latent.side)
