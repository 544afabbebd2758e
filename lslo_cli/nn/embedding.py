"""Rows of the embedding for languages that were added to a frozen model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.nn.files import copy_into

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class NewRows:
    """One embedding row for the token of each added language, times the embedding's scale.

    ``weight`` is (languages, d_model) in float32, in the order of ``codes``. Scaled entries are about 1 at
    any width, so that an adapter's learning rate suits a row too. ``relatives`` are the ids that they began
    as.
    """

    codes: tuple[str, ...]
    weight: nn.Parameter
    relatives: tuple[int, ...]

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every row (d_model,), by a key such as ``embedding.tyv``."""
        rows = self.weight.detach()
        return {f"embedding.{code}": row.clone() for code, row in zip(self.codes, rows, strict=True)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy rows in. Raises KeyError for a missing row and RuntimeError for one of another width."""
        saved = torch.stack([state[key] for key in self.state_dict()])
        copy_into(self.weight, saved, "the table of new languages' rows")


class ExtendedEmbedding(nn.Module):
    """A frozen embedding (V, d), extended by rows of added languages for ids from V on.

    Only inputs are extended, not outputs: the model is given its target language and never generates its
    token. So the logits of the known tokens do not change by a bit.
    """

    def __init__(self, base: nn.Embedding, rows: nn.Parameter):
        super().__init__()
        self.base = base
        self.rows = rows

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids of any shape to (*shape, d)."""
        new_ids = ids - self.base.num_embeddings  # negative for ids of the base
        known = self.base(ids.clamp(max=self.base.num_embeddings - 1))
        new = F.embedding(new_ids.clamp(min=0), self.rows)
        return torch.where((new_ids >= 0).unsqueeze(-1), new.to(known.dtype), known)


def extend_embedding(model: PreTrainedModel, relatives: Mapping[str, int]) -> NewRows:
    """Give a model a row for each new language, a copy of the row with the id of its relative.

    Encoder and decoder share the rows. No parameter of the model changes, nor any output for inputs without
    new ids.
    """
    stacks = (model.get_encoder(), model.get_decoder())
    embedding = stacks[0].embed_tokens
    ids = torch.tensor(list(relatives.values()), device=embedding.weight.device)
    weight = nn.Parameter(embedding(ids).detach().float())
    rows = NewRows(tuple(relatives), weight, tuple(relatives.values()))
    for stack in stacks:
        stack.embed_tokens = ExtendedEmbedding(stack.embed_tokens, rows.weight)
    return rows


@torch.no_grad()
def absorb_rows(model: PreTrainedModel, rows: NewRows) -> None:
    """Move the rows of added languages to the end of the model's table, where stock libraries read them.

    The inputs of the network stay the same. The languages' tokens have logits from now on, as all have: from
    these rows if the output is tied to the table, else from the output's rows of the relatives. The logits of
    the other ids stay the same.
    """
    for stack in (model.get_encoder(), model.get_decoder()):
        stack.embed_tokens = stack.embed_tokens.base
    known = cast(nn.Embedding, model.get_input_embeddings()).num_embeddings
    model.resize_token_embeddings(known + len(rows.codes), mean_resizing=False)
    embedding = cast(nn.Embedding, model.get_input_embeddings())
    head = cast(nn.Linear, model.get_output_embeddings())
    embedding.weight[known:] = rows.weight / getattr(embedding, "embed_scale", 1.0)
    if head.weight is not embedding.weight:
        head.weight[known:] = head.weight[list(rows.relatives)]
