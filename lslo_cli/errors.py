"""Errors a user can cause, each with the exit code the command line returns for it."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Self

from lslo_cli.wording import Command


class LsloError(Exception):
    """An error explained in one sentence.

    ``message`` names the fault, its location and value; ``advice`` names one thing to do, and ``line`` the
    command that does it: one of the experiment at hand, or a whole line. Very long values are shortened.
    """

    exit_code = 1

    def __init__(self, message: str, advice: str = "", line: Command | str = "") -> None:
        self.message, self.advice, self.line = shortened(message), shortened(advice), line
        super().__init__(self.message)

    @property
    def hint(self) -> str:
        """The advice and the line, for people."""
        return ": ".join(filter(None, (self.advice, shortened(str(self.line)))))

    def saying(self, message: str) -> Self:
        """The same error with another message."""
        return type(self)(message, self.advice, self.line)


class UsageError(LsloError):
    """An invalid flag, recipe key, or combination of them."""

    exit_code = 2


class InputError(LsloError):
    """A file, folder, model or artifact that is missing, stale, damaged or unwritable."""

    exit_code = 3


class RunError(LsloError):
    """A run that started but could not produce a result: it diverged, or memory ran out."""

    exit_code = 4


_NO_MEMORY = (
    "can't allocate memory",
    "bad_alloc",
    "could not create a primitive",
    "error return without exception set",
    os.strerror(errno.ENOMEM),
)
"""The messages of torch, C++, oneDNN (whose first step is to allocate), Python (for a library that fails
without a message) and the system."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch has an exception class for it on a GPU, but only a message on a CPU.

    For a file mapped into memory the message is the system's.
    """
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (
            isinstance(error, RuntimeError | SystemError) and any(words in str(error) for words in _NO_MEMORY)
        )
    )


@contextmanager
def naming_lack_of_memory(hint: str) -> Iterator[None]:
    """Raise RunError with ``hint`` if memory runs out in the block."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        reason = next(iter(str(error).splitlines()), "no more is available")
        raise RunError(f"memory ran out: {reason}", hint) from error


def shortened(text: str) -> str:
    """``text`` without the middle of very long words, and without its own middle if longer than a screen."""
    text = re.sub(r"\S{400,}", lambda word: _without_middle(word[0], 200, 60), text)
    return _without_middle(text, 1500, 300)


def _without_middle(text: str, head: int, tail: int) -> str:
    left_out = len(text) - head - tail
    return f"{text[:head]}... ({left_out:,} characters) ...{text[-tail:]}" if left_out > 40 else text


def nearest(word: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the known word most similar to ``word``; empty if none is similar."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""
