"""Text that a base model cannot read: languages without a token, characters that become ``<unk>``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lslo_cli.artifacts.data_check import Check, DataFinding, Severity
from lslo_cli.method.codes import MODEL_LANGUAGES
from lslo_cli.wording import several
from lslo_cli.world import NEWCOMERS, WORLD

SHOWN = 8
"""Characters of a language that a finding names."""


class Reader(Protocol):
    """The interface of a base model's tokenizer."""

    unk_id: int

    @property
    def languages(self) -> Collection[str]: ...

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Base:
    """A base model by its name, and its tokenizer; without one, any published model is meant."""

    name: str = ""
    reader: Reader | None = None

    @property
    def languages(self) -> Collection[str]:
        """The languages that have a token."""
        return self.reader.languages if self.reader else {*MODEL_LANGUAGES, *WORLD, *NEWCOMERS}

    def known(self, codes: Sequence[str]) -> list[str]:
        """Those of the languages that have a token; without a model all of them if it is fewer than two."""
        known = [code for code in codes if code in self.languages]
        return known if self.reader or len(known) > 1 else list(codes)

    def findings(self, split: str, languages: Sequence[str]) -> Iterable[DataFinding]:
        """A finding on languages without a token: a problem if it leaves the model nothing to translate."""
        strangers = [code for code in languages if code not in self.languages]
        if strangers:
            model = f"base model '{self.name}'" if self.reader else "no published model"
            verb = "has no" if self.reader else "has a"
            too_few = self.reader and len(self.known(languages)) < 2
            yield DataFinding(
                severity=Severity.PROBLEM if too_few else Severity.NOTE,
                check=Check.LANGUAGE,
                split=split,
                message=f"{model} {verb} token for {', '.join(strangers)}: a model can be taught one with "
                f"--add-lang {strangers[0]} --like RELATIVE",
            )


def unknown_rows(lines: Sequence[str], reader: Reader) -> tuple[list[int], Counter[str]]:
    """Rows, counted from 0, that contain ``<unk>``, and the number of rows by unknown character."""
    rows: list[int] = []
    causes: Counter[str] = Counter()
    alone: dict[str, bool] = {}
    for row, line in enumerate(lines):
        if line and reader.unk_id in reader.encode(line):
            rows.append(row)
            for character in {*line}:
                if character not in alone:
                    alone[character] = reader.unk_id in reader.encode(character)
                causes[character] += alone[character]
    return rows, +causes


def described(causes: Counter[str]) -> str:
    """The most frequent characters, each with its number of rows: ``ә 12, U+200D 3``."""
    named = [
        f"{character if character.isprintable() else f'U+{ord(character):04X}'} {count:,}"
        for character, count in sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    ]
    return several(named, SHOWN)
