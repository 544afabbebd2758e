"""Signals that end a run: each is an interrupt, so that a run ends by them as it does by Ctrl-C."""

from __future__ import annotations

import os
import signal
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Interrupt(KeyboardInterrupt):
    """A signal told this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def raise_on_signals() -> None:
    """Raise :class:`Interrupt` at the first signal that ends a run; those after it change nothing.

    A signal that the parent chose to ignore, as nohup does with SIGHUP, stays ignored.
    """
    owner = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)  # a forked worker has nothing to say and nothing to keep
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupt(number)

    for each in ENDING:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, interrupt)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a shell expects of a process that a signal ended: 128 and the signal's number."""
    return 128 + (interrupt.number if isinstance(interrupt, Interrupt) else signal.SIGINT)
