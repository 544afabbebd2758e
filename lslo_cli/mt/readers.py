"""Line-aligned files as parallel text: ``{language: sentences}``, all of equal length, "" for a gap.

Text is UTF-8, with or without a byte order mark, and a line ends at "\\n" only: U+2028 and its kin occur
inside sentences. Outer whitespace goes, and so does the CR of CRLF.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lslo_cli.errors import InputError
from lslo_cli.mt.codes import file_codes, is_language_code, model_code

Text = dict[str, list[str]]


def name_of_each(languages: Sequence[str] | None, names: Iterable[str]) -> dict[str, str]:
    """``{language: the name it goes by}`` for the languages that ``names`` (codes in a data set) include.

    ``languages`` None takes every name that has the form of a language code.
    """
    names = list(names)
    present = set(names)
    if languages is None:
        languages = list(dict.fromkeys(model_code(name) for name in names if is_language_code(name)))
    found = {}
    for language in languages:
        matches = [code for code in file_codes(language) if code in present]
        if matches:
            found[language] = matches[0]
    return found


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises InputError where it cannot be read or is empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "check the path and its permissions"
        ) from error
    if not data.removeprefix(codecs.BOM_UTF8):
        raise InputError(f"{path} is empty", "fill it, or remove it if the language is not to be used")
    return data


def decode(data: bytes, path: Path) -> str:
    """UTF-8 as text without its byte order mark. Raises InputError naming ``path`` and the first bad byte."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise InputError(
            f"{path} is not UTF-8: it looks like UTF-16, or is no text",
            "convert it, as in `iconv -f utf-16 -t utf-8`",
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8: line {line}, byte offset {error.start} (0x{data[error.start]:02x})",
            "convert it, as in `iconv -f latin1 -t utf-8`",
        ) from error


def split_lines(text: str) -> list[str]:
    """The lines of a text, stripped; the last one may lack its newline."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def read_text(path: Path) -> str:
    """A UTF-8 file without its byte order mark. Raises InputError if unreadable, not UTF-8, or empty."""
    return decode(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    """The lines of a file, stripped; the last one may lack its newline."""
    return split_lines(read_text(path))


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
