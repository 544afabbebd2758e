"""Guess the encoding of text that is not UTF-8 from its bytes and the language in its file's name."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from lslo_cli.artifacts.writing import is_stream
from lslo_cli.method.codes import is_listed, model_code

GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""

_BY_LANGUAGE = {
    "cp1250": "bs cs hr hu pl ro sk sl sq",
    "cp1251": "be bg kk ky mk mn ru sr tg tat_Cyrl uk",
    "cp1253": "el",
    "cp1254": "az tr",
    "cp1255": "he yi",
    "cp1256": "ar fa ps ur",
    "cp1257": "et lt lv",
    "cp1258": "vi",
    "cp874": "th",
    "gb18030": "zh",
    "big5": "zho_Hant yue_Hant",
    "shift_jis": "ja",
    "euc-kr": "ko",
}
_USUAL = {code: encoding for encoding, codes in _BY_LANGUAGE.items() for code in codes.split()}
"""The usual encoding of a language before UTF-8, if it is not Western Europe's."""

Line = Callable[[str, Path], str]
"""How a conversion is typed, from its command and the path of the text."""

_ONLY_CP1252 = re.compile("[\udc80-\udc9f]")
"""Bytes that are control characters in Latin-1, and quotes and dashes in cp1252."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\ud800-\udfff]")

_BINARY = {
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive, as documents of Word and Excel are",
    b"BZh": "an archive (bzip2)",
    b"\xfd7zXZ": "an archive (xz)",
    b"7z\xbc\xaf": "an archive (7z)",
    b"\x28\xb5\x2f\xfd": "an archive (zstd)",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a database (SQLite)",
}
"""The first bytes of files that are not text."""
_HIGH_BYTES = bytes({*range(32)} - {10})
"""First bytes of the characters of most alphabets in UTF-16, which text in UTF-8 hardly has."""
_TAR = slice(257, 262), b"ustar"


def binary_kind(data: bytes) -> str | None:
    """What kind of file that is not text this is, by its first bytes; None for text or an unknown kind."""
    place, mark = _TAR
    known = (kind for start, kind in _BINARY.items() if data.startswith(start))
    kind = "an archive (tar)" if data[place] == mark else next(known, None)
    return kind if kind and (b"\0" in data or not _fits(data, "utf-8")) else None


def wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by iconv's name, judging by a byte order mark or zeros; None for anything else.

    Without the mark, every third of the even or odd bytes is as that of an alphabet in UTF-16, or the text is
    not UTF-8 without zeros either.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" not in data:
        return None
    for encoding in ("utf-32le", "utf-32be"):
        if _fits(data, encoding):
            return encoding
    # High bytes of an alphabet are frequent; elsewhere only those of spaces and line ends tell the order.
    without_zeros = _fits(data.replace(b"\0", b""), "utf-8")
    for common, needed in ((_HIGH_BYTES, len(data) / 6), (b"\0", len(data) if without_zeros else 0)):
        even, odd = (len(part) - len(part.translate(None, common)) for part in (data[::2], data[1::2]))
        encoding = "utf-16le" if odd > even else "utf-16be"
        if max(even, odd) > needed and _fits(data[: len(data) // 2 * 2], encoding):
            return encoding
    return None


def in_place(command: str, path: Path) -> str:
    """The command line that replaces a file by the output of ``command``, and leaves it if that fails.

    A file that is gzip, whatever its name, is compressed again. A pipe cannot be replaced.
    """
    if is_stream(path):
        return in_pipe(command, path)
    name, new, old = (shlex.quote(f"{path}{ending}") for ending in ("", ".new", ".old"))
    if is_gzip(path):  # one step after the other: a pipe would go on after a conversion that fails
        steps = f"gunzip -c < {name} > {old} && {command} < {old} > {new} && gzip < {new} > {old}"
        return f"`{steps} && mv {old} {name} && rm {new}`"
    return f"`{command} < {name} > {new} && mv {new} {name}`"


def in_pipe(command: str, path: Path) -> str:
    """The part of a pipe that puts ``command`` before lslo; there is no file to replace at ``path``."""
    return f"`| {command} | lslo`"


def is_gzip(path: Path) -> bool:
    """Whether a file is gzip by its first bytes, or by its name if it cannot be opened again, as a pipe."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(GZIP)) == GZIP
    except OSError:
        pass
    return is_named_gzip(path)


def is_named_gzip(path: Path) -> bool:
    """Whether a file is to be gzip by its name, in any case: ``train.en.GZ``."""
    return path.suffix.lower() == ".gz"


def likely_conversion(data: bytes, path: Path, line: Line = in_place) -> str:
    """How to convert ``data``, the content of ``path``, to UTF-8, with the command in the form of ``line``.

    Text that is UTF-8 for the most part is to be mended: a conversion would spoil the rest. cp1252 has quotes
    and dashes where Latin-1 has control characters.
    """
    text = data.decode("utf-8", "surrogateescape")
    if len(_BEYOND_ASCII.findall(text)) > len(_NOT_UTF8.findall(text)):
        return "mend what is not, since the rest is UTF-8"
    for part in path.name.split("."):
        encoding = _USUAL.get(model_code(part)) if is_listed(part) else None
        if encoding and _fits(data, encoding):
            return f"convert it, as in {line(f'iconv -f {encoding} -t utf-8', path)}"
    encoding = "cp1252" if _ONLY_CP1252.search(text) else "latin1"
    return f"convert it, as in {line(f'iconv -f {encoding} -t utf-8', path)} if the text is West European"


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
