"""One writer at a time for an artifact, among all processes that share the folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lslo_cli.artifacts.writing import ELSEWHERE, is_stream, sweep, unfinished, unwritable, write_text
from lslo_cli.errors import InputError

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""The errors of a file system without locks."""


@contextmanager
def locked(
    path: Path,
    on_wait: Callable[[], object] = lambda: None,
    owned: Sequence[Path] = (),
    hint: str = ELSEWHERE,
) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; ``on_wait`` is called once if another process holds it.

    The lock belongs to the process, so a killed process leaves none behind. Partial files that it left of
    ``path``, or in the folders ``owned`` that belong to it, are removed. A stream needs no lock. Raises
    InputError with ``hint`` if the file system has no locks or the folder cannot be written.
    """
    if is_stream(path):
        yield
        return
    file = unfinished(path, "lock", hint)
    path = Path(os.path.realpath(path))
    folders = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    try:
        descriptor = _acquire(file, on_wait)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise unwritable(path, error, hint) from None
        raise InputError(
            f"cannot lock {file}: {error.strerror or error}", f"the file system must support locks: {hint}"
        ) from None
    try:
        sweep(path.parent, f"{path.name}.")
        for folder in owned:
            sweep(folder)
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # unless they are empty
            for folder in folders:
                folder.rmdir()


def write_locked(path: Path, text: str, hint: str = ELSEWHERE) -> None:
    """Write a text under the lock of its path, so that a killed process's partial files are removed.

    For files that are not covered by an artifact's lock. Raises InputError like :func:`locked`.
    """
    with locked(path, hint=hint):
        write_text(path, text, hint)


def _acquire(file: Path, on_wait: Callable[[], object]) -> int:
    """A descriptor of ``file`` under an exclusive lock.

    The previous holder has removed the file, so a lock is only valid on the file that exists now.
    """
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another process has just removed the empty folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            on_wait = _nothing
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_there(file, descriptor):
            return descriptor
        os.close(descriptor)


def _is_there(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _nothing() -> None: ...
