"""One writer at a time for an artifact, among all processes that share the folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lslo_cli.artifacts.writing import ELSEWHERE, hidden, sweep, unwritable, write_text
from lslo_cli.errors import InputError

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What a file system without locks answers."""


@contextmanager
def locked(
    path: Path,
    on_wait: Callable[[], object] = lambda: None,
    owned: Sequence[Path] = (),
    hint: str = ELSEWHERE,
) -> Iterator[None]:
    """Hold the only right to make ``path``; ``on_wait`` is called once where another process holds it.

    The lock belongs to the process, so one that is killed leaves none behind. What such a process left
    half made of ``path``, or in the folders ``owned`` that belong to it, is removed. Raises InputError where
    the file system has no locks or the folder cannot be written, which ends in ``hint``.
    """
    path = Path(os.path.abspath(path))  # "." has no name, by which what is half made is known
    if not path.name:
        raise InputError(f"{path} cannot be written anew", hint)
    file = path.with_name(f"{hidden(path.name)}.lock")
    folders = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    try:
        descriptor = _acquire(file, on_wait)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise unwritable(path, error, hint) from None
        raise InputError(
            f"cannot lock {file}: {error.strerror or error}",
            f"a file system without locks will not do: {hint}",
        ) from None
    try:
        sweep(path.parent, f"{path.name}.")
        for folder in owned:
            sweep(folder)
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # where something has been made in them
            for folder in folders:
                folder.rmdir()


def write_locked(path: Path, text: str) -> None:
    """Write a text under the lock of its path, so that what a killed process left of it is removed.

    For a file that no artifact owns, whose lock would do the same. Raises InputError like :func:`locked`.
    """
    with locked(path):
        write_text(path, text)


def _acquire(file: Path, on_wait: Callable[[], object]) -> int:
    """A descriptor of ``file`` under an exclusive lock.

    Whoever held the lock before has removed the file, so a lock counts only on the file that is there now.
    """
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another has just removed the folder, which was empty
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
