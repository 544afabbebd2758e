"""Readers of parallel text: line-aligned files, TSV or CSV with a header of language codes, JSONL.

Each takes file names and gives ``{language: sentences}``, all lists of equal length, "" where a
translation is missing. Text is UTF-8, with or without a byte order mark, and a line ends at "\\n" only:
U+2028 and its kin occur inside sentences. Outer whitespace goes, and so does the CR of CRLF.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lslo_cli.errors import InputError
from lslo_cli.mt.codes import file_codes

Text = dict[str, list[str]]

_UNWRITABLE = re.compile("[\n\ud800-\udfff]")


def name_of_each(languages: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """``{language: the name it goes by}`` for the languages that ``names`` (codes in a data set) include."""
    present = set(names)
    found = {}
    for language in languages:
        matches = [code for code in file_codes(language) if code in present]
        if matches:
            found[language] = matches[0]
    return found


def read_text(path: Path) -> str:
    """A UTF-8 file without its byte order mark. Raises InputError if unreadable, not UTF-8, or empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "check the path and its permissions"
        ) from error
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8: line {line}, byte offset {error.start} (0x{data[error.start]:02x})",
            "convert it, as in `iconv -f latin1 -t utf-8`",
        ) from error
    if not text:
        raise InputError(f"{path} is empty", "fill it, or remove it if the language is not to be used")
    return text


def read_lines(path: Path) -> list[str]:
    """The lines of a file, stripped; the last one may lack its newline."""
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def read_aligned(files: Mapping[str, Path]) -> Text:
    """Files that are translations of each other line by line. Raises InputError where lengths differ."""
    text = {language: read_lines(path) for language, path in files.items()}
    first = next(iter(text))
    for language, lines in text.items():
        if len(lines) != len(text[first]):
            raise InputError(
                f"{files[first]} has {len(text[first])} lines, {files[language]} has {len(lines)}",
                "line n must be the same sentence everywhere; leave it empty where a translation is missing",
            )
    return text


def read_table(path: Path, languages: Sequence[str]) -> tuple[Text, list[str]]:
    """Read a multi-parallel table: the text of the languages it has, and all names in it.

    Raises InputError for rows that do not parse or fit, and for a table without rows.
    """
    read = _read_jsonl if path.suffix == ".jsonl" else _read_delimited
    return read(path, languages)


def _read_delimited(path: Path, languages: Sequence[str]) -> tuple[Text, list[str]]:
    """TSV: tabs separate, quotes are text. CSV: as Python's csv reads it."""
    rows = _tsv_rows(path) if path.suffix == ".tsv" else _csv_rows(path)
    header = [name.strip() for name in rows[0][1]]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: column '{repeated[0]}' occurs twice", "give every column its own language code"
        )
    names = name_of_each(languages, header)
    if not names:
        return {}, header
    if len(rows) == 1:
        raise InputError(f"{path} has a header and no rows", "add the sentences, one row each")
    text: Text = {language: [] for language in names}
    columns = {language: header.index(name) for language, name in names.items()}
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            raise InputError(
                f"{path}: line {number} has {len(cells)} columns, the header has {len(header)}",
                "leave a cell empty where a translation is missing, but keep its separator",
            )
        for language, column in columns.items():
            text[language].append(_sentence(cells[column], path, number, header[column]))
    return text, header


def _tsv_rows(path: Path) -> list[tuple[int, list[str]]]:
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    return [(number, line.removesuffix("\r").split("\t")) for number, line in enumerate(lines, start=1)]


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    lines = [line + "\n" for line in read_text(path).removesuffix("\n").split("\n")]
    reader = csv.reader(lines, strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise InputError(
            f"{path}: line {reader.line_num} is not CSV: {error}", "double the quotes inside quoted cells"
        ) from error


def _read_jsonl(path: Path, languages: Sequence[str]) -> tuple[Text, list[str]]:
    """One object per line, ``{"en": "...", "fr": "..."}``; a key that is missing, null or "" is a gap."""
    lines = read_text(path).split("\n")
    if not lines[-1].strip():
        lines.pop()
    rows = [_json_object(line, path, number) for number, line in enumerate(lines, start=1)]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    text = {
        language: [_sentence(row.get(name), path, number, name) for number, row in enumerate(rows, start=1)]
        for language, name in name_of_each(languages, keys).items()
    }
    return text, keys


def _json_object(line: str, path: Path, number: int) -> dict[str, object]:
    hint = 'write one object per line, as in {"en": "Hello.", "fr": "Bonjour."}'

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        row = dict(pairs)
        if len(row) < len(pairs):
            raise InputError(
                f"{path}: line {number} has a key twice", "give every sentence its own language code"
            )
        return row

    try:
        row = json.loads(line, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: line {number} is not JSON: {error.msg} at column {error.colno}", hint
        ) from error
    if not isinstance(row, dict):
        raise InputError(f"{path}: line {number} is a JSON {type(row).__name__}, not an object", hint)
    return row


def _sentence(value: object, path: Path, number: int, name: str) -> str:
    """A cell as one stripped line of text; None is a gap."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(
            f"{path}: line {number}, '{name}' is {json.dumps(value)}, not text",
            "give each sentence as a string",
        )
    sentence = value.strip()
    # Sentences leave as lines of UTF-8 files, so neither a line break nor half of a surrogate pair may enter.
    if _UNWRITABLE.search(sentence):
        raise InputError(
            f"{path}: line {number}, '{name}' holds a line break or an unpaired surrogate",
            "keep each sentence on one line of valid text",
        )
    return sentence
