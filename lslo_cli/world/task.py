"""A classification task on the built-in world: the kind of action of a report, in every language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import islice

from lslo_cli.world.meaning import REPORT, Meaning, meanings
from lslo_cli.world.speech import Speaker

KINDS = ("going", "making", "saying")
"""The labels. A verb's kind is its concept's number modulo three, not visible in its form."""

TASK_ROWS: Mapping[str, int] = {"train": 600, "dev": 100, "test": 300}
"""Rows of every split, all from one stream of distinct reports, apart from the world's text."""


def task_rows(split: str, code: str) -> list[tuple[str, int]]:
    """The sentences of a split (``train``, ``dev`` or ``test``) in a language, each with its label.

    Row n says the same in every language. ``code`` is one of the world's languages.
    """
    speaker, start = _speaker(code), 0
    for name, rows in TASK_ROWS.items():
        if name == split:
            return [(speaker.say(said), said.verb % len(KINDS)) for said in _said()[start : start + rows]]
        start += rows
    raise ValueError(f"the task has no split '{split}'")


@cache
def _said() -> list[Meaning]:
    return list(islice(meanings("kinds of action", REPORT), sum(TASK_ROWS.values())))


@cache
def _speaker(code: str) -> Speaker:
    return Speaker(code)
