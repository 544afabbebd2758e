"""Intercept every change that a process makes to a folder, just before it is made."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OnChange = Callable[[int, str, Path], object]
"""Called before change ``number`` (from 1), with its kind and the path that it changes."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATH_OF = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.chmod": 0, "os.link": 1}
"""Python's audit events that change a folder, and the position of the path among their arguments."""
ROWS = tuple(4**power for power in range(10))
GROWING = ("open", "os.mkdir", "write")
"""The kinds of change that take disk space."""


def watch(folder: Path, on_change: OnChange) -> None:
    """Call ``on_change`` before every change that this process makes below ``folder``, to its end.

    Python's audit hook reports files that are opened, moved and removed; ``os.write``, through which the
    writer writes, is wrapped: half of the data is written before the call. Of consecutive writes to a file
    only the 1st, 4th, 16th and so on have their own number.
    """
    inside, count, last, in_a_row = f"{folder.resolve()}{os.sep}", 0, ("", Path()), 0

    def tell(kind: str, path: Path) -> None:
        nonlocal count, last, in_a_row
        in_a_row = in_a_row + 1 if (kind, path) == last else 1
        last = kind, path
        if kind != "write" or in_a_row in ROWS:
            count += 1
        on_change(count, kind, path)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not flags & WRITING:
                return
        elif event in PATH_OF:
            path = arguments[PATH_OF[event]]
        else:
            return
        if isinstance(path, str | bytes | os.PathLike):
            absolute = os.path.abspath(os.fsdecode(path))
            if absolute.startswith(inside):
                tell(event, Path(absolute))

    original = os.write

    def write(descriptor: int, data: Any) -> int:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if not path.startswith(inside):
            return original(descriptor, data)
        half = len(data) // 2
        if half:
            original(descriptor, data[:half])
        tell("write", Path(path))
        return half + original(descriptor, data[half:])

    os.write = write
    sys.addaudithook(audit)


def killing(folder: Path, at: int) -> Callable[[], None]:
    """A fault: this process is killed just before change ``at`` in ``folder``."""

    def kill(number: int, kind: str, path: Path) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: watch(folder, kill)


def failing(folder: Path, at: int, reason: int = errno.ENOSPC) -> Callable[[], None]:
    """A fault: from change ``at`` on, changes in ``folder`` that take disk space fail."""

    def fail(number: int, kind: str, path: Path) -> None:
        if number >= at and kind in GROWING:
            raise OSError(reason, os.strerror(reason), str(path))

    return lambda: watch(folder, fail)


def counting(folder: Path, found: Path) -> Callable[[], None]:
    """No fault: write a line for every change in ``folder`` to the file ``found``."""

    def start() -> None:
        descriptor, original = os.open(found, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), os.write
        seen: set[int] = set()

        def note(number: int, kind: str, path: Path) -> None:
            if number not in seen:
                seen.add(number)
                original(descriptor, f"{kind} {path}\n".encode())

        watch(folder, note)

    return start
