"""Texts of several parts, such as a question and its context, of which each keeps its share when cut."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lslo_cli.flare.examples import Example, Question


@dataclass(frozen=True)
class Segment:
    """A text that may have several parts; ``ends`` are the characters at which all but the last end."""

    text: str
    ends: tuple[int, ...] = ()

    @classmethod
    def of(cls, example: Example | Question) -> Segment:
        """Both texts of an example, each a part."""
        return cls(example.whole, (len(example.text.lstrip()),))

    @classmethod
    def before(cls, source: Example | Question, text: str) -> Segment:
        """Both texts of ``source`` and then ``text``, each a part."""
        first = cls.of(source)
        return cls(f"{first.text} {text}", (*first.ends, len(first.text)))

    def part(self, end: int) -> int:
        """The number of the part in which a token lies that ends at character ``end``."""
        return bisect_left(self.ends, end)


@dataclass(frozen=True)
class PartTokens:
    """The token ids of one or two segments, with the part of each, counted through; None for special tokens.

    ``offsets`` are the characters of each token in its segment, if the tokenizer knows them. ``whole`` is
    False for what was cut.
    """

    ids: Sequence[int]
    parts: Sequence[int | None]
    offsets: Sequence[tuple[int, int]] = ()
    whole: bool = True

    @property
    def words(self) -> int:
        """The number of tokens that are in no part, and are never cut."""
        return sum(part is None for part in self.parts)

    def then(self, other: PartTokens) -> PartTokens:
        """These tokens and those of ``other``, whose parts are counted on; without offsets."""
        before = 1 + max((part for part in self.parts if part is not None), default=-1)
        more = [None if part is None else before + part for part in other.parts]
        return PartTokens([*self.ids, *other.ids], [*self.parts, *more], whole=self.whole and other.whole)

    def cut(self, length: int) -> PartTokens:
        """At most ``length`` tokens: the special ones, and the beginning of each part by :func:`shares`."""
        if len(self.ids) <= length:
            return self
        counts = Counter(part for part in self.parts if part is not None)
        room = length - (len(self.ids) - counts.total())
        numbers = sorted(counts)
        left = dict(zip(numbers, shares([counts[number] for number in numbers], room), strict=True))
        kept = []
        for position, part in enumerate(self.parts):
            if part is not None:
                left[part] -= 1
            if part is None or left[part] >= 0:
                kept.append(position)
        return PartTokens(
            [self.ids[position] for position in kept],
            [self.parts[position] for position in kept],
            [self.offsets[position] for position in kept] if self.offsets else (),
            whole=False,
        )


def shares(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens of each part stay where there is ``room`` for so many of all.

    All if they fit. Else no part loses a token while another has more left: short parts stay whole, and the
    long ones become equally long, but for one token if the room is not a multiple.
    """
    kept = [0] * len(lengths)
    ascending = sorted(range(len(lengths)), key=lengths.__getitem__)
    for done, part in enumerate(ascending):
        kept[part] = min(lengths[part], room // (len(lengths) - done))
        room -= kept[part]
    return kept
