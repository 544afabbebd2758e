"""The result of a check of parallel text: counts by language and pair, and findings."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from lslo_cli.artifacts.schema import Document, Result
from lslo_cli.wording import Command


class Severity(StrEnum):
    """A problem stops a run, a warning may spoil its result, a note is worth knowing."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


class Check(StrEnum):
    """The checks."""

    FILE = "file"
    LINES = "line counts"
    LANGUAGE = "languages"
    SPLITS = "splits"
    LINE_ENDINGS = "line endings"
    LAST_LINE = "last line"
    EMPTY = "empty lines"
    CHARACTERS = "characters"
    DUPLICATES = "duplicates"
    LENGTHS = "lengths"
    UNTRANSLATED = "untranslated"
    OVERLAP = "overlap"
    UNKNOWN = "unknown"


class DataFinding(Document):
    """A finding in a split. ``languages`` counts lines by language; ``where`` names the first of them."""

    severity: Severity
    check: Check
    split: str
    message: str
    languages: dict[str, int] = Field(default_factory=dict)
    where: list[str] = Field(default_factory=list)


class LanguageCheck(Document):
    """One language in one split: its lines, and how many of them each check found."""

    language: str
    names: list[str]
    """Its names in the data."""
    lines: int
    empty: int
    crlf: int
    characters: int
    duplicates: int
    lengths: int
    untranslated: int
    unknown: int | None = None
    """Lines in which the base model reads ``<unk>``; None if no model was named."""


class PairCheck(Document):
    """Two languages in one split: rows that have both, and rows that have the same text in both."""

    languages: tuple[str, str]
    rows: int
    identical: int


class SplitCheck(Document):
    """One split, over all of its sections."""

    split: str
    sections: list[str]
    languages: list[LanguageCheck]
    pairs: list[PairCheck]


class OverlapCheck(Document):
    """How many ``lines`` of ``test`` occur in ``train``: exactly, and regardless of case and spaces."""

    train: str
    test: str
    language: str
    lines: int
    exact: int
    normalised: int


class DataCheckResult(Result):
    """A check of parallel text (``lslo data check``)."""

    kind: ClassVar[str] = "data-check"
    command: ClassVar[Command] = Command("data check")

    path: str
    against: str | None
    languages: list[str]
    splits: list[SplitCheck]
    overlaps: list[OverlapCheck]
    findings: list[DataFinding]
    usable: bool
    """Whether no finding is a problem."""
    hold_out: int | None = None
    """Rows of each section to hold out for testing, 0 if a split serves; None if nothing is for training."""

    @property
    def problems(self) -> list[DataFinding]:
        return [finding for finding in self.findings if finding.severity is Severity.PROBLEM]
