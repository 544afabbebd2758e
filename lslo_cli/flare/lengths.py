"""How long the texts are that a run may read: no longer than its task model has positions for."""

from __future__ import annotations

from lslo_cli.errors import UsageError
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.method.flare import FlareMethod
from lslo_cli.recipe.flare import FlareSection


def longest_texts(model: TaskModel, method: FlareMethod) -> int | None:
    """The largest ``flare.max_length`` with which a method reads as many tokens as the model has positions.

    None if the model has no limit.
    """
    return model.longest and model.longest // method.texts_at_once


def check_lengths(model: TaskModel, method: FlareMethod, settings: FlareSection) -> None:
    """Raise UsageError if a method would read more tokens at once than the task model has positions for."""
    longest = longest_texts(model, method)
    if longest is None or settings.max_length <= longest:
        return
    tokens = f"flare.max_length = {settings.max_length}"
    hint = f"shorten texts: --set flare.max_length={longest}"
    if method.texts_at_once > 1:
        tokens += f", of which {method} reads twice as many"
        hint += f", or leave {method} out of --runs"
    raise UsageError(f"'{settings.model}' reads at most {model.longest:,} tokens at once, and {tokens}", hint)
