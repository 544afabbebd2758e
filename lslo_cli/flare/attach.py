"""Attach fusion adapters to a stock transformers model, and merge plain ones into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.architectures.layout import Layout
from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare.adapter import FlareLoRA
from lslo_cli.flare.architectures import Block, blocks_of, fused_maps, layout_of
from lslo_cli.flare.source import Source
from lslo_cli.method.flare import Phi, SourceNorm
from lslo_cli.nn.attach import replace_module
from lslo_cli.nn.files import copy_into


@dataclass(frozen=True)
class FlareSettings:
    """The kind of adapters, and their source. The defaults are the paper's, except ``mask_padding``.

    ``phi`` None is plain LoRA. ``source_layer_offset`` 1 gives block i the source's output of block i, one
    block ahead of the target, as in the paper; 0 its input of block i, as in the released code.
    ``mask_padding`` sets the states of padding to zero; the released code fuses them. ``elsewhere`` puts a
    plain LoRA on every other linear map of a block. ``stacks`` None means all.
    """

    phi: Phi | None = Phi.ADD_RELU
    rank: int = 8
    alpha: float = 16.0
    source_layer_offset: int = 1
    source_norm: SourceNorm = SourceNorm.NONE
    mask_padding: bool = True
    elsewhere: bool = False
    stacks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.source_layer_offset not in (0, 1):
            raise UsageError(
                f"source_layer_offset cannot be {self.source_layer_offset}",
                "choose 1 (paper) or 0 (released code)",
            )

    def are_the_same(self, others: FlareSettings) -> bool:
        """Whether adapters with either compute the same: those of the source are no matter to plain LoRA."""
        if self.phi is None:
            others = replace(
                others,
                source_layer_offset=self.source_layer_offset,
                source_norm=self.source_norm,
                mask_padding=self.mask_padding,
            )
        return self == others


@dataclass(frozen=True)
class FlareAdapters:
    """A model's adapters by name, such as ``encoder.1.attention.self.query``, and the source they read."""

    source: Source
    settings: FlareSettings
    blocks: tuple[str, ...]
    by_name: Mapping[str, FlareLoRA]

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for _, parameter in self._named_parameters()]

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every parameter, by ``name.lora_A`` and so on."""
        return {name: parameter.detach().clone() for name, parameter in self._named_parameters()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy parameters in. Raises KeyError for one that is missing and RuntimeError for another shape."""
        for name, parameter in self._named_parameters():
            copy_into(parameter.data, state[name], name)

    def _named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, adapter in self.by_name.items():
            for part, parameter in adapter.named_parameters():
                if not part.startswith("base."):
                    yield f"{name}.{part}", parameter


def attach_flare(model: PreTrainedModel, settings: FlareSettings) -> FlareAdapters:
    """Freeze ``model`` and put adapters on the query and value maps of its self-attention.

    A is drawn from torch's global generator, so that a seed fixes it. Raises InputError for an unsupported
    architecture, or one without any of the requested stacks, and UsageError for cross-attention in a causal
    stack.
    """
    layout = layout_of(model)
    blocks = [b for b in blocks_of(model) if settings.stacks is None or b.stack in settings.stacks]
    if not blocks:
        raise InputError(
            f"the model has no {' or '.join(settings.stacks or ())} to put adapters in",
            f"choose among {', '.join(sorted({block.stack for block in blocks_of(model)}))}",
        )
    causal = {block.stack for block in blocks} & set(layout.causal)
    if settings.phi is Phi.CROSS_ATTENTION and causal:
        raise UsageError(
            "cross-attention in a decoder lets every position see the words after it",
            "choose another phi, such as add-relu",
        )
    model.requires_grad_(False)
    source = Source()
    by_name = {}
    for block in blocks:
        for path in _linear_maps(block, layout, settings.elsewhere):
            fuses = path in fused_maps(layout, block.stack)
            adapter = FlareLoRA(
                cast(nn.Linear, block.module.get_submodule(path)),
                source,
                name=f"{block.name}.{path}",
                block=block.name,
                rank=settings.rank,
                alpha=settings.alpha,
                phi=settings.phi if fuses else None,
                norm=_norm(block, layout, settings),
            )
            by_name[adapter.name] = adapter
            replace_module(block.module, path, adapter)
    return FlareAdapters(source, settings, tuple(block.name for block in blocks), by_name)


@torch.no_grad()
def merge(model: PreTrainedModel, adapters: FlareAdapters) -> None:
    """Merge plain LoRAs into their matrices, ``W + (alpha/r) B A``, and detach them.

    The model is a stock one again. Raises RuntimeError for fusion adapters, which cannot be merged.
    """
    deltas = {name: adapter.delta() for name, adapter in adapters.by_name.items()}
    for name, adapter in adapters.by_name.items():
        adapter.base.weight += deltas[name].to(adapter.base.weight.dtype)
    detach(model, adapters)


def detach(model: PreTrainedModel, adapters: FlareAdapters) -> None:
    """Remove adapters: the frozen maps are as before."""
    modules = {block.name: block.module for block in blocks_of(model)}
    for name, adapter in adapters.by_name.items():
        replace_module(modules[adapter.block], name.removeprefix(f"{adapter.block}."), adapter.base)


def _linear_maps(block: Block, layout: Layout, elsewhere: bool) -> list[str]:
    if not elsewhere:
        return list(fused_maps(layout, block.stack))
    return [name for name, module in block.module.named_modules() if isinstance(module, nn.Linear)]


def _norm(block: Block, layout: Layout, settings: FlareSettings) -> nn.Module | None:
    if settings.source_norm is SourceNorm.NONE or layout.norm is None:
        return None
    return block.module.get_submodule(layout.norm)
