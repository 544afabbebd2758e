"""Signals that end a run: each raises an interrupt, so that the run ends as it does on Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Interrupt(BaseException):
    """A signal told this process to end. Neither ``except Exception`` nor typer catches it."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number
        """The exit code that shells expect of a process ended by a signal."""

    @classmethod
    def behind(cls, error: BaseException | None) -> Interrupt | None:
        """The interrupt that ``error`` is, or that was being handled when it was raised, if any.

        Code that is interrupted may raise its own error on the way out, as torch does while writing.
        """
        while error:
            if isinstance(error, cls):
                return error
            error = error.__context__
        return None


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raise :class:`Interrupt` at the first signal that ends a run; later ones are ignored.

    A signal that the parent chose to ignore, as nohup does with SIGHUP, stays ignored.
    """
    owner = os.getpid()
    before = {each: signal.getsignal(each) for each in ENDING}

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)  # a forked worker has nothing to print or to save
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupt(number)

    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
