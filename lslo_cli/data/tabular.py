"""Tables as parallel text: TSV or CSV with a header of language codes, JSON objects with such keys.

The keys of a JSON object may be under ``translation``, as Hugging Face's tools write them. Tables are read to
the same form as by :mod:`lslo_cli.data.readers`, from one file for all languages.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lslo_cli.data.encodings import in_place
from lslo_cli.data.lines import readable
from lslo_cli.data.readers import CR_TO_LF, Text, decode, name_of_each, read_bytes, read_text, suffix_of
from lslo_cli.errors import InputError
from lslo_cli.method.codes import is_listed, model_code
from lslo_cli.parsing import parse_json

JSON = (".jsonl", ".json")
"""Suffixes of objects, one per line; ``.json`` may also hold one list of them."""

_JSON_HINT = 'write one object per line, as in {"en": "Hello.", "fr": "Bonjour."}'
_LETTER = re.compile(r"[^\W\d_]")
_UNWRITABLE = re.compile("[\n\ud800-\udfff]")


class NamedCells(NamedTuple):
    """The cells of a table under one name, a gap is ""."""

    name: str
    cells: list[str]

    @property
    def is_text(self) -> bool:
        """Whether a cell has a letter, unless all are gaps; row numbers have none."""
        return any(map(_LETTER.search, self.cells)) or not any(self.cells)


class RepeatedKeys(dict[str, object]):
    """A JSON object in which a key occurs twice; it has the last value of each."""


def read_header(path: Path) -> list[str]:
    """All names in a table: its first row, or the keys of its objects.

    Later rows may be damaged; :func:`read_table` refuses them. Raises InputError if the file is unreadable or
    empty, or if no row of a .jsonl file parses.
    """
    data = read_bytes(path)
    if b"\0" in data or b"\n" not in data:
        decode(data, path)  # raises for UTF-16 and for other line ends
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    if suffix_of(path) in JSON:
        return _json_keys(text, path)
    lines = text.split("\n")
    first = lines[0].removesuffix("\r")
    cells = first.split("\t") if _is_tsv(path) else next(_cells([first], path), (1, []))[1]
    return [cell.strip() for cell in cells]


def guess_languages(path: Path, header: Sequence[str]) -> list[str]:
    """The languages of a table if none were named: columns with a code in the header and letters below.

    If two columns have listed codes, a column that only looks like a code (``src``) is not a language; a
    column of row numbers never is. Raises what :func:`read_table` raises.
    """
    by_form = name_of_each(None, header)
    known = {code: name for code, name in by_form.items() if is_listed(name)}
    names = known if len(known) > 1 else by_form
    try:
        columns = read_columns(path, list(names))
    except InputError:
        return list(names)  # reading the rows reports what is wrong with them
    return [code for code, column in columns.items() if column.is_text]


def read_table(path: Path, languages: Sequence[str]) -> Text:
    """Read a multi-parallel table: the text of the languages it has.

    Raises InputError for rows that do not parse or fit, for a table without rows, for a language that two
    columns may be, and for a column that is not text.
    """
    columns = read_columns(path, languages)
    for column in columns.values():
        check_text_of(column, path, "rename it if it is not a language, or leave the language out")
    return {language: column.cells for language, column in columns.items()}


def check_text_of(column: NamedCells, path: Path, hint: str) -> None:
    """Raise InputError for a column with cells and no letter in any: row numbers under ``id`` or ``no``."""
    if not column.is_text:
        first = next(filter(None, column.cells))
        raise InputError(
            f"{path}: '{column.name}' is not text: no letter in any of its cells, such as '{first}'", hint
        )


def row_name(path: Path, number: int) -> str:
    """``line 3``, or ``row 3`` of a .json file: a list may be written over any number of lines."""
    return f"{'row' if suffix_of(path) == '.json' else 'line'} {number}"


def read_columns(path: Path, languages: Sequence[str]) -> dict[str, NamedCells]:
    """The columns of the languages that a table has, text or not.

    Raises what :func:`read_table` raises, but for a column that is not text.
    """
    read = _read_json if suffix_of(path) in JSON else _read_delimited
    return read(path, languages)


def _names(path: Path, languages: Sequence[str], header: Sequence[str]) -> dict[str, str]:
    """The column or key of each language. Raises InputError for one that two may be, neither exactly."""
    names = name_of_each(languages, header)
    for language, name in names.items():
        alike = [each for each in header if model_code(each) == model_code(language)]
        if name != language and len(alike) > 1:
            raise InputError(
                f"{path} has two columns or keys for '{language}': '{alike[0]}' and '{alike[1]}'",
                "name the one that is meant as it is written there",
            )
    return names


def _read_delimited(path: Path, languages: Sequence[str]) -> dict[str, NamedCells]:
    """TSV: tabs separate, quotes are text. CSV: as Python's csv reads it, with commas, semicolons or tabs."""
    rows = _tsv_rows(path) if _is_tsv(path) else _csv_rows(path)
    while len(rows) > 1 and not any(rows[-1][1]) and len(rows[-1][1]) < len(rows[0][1]):
        rows.pop()  # a blank line at the end is no row, unless one gap is a whole row
    header = [name.strip() for name in rows[0][1]]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: column '{repeated[0]}' occurs twice", "give every column its own language code"
        )
    names = _names(path, languages, header)
    if not names:
        return {}
    if len(rows) == 1:
        raise InputError(f"{path} has a header and no rows", "add the sentences, one row each")
    columns = {language: NamedCells(name, []) for language, name in names.items()}
    places = [(column, header.index(column.name)) for column in columns.values()]
    for number, cells in rows[1:]:
        if len(header) == 1:
            cells = cells or [""]  # a blank line of a CSV, which has no cell for Python
        if len(cells) != len(header):
            raise InputError(
                f"{path}: line {number} has {len(cells)} columns, the header has {len(header)}",
                "leave a cell empty if a translation is missing, but keep its separator",
            )
        for column, place in places:
            column.cells.append(_sentence(cells[place], path, number, column.name))
    return columns


def _tsv_rows(path: Path) -> list[tuple[int, list[str]]]:
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    return [(number, line.removesuffix("\r").split("\t")) for number, line in enumerate(lines, start=1)]


def _is_tsv(path: Path) -> bool:
    return suffix_of(path) == ".tsv"


def _delimiter(header: str) -> str:
    """The delimiter of a CSV: a comma, unless its header has more semicolons or tabs."""
    return max(",;\t", key=header.count)


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    lines = [line + "\n" for line in read_text(path).removesuffix("\n").split("\n")]
    return list(_cells(lines, path, strict=True))


def _cells(lines: Sequence[str], path: Path, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV, each with the number of its last line. Raises InputError for what is no row."""
    reader = csv.reader(lines, delimiter=_delimiter(lines[0]), strict=strict)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        hint = "double the quotes inside quoted cells"
        if "\r" in lines[reader.line_num - 1].removesuffix("\n").removesuffix("\r"):
            hint = f"end lines with a newline, as in {in_place(CR_TO_LF, path)}"
        raise InputError(
            f"{path}: line {reader.line_num} is not CSV: {str(error).partition(' - ')[0]}", hint
        ) from error


def _json_keys(text: str, path: Path) -> list[str]:
    keys: dict[str, None] = {}
    parsed = False
    lines: list[Any] = []
    with suppress(InputError):  # what is wrong is said where the text is read
        lines = _json_lines(text, path)
    for line in lines:
        with suppress(ValueError):
            row = parse_json(line, _object) if isinstance(line, str) else line
            if isinstance(row, dict):
                parsed = True
                row = _sentences_of(row)
                keys.update(dict.fromkeys(row))
    if lines and not parsed and suffix_of(path) == ".jsonl":
        _json_object(lines[0], path, 1)
    return list(keys)


def _json_lines(text: str, path: Path) -> list[Any]:
    """The rows of a file: its lines, or the members of the list that a .json file may be.

    Raises InputError for a .json file that is neither.
    """
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    by_line = not lines or (lines[0].strip()[:1], lines[0].strip()[-1:]) == ("{", "}")
    if suffix_of(path) == ".json" and not by_line:
        try:
            content = parse_json(text, _object)
        except json.JSONDecodeError as error:
            problem = f"line {error.lineno}, column {error.colno}: {error.msg.removesuffix(' at')}"
            raise InputError(
                f"{path} is not complete JSON: {problem}", "mend it there, or copy it again"
            ) from error
        except ValueError as error:
            raise InputError(f"{path} cannot be read: {error}", _JSON_HINT) from error
        if not isinstance(content, list):
            kind = "object" if isinstance(content, dict) else type(content).__name__
            raise InputError(f"{path} is one JSON {kind}, not a list of them", _JSON_HINT)
        return content
    return lines


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of pairs of keys and values, marked if a key occurs twice."""
    row = dict(pairs)
    return row if len(row) == len(pairs) else RepeatedKeys(row)


def _read_json(path: Path, languages: Sequence[str]) -> dict[str, NamedCells]:
    """Objects such as ``{"en": "...", "fr": "..."}``; a key that is missing, null or "" is a gap."""
    lines = _json_lines(read_text(path), path)
    rows = [_json_object(line, path, number) for number, line in enumerate(lines, start=1)]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {
        language: NamedCells(
            name, [_sentence(row.get(name), path, number, name) for number, row in enumerate(rows, start=1)]
        )
        for language, name in _names(path, languages, keys).items()
    }


def _json_object(line: object, path: Path, number: int) -> dict[str, object]:
    place = f"{path}: {row_name(path, number)}"
    try:
        row = parse_json(line, _object) if isinstance(line, str) else line
    except json.JSONDecodeError as error:
        raise InputError(
            f"{place} is not JSON: {error.msg.removesuffix(' at')} at column {error.colno}", _JSON_HINT
        ) from error
    except ValueError as error:
        raise InputError(f"{place} cannot be read: {error}", _JSON_HINT) from error
    if not isinstance(row, dict):
        raise InputError(f"{place} is a JSON {type(row).__name__}, not an object", _JSON_HINT)
    sentences = _sentences_of(row)
    if isinstance(row, RepeatedKeys) or isinstance(sentences, RepeatedKeys):
        raise InputError(f"{place} has a key twice", "give every sentence its own language code")
    return sentences


def _sentences_of(row: dict[str, object]) -> dict[str, object]:
    """The object of a row, or the one under its key ``translation``."""
    inner = row.get("translation")
    return inner if isinstance(inner, dict) else row


def _sentence(value: object, path: Path, number: int, name: str) -> str:
    """A cell as one stripped line of text; None is a gap."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(
            f"{path}: {row_name(path, number)}, '{name}' is {json.dumps(value)}, not text",
            "give each sentence as a string",
        )
    sentence = readable(value.strip())
    # Sentences are written as lines of UTF-8, so neither line breaks nor unpaired surrogates are allowed.
    if _UNWRITABLE.search(sentence):
        raise InputError(
            f"{path}: {row_name(path, number)}, '{name}' holds a line break or an unpaired surrogate",
            "keep each sentence on one line of valid text",
        )
    return sentence
