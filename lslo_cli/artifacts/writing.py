"""Atomic writes: a file or folder appears complete under its name, or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lslo_cli.errors import InputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FULL = (errno.ENOSPC, errno.EDQUOT)
ELSEWHERE = "free some space, or choose another folder"
ELSEWHERE_RESULTS, OUT, OUTPUT, TO = (
    f"{ELSEWHERE} with --{flag}" for flag in ("results", "out", "output", "to")
)
"""The advice for a folder that cannot be written, with the flag of the command that chooses the folder."""


@contextmanager
def replacing(path: Path, hint: str = ELSEWHERE) -> Iterator[Path]:
    """Yield a temporary path in the same folder for a file, which becomes ``path`` when the block succeeds.

    A symbolic link stays, and its target is replaced; a stream gets the content of the temporary file. On any
    failure the old file is unchanged and no trace is left. Raises InputError with ``hint`` if the disk is
    full or the folder cannot be written.
    """
    if is_stream(path):
        with _explaining(path, hint), tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / "content")
            with temporary.open("rb") as content, _stream(path) as stream:
                shutil.copyfileobj(content, stream)
        return
    with beside(path, hint) as temporary:
        yield temporary
        settle(temporary)
        temporary.replace(os.path.realpath(path))


@contextmanager
def beside(path: Path, hint: str = ELSEWHERE) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path`` for its new content; it is removed after the block.

    Files left by a killed process are removed by :func:`sweep`. Raises InputError like :func:`replacing`.
    """
    temporary = unfinished(path, str(os.getpid()), hint)
    with _explaining(path, hint):
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
        finally:
            _remove(temporary)


def is_stream(path: Path) -> bool:
    """Whether ``path`` can be written to but not replaced: a device, a pipe, an open file (/dev/stdout)."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return True
    return any(Path(os.path.realpath(link.parent)).is_relative_to("/proc") for link in _links(path))


def _links(path: Path) -> Iterator[Path]:
    """The symbolic links that lead on from ``path``: /dev/stdout, and /proc/self/fd/1, one to any file."""
    while path.is_symlink():
        yield path
        path = path.parent / path.readlink()


def _stream(path: Path) -> BinaryIO:
    """The stream at ``path``, to append to; /dev/stdout is this process's own, opened no second time.

    Opened again, a file would be written from another position than by the commands after this one.
    """
    own = os.path.realpath("/proc/self/fd")
    for link in _links(path):
        if os.path.realpath(link.parent) == own:
            sys.stdout.flush()  # what was printed comes before
            return os.fdopen(os.dup(int(link.name)), "wb")
    return path.open("ab")


@contextmanager
def writing(path: Path, hint: str = ELSEWHERE) -> Iterator[FileIO]:
    """Like :func:`replacing`, for an open binary file.

    If the disk is full, the reason is reported, whatever error the writing library raises.
    """
    with replacing(path, hint) as temporary, _File(temporary, "wb") as file:
        try:
            yield file
        except Exception:
            if file.failure:
                raise file.failure from None
            raise


def write_text(path: Path, text: str, hint: str = ELSEWHERE) -> None:
    """Write a text as UTF-8, with unchanged line ends. Raises InputError as :func:`replacing` does."""
    with writing(path, hint) as file:
        file.write(text.encode())


def settle(made: Path) -> None:
    """Sync a file, or all files of a folder, to the disk, with the permissions of the umask.

    Without syncing, a crash could leave the new name with old or no content; permissions are set because
    some libraries create files for their owner alone.
    """
    os.umask(umask := os.umask(0o077))
    for path in (made, *made.rglob("*")):
        if path.is_file():
            path.chmod(0o666 & ~umask)
            with path.open("rb") as file:
                os.fsync(file.fileno())


def sweep(folder: Path, name: str = "") -> None:
    """Remove partial files that killed processes left of ``folder / name``, or of anything in ``folder``.

    Their locks are removed as well. Only for the holder of the lock: a live process would lose its work.
    """
    start = hidden(name)
    for leftover in folder.glob(f"{start}*"):
        rest = leftover.name.removeprefix(start).removesuffix(".lock")
        if rest.rpartition(".")[2].isdecimal():
            _remove(leftover)


def check_writable(folder: Path, hint: str = ELSEWHERE_RESULTS) -> None:
    """Raise InputError with ``hint`` if ``folder`` cannot be created, or written in. Leaves no trace."""
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest):  # unnamed if the system can, so nothing is left
            pass
    except OSError as error:
        raise unwritable(folder, error, hint) from None


def unwritable(path: Path, error: OSError, hint: str = ELSEWHERE) -> InputError:
    """The error to raise for a file that cannot be written, which tells if the disk is full."""
    reason = error.strerror or str(error)
    return InputError(f"cannot write {path}: {'disk full: ' if error.errno in FULL else ''}{reason}", hint)


def unreadable(path: Path, error: OSError, hint: str = "check the path and its permissions") -> InputError:
    """The error to raise for a file that cannot be read."""
    return InputError(f"cannot read {path}: {error.strerror}", hint)


@contextmanager
def _explaining(path: Path, hint: str) -> Iterator[None]:
    """Raise InputError for an error of the system in the block."""
    try:
        yield
    except Exception as error:
        if (of_system := _system_error(error)) is None:
            raise
        raise unwritable(path, of_system, hint) from error


def _system_error(error: Exception) -> OSError | None:
    """An error as the system's error, or the one in its message, as safetensors reports a full disk."""
    if isinstance(error, OSError):
        return error
    if number := re.search(r"\(os error (\d+)\)", str(error)):
        return OSError(int(number[1]), os.strerror(int(number[1])))
    return None


class _File(FileIO):
    """A file that writes all of its data, and stores the error if that fails."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        rest = memoryview(data).cast("B")
        try:
            while rest:
                rest = rest[os.write(self.fileno(), rest) :]
        except OSError as error:
            self.failure = error
            raise
        return memoryview(data).nbytes


def unfinished(path: Path, ending: str, hint: str = ELSEWHERE) -> Path:
    """The path of unfinished work on ``path``, in the same folder: ``.NAME.ending``.

    It is absolute, since "." has no name, and beside the target of a link. Raises InputError with ``hint``
    for the root, which cannot be replaced.
    """
    path = Path(os.path.realpath(path))
    if not path.name:
        raise InputError(f"{path} cannot be replaced", hint)
    return path.with_name(f"{hidden(path.name)}.{ending}")


def put_in_place(made: Path, folder: Path, last: str) -> None:
    """Rename the folder ``made`` to ``folder``; what it holds is moved into an existing one, ``last`` last.

    An existing folder stays the same, as a shell that stands in it needs.
    """
    if not folder.exists():
        made.replace(folder)
        return
    for path in sorted(made.iterdir(), key=lambda path: path.name == last):
        path.replace(folder / path.name)


def hidden(name: str) -> str:
    """A name with exactly one leading dot."""
    return f".{name.lstrip('.')}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
