"""Activation recomputation: layers keep their inputs and compute the rest a second time in backward."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Contexts = tuple[AbstractContextManager[None], AbstractContextManager[None]]
"""What surrounds a layer's first computation, and what its second."""


def recompute(model: PreTrainedModel, contexts: Callable[[], Contexts]) -> None:
    """Let every layer of ``model`` keep for backward only what it was given, while it trains.

    The second computation is the first, bit for bit: in the same number format, with the random numbers of
    the first, so that dropout is the same. ``contexts`` is asked as a layer runs: backward comes after the
    blocks that tell adapters of the batch have ended, so the second context has to tell them again.
    """
    # transformers renamed it within version 5.
    enable: Any = (
        getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    )
    enable({"use_reentrant": False, "preserve_rng_state": True, "context_fn": contexts})
