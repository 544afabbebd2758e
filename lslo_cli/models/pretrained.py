"""Loading and moving of transformers' and PEFT's objects, all through here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging


def pretrained(kind: Any, *source: Any, **options: Any) -> Any:
    """``kind.from_pretrained`` of a source, without output and never running Python code of the source.

    Raises the library's own errors, for the caller to explain.
    """
    with quiet_transformers():
        return kind.from_pretrained(*source, trust_remote_code=False, **options)


def moved(model: PreTrainedModel, to: torch.device | torch.dtype | str) -> PreTrainedModel:
    """``model.to(to)``, which transformers' types do not describe."""
    move: Any = model.to
    return move(to)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and reports: lslo checks the same and raises errors."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
