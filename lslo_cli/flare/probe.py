"""Activations in the bottlenecks: means of source and target (the paper's figure 5)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lslo_cli.flare.adapter import FlareLoRA
from lslo_cli.flare.task_model import Prepared
from lslo_cli.flare.texts import prediction_batches
from lslo_cli.flare.transfer_methods import FusionMethod


@torch.no_grad()
def activations(
    method: FusionMethod, split: Prepared, size: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Mean of relu(A s) and of relu(A t) by dimension of the bottleneck, for every fusion adapter.

    Means are over the tokens of the target texts; a shorter source is padded with zeros.
    """
    sums = {
        name: torch.zeros(2, adapter.lora_A.shape[0], dtype=torch.float64)
        for name, adapter in method.adapters.by_name.items()
        if adapter.phi is not None
    }
    tokens = 0

    def observe(name: str) -> Callable[[FlareLoRA, tuple[Tensor]], None]:
        def hook(adapter: FlareLoRA, inputs: tuple[Tensor]) -> None:
            assert adapter.source.tokens is not None  # set by every batch
            is_token = adapter.source.tokens[..., None].to(inputs[0].device)
            for number, hidden in enumerate(adapter.bottleneck(*inputs)):
                sums[name][number] += (hidden.double().relu() * is_token).sum(dim=(0, 1)).cpu()

        return hook

    hooks = [method.adapters.by_name[name].register_forward_pre_hook(observe(name)) for name in sums]
    method.model.train(False)
    try:
        for rows in prediction_batches(split.lengths, size):
            method.logits(split, rows)
            tokens += sum(split.lengths[row] for row in rows)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: tuple((total / tokens).tolist()) for name, total in sums.items()}
