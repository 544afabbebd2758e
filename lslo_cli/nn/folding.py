"""Adapters for other libraries: folded into the matrices they adapt, or as one LoRA per language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.method.strategy import Index
from lslo_cli.nn.attach import replace_module
from lslo_cli.nn.lslo import LSLo


def adapted(model: nn.Module) -> Iterator[tuple[str, LSLo]]:
    """Every adapted matrix of a model, by the name of its module."""
    return ((name, module) for name, module in model.named_modules() if isinstance(module, LSLo))


def selecting_indices(model: nn.Module) -> set[Index]:
    """The indices, source or target, that select among adapters; none if one adapter serves all languages."""
    return {
        layer.adapter.index for _, layer in adapted(model) if len(set(layer.adapter.slots.by_language)) > 1
    }


def factors(layer: LSLo, language: int, compact: bool = False) -> tuple[Tensor, Tensor]:
    """A (r, d_in) and B (d_out, r) of a language, padded with zeros to the size of the matrix.

    ``compact`` leaves out the ranks whose row of A or column of B is all zero.
    """
    adapter = layer.adapter
    matrices = adapter.matrices(adapter.slots.by_language[language])
    A = F.pad(matrices["A"], (0, layer.base.in_features - matrices["A"].shape[1]))
    B = F.pad(matrices["B"], (0, 0, 0, layer.base.out_features - len(matrices["B"])))
    if compact:
        useful = A.any(dim=1) & B.any(dim=0)
        A, B = A[useful], B[:, useful]
    return A, B


@torch.no_grad()
def fold(model: nn.Module, languages: Mapping[Index, int]) -> None:
    """Add the update of the languages, one for each selecting index, to every matrix, in place.

    Restore a base in fewer bits first. The model has no adapters afterwards, and needs no route.
    """
    for name, layer in list(adapted(model)):
        # If an index selects nothing, any language will do.
        A, B = factors(layer, languages.get(layer.adapter.index, 0))
        base = cast(nn.Linear, layer.base)
        base.weight += B @ A
        replace_module(model, name, base)
