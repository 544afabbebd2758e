"""The blocks of the models that FLARE adapts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from lslo_cli.architectures import TASK_LAYOUTS
from lslo_cli.architectures.layout import Layout
from lslo_cli.errors import InputError, nearest
from lslo_cli.method.sites import Kind, Stack
from lslo_cli.nn.attach import layers_at

POSITION_TABLES = ("position_embeddings", "embed_positions")
"""The names of modules that are tables of learned positions, if they are embeddings."""


@dataclass(frozen=True)
class Block:
    """A transformer block of a model; ``number`` counts from 1 in its stack."""

    stack: Stack
    number: int
    module: nn.Module

    @property
    def name(self) -> str:
        """The key of its states and adapters, such as ``encoder.1``."""
        return f"{self.stack}.{self.number}"


def layout_of(model: PreTrainedModel) -> Layout:
    """The layout of a model. Raises InputError for an unsupported architecture."""
    return _layout(model.config.model_type)


def fused_maps(layout: Layout, stack: Stack) -> tuple[str, str]:
    """The names, inside a block, of the query and value maps of self-attention, which get fusion adapters."""
    return layout.matrices[stack][Kind.Q], layout.matrices[stack][Kind.V]


def decodes_only(model_type: str) -> bool:
    """Whether models of a type have no encoder. Raises InputError as :func:`layout_of` does."""
    return Stack.ENCODER not in _layout(model_type).layers


def blocks_of(model: PreTrainedModel) -> Iterator[Block]:
    """The blocks of every stack that a model has, in the order in which they run."""
    layout = layout_of(model)
    for stack, path in layout.layers.items():
        if hasattr(model.base_model, path.partition(".")[0]):  # an encoder may come without the decoder
            for number, module in enumerate(layers_at(model, layout, stack), start=1):
                yield Block(stack, number, module)


def positions_of(model: PreTrainedModel) -> int | None:
    """The most tokens that a model reads at once: the rows of its table of positions that stand for tokens.

    None for a model that computes positions, or has only relative ones.
    """
    for name, table in model.named_modules():
        if name.rpartition(".")[2] in POSITION_TABLES and isinstance(table, nn.Embedding):
            reserved = getattr(table, "offset", 0)  # mBART's
            if table.padding_idx is not None:  # RoBERTa counts from the row after that of padding
                reserved = table.padding_idx + 1
            return table.num_embeddings - reserved
    return None


def _layout(model_type: str) -> Layout:
    if model_type not in TASK_LAYOUTS:
        raise InputError(
            f"FLARE does not support the architecture '{model_type}'.{nearest(model_type, TASK_LAYOUTS)}",
            f"choose a model of one of these: {', '.join(TASK_LAYOUTS)}",
        )
    return TASK_LAYOUTS[model_type]
