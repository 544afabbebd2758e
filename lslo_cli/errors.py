"""Errors a user can cause, each with the exit code the command line returns for it."""

from collections.abc import Iterable
from difflib import get_close_matches


class LsloError(Exception):
    """A mistake or a condition that one clear sentence explains.

    ``message`` says what is wrong, where, and with which value; ``hint`` names one thing to do.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LsloError):
    """A flag, a recipe key or a combination of them that cannot be meant."""

    exit_code = 2


class InputError(LsloError):
    """A file, folder, model or artifact that is missing, stale, damaged or unwritable."""

    exit_code = 3


class RunError(LsloError):
    """The run started and could not produce a result: it diverged, or memory ran out."""

    exit_code = 4


def nearest(word: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the known word most like ``word``; empty where none is half alike."""
    matches = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""
