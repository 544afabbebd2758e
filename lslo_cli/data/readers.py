"""Line-aligned files as parallel text: ``{language: sentences}``, all of equal length, "" for a gap.

Text is UTF-8, with or without a byte order mark, and a line ends at "\\n" only, since U+2028 and others occur
inside sentences. Leading and trailing whitespace is stripped, and so is the CR of CRLF.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from lslo_cli.artifacts.writing import unreadable
from lslo_cli.data.codes import is_language_code, model_code
from lslo_cli.data.encodings import (
    GZIP,
    Line,
    binary_kind,
    fits,
    in_pipe,
    in_place,
    is_named_gzip,
    likely_conversion,
    wide_encodings,
)
from lslo_cli.data.lines import readable
from lslo_cli.errors import InputError

Text = dict[str, list[str]]

_BARE_CR = re.compile("\r(?!\n)")
CR_TO_LF = r"tr '\r' '\n'"
NO_NUL = r"tr -d '\0'"


def name_of_each(
    languages: Sequence[str] | None, names: Iterable[str], is_code: Callable[[str], bool] = is_language_code
) -> dict[str, str]:
    """``{language: its name}`` for the languages among ``names``, the codes in a data set.

    A name is taken as it is written, or else the first of the same language. ``languages`` None takes every
    name that ``is_code``.
    """
    exact, present = set[str](), dict[str, str]()
    for name in names:
        exact.add(name)
        present.setdefault(model_code(name), name)
    if languages is None:
        languages = [code for code, name in present.items() if is_code(name)]
    return {
        code: code if code in exact else present[model_code(code)]
        for code in languages
        if model_code(code) in present
    }


def plain(path: Path) -> Path:
    """The path without ``.gz``; its name gives the language and the kind of file."""
    return path.with_suffix("") if is_named_gzip(path) else path


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case, without ``.gz``: ``.tsv`` of ``A.TSV.gz``."""
    return plain(path).suffix.lower()


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzip, whatever its name.

    Raises InputError if it cannot be read or is empty.
    """
    data = unpacked(path)
    if not data.removeprefix(codecs.BOM_UTF8):
        raise InputError(f"{path} is empty", "fill it, or remove it if the language is not to be used")
    return data


def unpacked(path: Path) -> bytes:
    """The content of a file, or of a pipe until its end, which may be empty; unpacked if it is gzip.

    Raises InputError if it cannot be read.
    """
    try:
        data = path.read_bytes()
        if data and (is_named_gzip(path) or data.startswith(GZIP)):
            data = gzip.decompress(data)
        return data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} is not a complete gzip file: {error}", "copy it again, or unpack it"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def decode(data: bytes, path: Path, line: Line = in_place) -> str:
    """Decode UTF-8 without its byte order mark. Raises as :func:`decode_line`, and for CRs as line ends."""
    text = decode_line(data, path, line)
    bare = len(_BARE_CR.findall(text))
    if bare > text.count("\n"):
        only = "\n" not in text.rstrip()  # or else lines would be cut in two
        raise InputError(
            f"{path} has {bare} CR line ends, which are not read as line ends",
            f"convert them, as in {line(CR_TO_LF, path)}" if only else "end every line with a newline alone",
        )
    return text


def decode_line(data: bytes, path: Path, line: Line = in_place, earlier: bytes = b"") -> str:
    """Decode UTF-8, which may be one line of many, without a byte order mark.

    ``earlier`` is a line before this one: one with more than ASCII if there is any. Raises InputError naming
    ``path`` and the first invalid byte or NUL, and for what is no text; its hint has the conversion as
    ``line`` types it, where that surely is right.
    """
    if kind := binary_kind(data):
        raise InputError(f"{path} is not text but {kind}", "leave it out, or take the text from it")
    if not earlier:
        _check_whole(data, path, line)
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        place = "" if earlier else f"line {number}, "
        raise InputError(
            f"{path} is not UTF-8: {place}byte offset {error.start} (0x{data[error.start]:02x})",
            "leave it out if it is not text"
            if b"\0" in data
            else likely_conversion(earlier + data, path, line),
        ) from error
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        place = "" if earlier else f" in line {number}"
        # The second byte of a newline in UTF-16, after a line that happens to be UTF-8, begins the next line.
        is_half = bool(earlier) and text.startswith("\0")
        raise InputError(
            f"{path} has a NUL byte{place}, which is no text",
            "remove it, or convert the text if it is UTF-16"
            if is_half
            else f"remove it, as in {line(NO_NUL, path)}",
        )
    return text


def _check_whole(data: bytes, path: Path, line: Line) -> None:
    """Raise InputError for data that are compressed, or UTF-16 or UTF-32; more may follow in a pipe."""
    if data.startswith(GZIP):
        raise InputError(f"{path} is compressed with gzip", f"unpack it, as in {line('gunzip', path)}")
    is_line = line is in_pipe and data.endswith(b"\n")
    if wide := wide_encodings(data, is_line):
        only = len(wide) == 1 and (is_line or fits(data, wide[0]))
        raise InputError(
            f"{path} is not UTF-8: it looks like {wide[0][:6].upper()}, or is not text",
            f"convert it, as in {line(f'iconv -f {wide[0]} -t utf-8', path)}"
            if only
            else f"convert it from {' or '.join(wide)}, or remove its NUL bytes, whichever reads well",
        )


def split_lines(text: str) -> list[str]:
    """The lines of a text, stripped, "" for invisible text; the last may lack its newline."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [readable(line.strip()) for line in lines]


def read_text(path: Path) -> str:
    """A UTF-8 file without its byte order mark. Raises InputError if unreadable, not UTF-8, or empty."""
    return decode(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    """The lines of a file, stripped; the last one may lack its newline."""
    return split_lines(read_text(path))


def read_aligned(files: Mapping[str, Path]) -> Text:
    """Read files that are translations of each other line by line. Raises InputError if lengths differ."""
    text = {language: read_lines(path) for language, path in files.items()}
    first = next(iter(text))
    for language, lines in text.items():
        if len(lines) != len(text[first]):
            raise InputError(
                f"{files[first]} has {len(text[first])} lines, {files[language]} has {len(lines)}",
                "line n must be the same sentence everywhere; leave it empty if a translation is missing",
            )
    return text
