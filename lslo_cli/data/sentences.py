"""Split long lines into sentences that a model can read, and join translated sentences again."""

from __future__ import annotations

import re
from collections.abc import Callable

from lslo_cli.method.codes import flores200_code

_END = re.compile(r"(?<=[.!?…؟।॥۔])\s+|(?<=[。！？])\s*")
_UNSPACED = {
    *("zho_Hans", "zho_Hant", "yue_Hant", "jpn_Jpan"),
    *("tha_Thai", "lao_Laoo", "khm_Khmr", "mya_Mymr"),
}
"""Languages, each in a script, that separate no words by spaces."""


def split_line(line: str, length: Callable[[str], int], longest: int) -> list[str]:
    """A line as parts of ``length`` at most ``longest``: itself, its sentences, or pieces of these.

    A longer sentence is split at the space nearest to its middle, or at the middle if it has none.
    """
    if length(line) <= longest or len(line) < 2:
        return [line]
    parts = [part for part in _END.split(line) if part]
    if len(parts) == 1:
        middle = len(line) // 2
        spaces = [match.start() for match in re.finditer(r"(?<=\S)\s+(?=\S)", line)]
        cut = min(spaces, key=lambda place: abs(place - middle), default=middle)
        parts = [line[:cut].strip(), line[cut:].strip()]
    return [piece for part in parts for piece in split_line(part, length, longest)]


def join_line(parts: list[str], language: str) -> str:
    """Join translated parts to one line, with spaces if the language uses them."""
    return ("" if flores200_code(language) in _UNSPACED else " ").join(part for part in parts if part)
