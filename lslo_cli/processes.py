"""How worker processes are started."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from types import ModuleType
from typing import Any

METHOD = "forkserver" if sys.platform == "linux" else "spawn"
HEAVY = ["torch", "transformers.modeling_utils"]
"""What takes seconds to import."""


def context() -> BaseContext:
    """The context of worker processes, which are no forks of this one: torch's threads would not survive.

    On Linux they are forks of a server that has imported what is heavy, once for all of them; elsewhere each
    starts anew. They do not import the main module, so a script needs no ``if __name__ == "__main__"``.
    """
    workers: Any = copy(get_context(METHOD))
    workers.Process = Worker
    if METHOD == "forkserver":
        from multiprocessing import forkserver  # which not every system has

        workers.set_forkserver_preload(HEAVY)
        with _handling(signal.SIG_IGN, signal.SIGINT):  # which are for this process and not for the server
            forkserver.ensure_running()
    return workers


class Worker(get_context(METHOD).Process):  # type: ignore[misc, name-defined]
    """A process that is not told of the main module, which it would run again if that is a user's script."""

    def start(self) -> None:
        """Start; a signal meanwhile is handled afterwards, when whoever ends this process knows of it."""
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        caught: list[int] = []
        try:
            with _handling(lambda number, _: caught.append(number), signal.SIGINT, signal.SIGTERM):
                super().start()
        finally:
            sys.modules["__main__"] = main
            for number in caught:
                signal.raise_signal(number)


@contextmanager
def _handling(handler: Any, *signals: int) -> Iterator[None]:
    """Handle signals otherwise; in the main thread, in which alone handlers can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled or signal.SIG_DFL)
