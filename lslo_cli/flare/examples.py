"""Examples of a task in two languages, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.errors import InputError

if TYPE_CHECKING:
    from lslo_cli.flare.translations import TranslationRecord

AGAIN = "take the files as published, which `lslo data fetch` gets; docs/flare.md lists them"


@dataclass(frozen=True)
class Example:
    """A text, or a pair of texts, with its label's number; ``id`` is the same in all languages."""

    id: str
    text: str
    label: int
    pair: str = ""

    @property
    def labels(self) -> tuple[int]:
        """The label alone, where questions may have several right answers."""
        return (self.label,)

    @property
    def whole(self) -> str:
        """Both texts joined."""
        return f"{self.text} {self.pair}".strip()


@dataclass(frozen=True)
class Question:
    """A question, ``text``, about a context, ``pair``; its answer begins at character ``start`` of it.

    An empty answer means that there is none. ``others`` are further right answers with their starts, which
    count in tests alone.
    """

    id: str
    text: str
    pair: str
    answer: str
    start: int
    others: tuple[tuple[str, int], ...] = ()

    @property
    def label(self) -> tuple[int, int]:
        """The character positions in the context at which the answer begins and ends."""
        return self.start, self.start + len(self.answer)

    @property
    def labels(self) -> tuple[tuple[int, int], ...]:
        """The same of every right answer, the first before the others."""
        return self.label, *((start, start + len(answer)) for answer, start in self.others)

    @property
    def whole(self) -> str:
        """Question and context joined."""
        return f"{self.text} {self.pair}".strip()


Examples = Sequence[Example | Question]


Passage = tuple[tuple[str, str], ...]
"""Words of a prompt, each followed by a text of an example, or by an empty one."""


@dataclass(frozen=True)
class Prompt:
    """The prompt of a decoder: its content, and a cue before the answer; of both, texts may be cut."""

    content: Passage
    cue: Passage


@dataclass(frozen=True)
class Pairs:
    """Examples of a target language beside those of the source language, row by row.

    ``left_out`` counts the rows of the files without an answer or a translation, which are not included.
    ``translation`` is the record of the texts that are translations, if there is one.
    """

    source: Examples
    target: Examples
    left_out: int = 0
    translation: TranslationRecord | None = None

    @property
    def labels(self) -> list[Any]:
        return [example.label for example in self.target]

    @property
    def blank(self) -> int:
        """The number of rows with an empty text, in one language or both."""
        rows = list(zip(self.source, self.target, strict=True))
        have_pairs = any(each.pair.strip() for row in rows for each in row)
        return sum(
            any(not each.text.strip() or (have_pairs and not each.pair.strip()) for each in row)
            for row in rows
        )

    @property
    def digest(self) -> str:
        """sha256 over all ids, texts and labels."""
        rows = [(e.id, e.text, e.pair, *e.labels) for side in (self.source, self.target) for e in side]
        return digest_of(rows)


def digest_of_text(examples: Examples) -> str:
    """sha256 over the ids, texts and labels of one language."""
    return digest_of([(each.id, each.text, each.pair, each.label) for each in examples])


def in_order(examples: Examples) -> Examples:
    """Examples in the order of their ids."""
    return sorted(examples, key=lambda example: (len(example.id), example.id))


def part_of(examples: Examples, rows: int | None) -> Examples:
    """The first ``rows`` examples in the order of their ids; without a number all, in that of their file."""
    return examples if rows is None else in_order(examples)[:rows]


def paired(source: Examples, target: Examples, what: str) -> Pairs:
    """Examples matched by id, in the order of their ids. Raises InputError if ids or labels differ."""
    by_id = {example.id: example for example in source}
    missing = [example.id for example in target if example.id not in by_id]
    if missing or len(by_id) != len(target):
        raise InputError(
            f"{what}: source and target have different rows ({len(by_id)} and {len(target)}"
            + (f"; the source lacks id {missing[0]})" if missing else ")"),
            "give the same split in both languages",
        )
    rows = in_order(target)
    differing = [row.id for row in rows if isinstance(row, Example) and row.label != by_id[row.id].label]
    if differing:
        raise InputError(f"{what}: the labels of id {differing[0]} differ between languages", AGAIN)
    return Pairs(tuple(by_id[example.id] for example in rows), tuple(rows))
