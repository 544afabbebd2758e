"""Progress events of long work; the console decides how to show them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """A task of ``total`` units begins, such as 2,040 updates; a resumed run has ``completed`` of them."""

    task: str
    total: int
    unit: str
    completed: int = 0


@dataclass(frozen=True)
class Advanced:
    """``completed`` units of the running task are done; ``note`` is shown beside, such as the loss."""

    task: str
    completed: int
    note: str = ""


@dataclass(frozen=True)
class Finished:
    """The task has ended."""

    task: str
    note: str = ""


@dataclass(frozen=True)
class Noted:
    """A remark in one sentence: an upstream artifact in use, a sentence skipped, a resumed epoch."""

    text: str


class Warned(Noted):
    """A remark that a result may not be what was meant: a run replaced, text cut, nothing trained."""


class LsloWarning(UserWarning):
    """What a script is told without a listener of its own."""


Event = Started | Advanced | Finished | Noted
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event: the default listener."""


_BETWEEN = {"lslo_cli", "contextlib", "torch"}
"""The modules between a warning and the script's line: lslo's own, and those of its decorators."""


def warn(event: Event) -> None:
    """Issue a Python warning of what is :class:`Warned`, at the script's line: the default listener there.

    By default Python shows a text once for each line of the script.
    """
    if isinstance(event, Warned):
        depth, frame = 1, sys._getframe()
        while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in _BETWEEN:
            depth, frame = depth + 1, frame.f_back
        warnings.warn(event.text, LsloWarning, stacklevel=depth)
