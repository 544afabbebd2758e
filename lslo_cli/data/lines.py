"""Checks of lines of parallel text that are independent of the languages.

Every function takes lines and returns row numbers, counted from 0, or counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

Same = dict[tuple[str, str], list[int]]
"""Rows in which two languages have the same line, by pair."""

SHORTEST = 20
"""Length in characters from which a line equal to its translation is suspicious; names are often equal."""

_DAMAGED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2581\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Control characters and characters that Unicode ignores by default: zero width, bidi marks, joiners,
selectors, Braille's blank, SentencePiece's sign for a space."""
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


def as_read(line: str) -> str:
    """A line as a model reads it: in Unicode's NFKC, without invisible characters.

    Two lines are the same sentence if this is equal, in NFC or NFD.
    """
    return line if line.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", line)).strip()


def readable(line: str) -> str:
    """The line itself, or "" if it has no visible character and so no subword piece."""
    return line if line and _INVISIBLE.sub("", line).strip() else ""


def duplicates(lines: Sequence[str]) -> list[int]:
    """Rows that repeat an earlier line as the model reads it; gaps do not count."""
    seen: set[str] = set()
    repeated = []
    for row, line in enumerate(map(as_read, lines)):
        if line in seen:
            repeated.append(row)
        elif line:
            seen.add(line)
    return repeated


def damaged(lines: Sequence[str]) -> list[int]:
    """Rows with U+FFFD or control characters, or with UTF-8 that was decoded as cp1252."""
    return [row for row, line in enumerate(lines) if _DAMAGED.search(line) or _is_decoded_twice(line)]


def _is_decoded_twice(line: str) -> bool:
    """``cafÃ©`` for ``café``: non-ASCII text whose cp1252 bytes are valid UTF-8 by no accident."""
    if not _BEYOND_ASCII.search(line):
        return False
    try:
        line.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True


def untranslated(text: Mapping[str, Sequence[str]]) -> Same:
    """Rows in which two languages have the same line of at least 20 characters, by pair of languages."""
    languages = list(text)
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, lines in enumerate(zip(*text.values(), strict=True)):
        same: dict[str, list[str]] = {}
        for language, line in zip(languages, lines, strict=True):
            if len(line) >= SHORTEST:
                same.setdefault(as_read(line), []).append(language)
        for sharing in same.values():
            for pair in combinations(sharing, 2):
                rows[pair].append(row)
    return dict(rows)


def overlap(train: Sequence[str], test: Sequence[str]) -> tuple[list[int], list[int]]:
    """Rows of ``test`` whose line occurs in ``train``: as a model reads it, and ignoring case and spaces."""
    as_is = {as_read(line) for line in train}
    normalised = {normalise(line) for line in train}
    exact = [row for row, line in enumerate(test) if line and as_read(line) in as_is]
    alike = [row for row, line in enumerate(test) if line and normalise(line) in normalised]
    return exact, alike


def normalise(line: str) -> str:
    """A line as the model reads it, with case folded and spaces normalised."""
    return " ".join(as_read(line).casefold().split())
