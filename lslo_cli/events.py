"""Progress events of long work; the console decides how to show them."""

from __future__ import annotations

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


def warn(event: Event) -> None:
    """Issue a Python warning of what is :class:`Warned`: the default listener of scripts."""
    if isinstance(event, Warned):
        warnings.warn(event.text, LsloWarning, stacklevel=2)
