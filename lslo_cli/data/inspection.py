"""Read sections to examine them: errors of the readers are recorded, and reading continues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lslo_cli.artifacts.data_check import Check, DataFinding, Severity
from lslo_cli.data.layouts import Found
from lslo_cli.data.readers import Text, decode, name_of_each, read_bytes, split_lines, suffix_of
from lslo_cli.data.tabular import JSON, row_name
from lslo_cli.errors import InputError

PIVOT = "en"


@dataclass(frozen=True)
class Inspected:
    """The readable part of a section.

    ``text`` lacks languages whose file cannot be read, and its lists may differ in length. ``crlf`` counts
    lines that end with CR LF.
    """

    found: Found
    text: Text
    crlf: Mapping[str, int]
    findings: list[DataFinding]

    @property
    def is_aligned(self) -> bool:
        """Whether row n is the same sentence in every language."""
        return len({len(lines) for lines in self.text.values()}) == 1

    @property
    def is_broken(self) -> bool:
        """Whether the readers would raise an error."""
        return any(finding.severity is Severity.PROBLEM for finding in self.findings)

    @property
    def pivot(self) -> str:
        """The language to compare the others with: English, or else the first."""
        return PIVOT if PIVOT in self.text else next(iter(self.text), "")

    def name(self, language: str) -> str:
        """The section's name for a language: ``zho_simpl`` for ``zh``."""
        return name_of_each([language], self.found.codes)[language]

    def place(self, language: str, row: int) -> str:
        """``file:line``, of .json ``file, row 3``; a table's header is line 1, which .jsonl does not have."""
        path = self.found.files[language]
        if suffix_of(path) == ".json":
            return f"{path}, {row_name(path, row + 1)}"
        first = 2 if self.found.table and suffix_of(path) not in JSON else 1
        return f"{path}:{row + first}"


@dataclass
class _Reader:
    split: str
    findings: list[DataFinding] = field(default_factory=list)

    def found(self, severity: Severity, check: Check, message: str, *paths: Path) -> None:
        where = [str(path) for path in paths]
        self.findings.append(
            DataFinding(severity=severity, check=check, split=self.split, message=message, where=where)
        )

    def refused(self, error: InputError) -> None:
        self.found(Severity.PROBLEM, Check.FILE, f"{error.message}; {error.hint}")

    def bytes_of(self, path: Path) -> bytes:
        """The content of a file; empty if it cannot be read."""
        try:
            return read_bytes(path)
        except InputError as error:
            self.refused(error)
            return b""

    def lines_of(self, data: bytes, path: Path) -> list[str]:
        """The lines of a file, with U+FFFD for invalid UTF-8; empty if it is not text at all."""
        if not data:
            return []
        try:
            return split_lines(decode(data, path))
        except InputError as error:
            self.refused(error)
            return [] if b"\0" in data else split_lines(data.decode("utf-8", errors="replace"))

    def table(self, found: Found) -> Text:
        """The text of a table; empty if a row of it does not parse."""
        try:
            return found.read()
        except InputError as error:
            if not self.findings:
                self.refused(error)
            return {}


def inspect(found: Found, split: str) -> Inspected:
    """Read a section of a split, recording what is wrong with its files instead of raising."""
    reader = _Reader(split)
    if found.table:
        data = dict.fromkeys(found.files, reader.bytes_of(found.table))
        text = reader.table(found)
        used = {name_of_each([language], found.codes)[language] for language in found.files}
        if used and (ignored := [name for name in found.codes if name not in used]):
            reader.found(Severity.NOTE, Check.LANGUAGE, f"ignored columns: {', '.join(ignored)}")
    else:
        data = {language: reader.bytes_of(path) for language, path in found.files.items()}
        text = {
            language: lines
            for language, path in found.files.items()
            if (lines := reader.lines_of(data[language], path))
        }
        _compare_lengths(reader, found, text)
        _compare_ends(reader, found, {language: data[language] for language in text})
    crlf = {language: content.count(b"\r\n") for language, content in data.items()}
    return Inspected(found, text, crlf, reader.findings)


def _compare_lengths(reader: _Reader, found: Found, text: Text) -> None:
    """Report files whose number of lines differs from that of most files."""
    counts = Counter(len(lines) for lines in text.values())
    if len(counts) > 1:
        usual, files = counts.most_common(1)[0]
        others = [language for language, lines in text.items() if len(lines) != usual]
        sizes = ", ".join(f"{found.files[language].name} has {len(text[language]):,}" for language in others)
        message = f"{files} of {len(text)} files in {found.name} have {usual:,} lines; {sizes}"
        paths = [found.files[language] for language in others]
        reader.found(Severity.PROBLEM, Check.LINES, message, *paths)


def _compare_ends(reader: _Reader, found: Found, data: Mapping[str, bytes]) -> None:
    """Report files without a final newline if other files have one."""
    cut = [found.files[language] for language, content in data.items() if not content.endswith(b"\n")]
    if 0 < len(cut) < len(data):
        names = ", ".join(path.name for path in cut)
        message = f"no newline at the end of {names}, though the other files have one: truncated?"
        reader.found(Severity.WARNING, Check.LAST_LINE, message, *cut)
