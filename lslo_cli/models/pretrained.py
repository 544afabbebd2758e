"""The one place where transformers and PEFT build what they find in a folder or on the hub, and move it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging


def pretrained(kind: Any, *source: Any, **options: Any) -> Any:
    """What ``kind.from_pretrained`` makes of a source, in silence and never with Python that came with it.

    Raises whatever the library raises, for the caller to explain.
    """
    with quiet_transformers():
        return kind.from_pretrained(*source, trust_remote_code=False, **options)


def moved(model: PreTrainedModel, to: torch.device | torch.dtype | str) -> PreTrainedModel:
    """``model.to(to)``, of whose signature transformers' types keep nothing."""
    move: Any = model.to
    return move(to)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and reports off the terminal: what they tell, we check and raise."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
