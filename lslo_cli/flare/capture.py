"""Source capture: the frozen model's hidden states of the source text, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.flare.architectures import Block, blocks_of
from lslo_cli.flare.attach import FlareAdapters
from lslo_cli.flare.source import Side, SourceStates


@torch.no_grad()
def capture(
    model: PreTrainedModel,
    adapters: FlareAdapters,
    inputs: Mapping[str, Tensor],
    forward: Callable | None = None,
    side: Side = Side.RIGHT,
) -> SourceStates:
    """The states of a source text for every block that has adapters, each (rows, length, d).

    ``inputs`` are the model's, including the decoder's of an encoder-decoder. The states are the inputs of a
    block with ``source_layer_offset`` 0 and its outputs with 1, never after the model's final norm. One
    forward pass without adapters, gradients or dropout; the model's mode is restored. ``forward`` is called
    in place of ``model``, such as its encoder alone, and ``side`` is the padding side of ``inputs``.

    A frozen model in eval mode yields the same states of a text in every epoch, so they can be cached.
    Padding does not change those of real tokens; its own may depend on its length, and are zero under
    ``mask_padding``.
    """
    settings = adapters.settings
    blocks = [block for block in blocks_of(model) if block.name in adapters.blocks]
    with evaluating(model), adapters.source.off(), _recording(blocks, settings.source_layer_offset) as seen:
        (forward or model)(**inputs)
    masks = {stack: mask[..., None] for stack, mask in _masks(model, inputs).items()}
    states = SourceStates(seen, masks, side)
    return states.masked() if settings.mask_padding else states


def _masks(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The positions of real tokens, by stack: the first stack of a model reads ``input_ids``."""
    first = next(iter(blocks_of(model))).stack
    masks = {first: inputs.get("attention_mask"), "decoder": inputs.get("decoder_attention_mask")}
    if first == "decoder":
        masks = {first: inputs.get("attention_mask")}
    return {stack: mask for stack, mask in masks.items() if mask is not None}


@contextmanager
def _recording(blocks: list[Block], offset: int) -> Iterator[dict[str, Tensor]]:
    """A dictionary that fills with the input (offset 0) or output (offset 1) of each block that runs."""
    seen: dict[str, Tensor] = {}

    def entering(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            seen[name] = args[0] if args else kwargs["hidden_states"]

        return hook

    def leaving(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: Tensor | tuple[Tensor, ...]) -> None:
            seen[name] = output if isinstance(output, Tensor) else output[0]

        return hook

    hooks = [
        block.module.register_forward_hook(leaving(block.name))
        if offset
        else block.module.register_forward_pre_hook(entering(block.name), with_kwargs=True)
        for block in blocks
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for the block; every module's own mode is restored afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
