"""Rows of the embedding for languages that were added to a frozen model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.nn.files import copy_into

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class NewRows:
    """One row for the token of each added language, as the network reads it: times the embedding's scale.

    ``weight`` is (languages, d_model) in float32, in the order of ``codes``. In this unit entries are about
    1, so that the steps of an optimiser that suit an adapter suit a row too, whatever the width.
    """

    codes: tuple[str, ...]
    weight: nn.Parameter

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every row (d_model,), by a key such as ``embedding.tyv``."""
        rows = self.weight.detach()
        return {f"embedding.{code}": rows[place].clone() for place, code in enumerate(self.codes)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy rows in. Raises KeyError for a missing row and RuntimeError for one of another width."""
        saved = torch.stack([state[key] for key in self.state_dict()])
        copy_into(self.weight, saved, "the table of new languages' rows")


class ExtendedEmbedding(nn.Module):
    """A frozen embedding (V, d) whose ids from V on are rows of added languages.

    Only what a model reads is extended. What it writes is not: it is told which language to write and never
    has to say so. So no token is a rival to those the model knows, and its logits keep every bit.
    """

    def __init__(self, base: nn.Embedding, rows: nn.Parameter):
        super().__init__()
        self.base = base
        self.rows = rows

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids of any shape to (*shape, d)."""
        places = ids - self.base.num_embeddings  # among the new rows, where they are not negative
        known = self.base(ids.clamp(max=self.base.num_embeddings - 1))
        new = F.embedding(places.clamp(min=0), self.rows)
        return torch.where((places >= 0).unsqueeze(-1), new.to(known.dtype), known)


def extend_embedding(model: PreTrainedModel, relatives: Mapping[str, int]) -> NewRows:
    """Give a model a row for each new language, a copy of the row with the id of its relative.

    Encoder and decoder share the rows. No parameter of the model changes, nor does any output that has
    no new id in its input.
    """
    stacks = (model.get_encoder(), model.get_decoder())
    embedding = stacks[0].embed_tokens
    ids = torch.tensor(list(relatives.values()), device=embedding.weight.device)
    rows = NewRows(tuple(relatives), nn.Parameter(embedding(ids).detach().float()))
    for stack in stacks:
        stack.embed_tokens = ExtendedEmbedding(stack.embed_tokens, rows.weight)
    return rows
