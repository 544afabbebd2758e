"""Activation checkpointing: layers save their inputs and compute the rest again in backward."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Contexts = tuple[AbstractContextManager[None], AbstractContextManager[None]]
"""The context managers of a layer's first and second computation."""


def recompute(model: PreTrainedModel, contexts: Callable[[], Contexts]) -> None:
    """Let every layer of ``model`` save only its inputs for backward, while it trains.

    The second computation equals the first bit for bit: the number format and the random numbers of dropout
    are the same. ``contexts`` is called as a layer runs: in backward the route of the batch is no longer set,
    so the second context has to set it again.
    """
    # transformers renamed it within version 5.
    enable: Any = (
        getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    )
    enable({"use_reentrant": False, "preserve_rng_state": True, "context_fn": contexts})
    attentions: list[Any] = [m for m in model.modules() if hasattr(m, "has_relative_attention_bias")]
    for attention in attentions:
        # T5 lets the zero bias of its cross-attention require a gradient then: another kernel's rounding.
        attention.gradient_checkpointing = False
