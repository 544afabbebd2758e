"""Guess the encoding of text that is not UTF-8 from its bytes and the language in its file's name."""

from __future__ import annotations

import codecs
import re
import shlex
import string
import unicodedata
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

_MEND = "mend what is not, since the rest is UTF-8"

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
_MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
_UTF16 = "utf-16le", "utf-16be"
_LETTERED = re.compile("[\0-\u1fff\u3000-\u30ff]")
"""Characters of alphabets, and kana, which text of other encodings hardly has if it is read as UTF-16."""
_ENOUGH_LETTERS = 3
_ENOUGH_BYTES = 16
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_LETTERS = b" " + string.ascii_letters.encode()
_TAR = slice(257, 262), b"ustar"


def binary_kind(data: bytes) -> str | None:
    """What kind of file that is not text this is, by its first bytes; None for text or an unknown kind."""
    place, mark = _TAR
    known = (kind for start, kind in _BINARY.items() if data.startswith(start))
    kind = "an archive (tar)" if data[place] == mark else next(known, None)
    return kind if kind and (b"\0" in data or not fits(data, "utf-8")) else None


def wide_encodings(data: bytes, is_line: bool = False) -> list[str]:
    """UTF-16 or UTF-32, by iconv's name: one that this surely is, two if it is unclear, or none.

    Without a byte order mark, a reading has assigned characters only, and bytes that are text but for zeros
    have letters in it. ``is_line`` says that more follows: a newline at the end may be the first byte of one.
    """
    for encoding, marks in _MARKS.items():
        if data.startswith(marks):
            return [encoding]
    if b"\0" not in data:
        return []
    for encoding in ("utf-32le", "utf-32be"):
        if _reading(data, encoding, is_line):
            return [encoding]
    found = {encoding: text for encoding in _UTF16 if (text := _reading(data, encoding, is_line))}
    lettered = [encoding for encoding, text in found.items() if _is_lettered(text)]
    enough = len(data) >= _ENOUGH_BYTES
    if _is_bytewise(data):
        may_be = (bool(found) and not enough) or data.count(b"\0") * 6 > len(data)
        return lettered if len(lettered) == 1 else list(_UTF16) if may_be else []
    for sure in (list(found), lettered):
        if len(sure) == 1 and enough:
            return sure
    return list(_UTF16) if any(fits(data[: len(data) // 2 * 2], encoding) for encoding in _UTF16) else []


def _reading(data: bytes, encoding: str, is_line: bool) -> str | None:
    """The text in this encoding if all its characters are assigned; a newline the wrong way round is not.

    A character that is cut at the end is left out, or is the newline of a line.
    """
    width = 4 if "32" in encoding else 2
    if is_line and encoding.endswith("le"):
        data += bytes(-len(data) % width)
    data = data[: len(data) // width * width]
    if not fits(data, encoding):
        return None
    text = data.decode(encoding)
    return text if all(map(_is_assigned, set(text))) else None


def _is_assigned(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in ("Cn", "Co", "Cs") and (category != "Cc" or character.isspace())


def _is_lettered(text: str) -> bool:
    """Whether most of a text is of alphabets, and it is long enough that this is no chance."""
    characters = "".join(text.split())
    letters = len(_LETTERED.findall(characters))
    return len(text) >= _ENOUGH_LETTERS and letters * 4 > len(characters) * 3


def _is_bytewise(data: bytes) -> bool:
    """Whether bytes but zeros are UTF-8 almost without control characters, or mostly ASCII's letters."""
    data = data.replace(b"\0", b"")
    if fits(data, "utf-8"):
        return (len(data) - len(data.translate(None, _CONTROLS))) * 20 <= len(data)
    return len(data.translate(None, _LETTERS)) * 3 < len(data)


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

    Text of which a part is UTF-8, be it a byte order mark, is to be mended: a conversion would spoil that.
    In other encodings than Western Europe's, some pairs of bytes are UTF-8 by chance. cp1252 has quotes and
    dashes where Latin-1 has control characters.
    """
    text = data.decode("utf-8", "surrogateescape")
    valid, invalid = len(_BEYOND_ASCII.findall(text)), len(_NOT_UTF8.findall(text))
    if valid * 2 >= invalid or data.startswith(codecs.BOM_UTF8):
        return _MEND
    for part in path.name.split("."):
        encoding = _USUAL.get(model_code(part)) if is_listed(part) else None
        if encoding and fits(data, encoding):
            return f"convert it, as in {line(f'iconv -f {encoding} -t utf-8', path)}"
    if valid:
        return _MEND
    encoding = "cp1252" if _ONLY_CP1252.search(text) else "latin1"
    return f"convert it, as in {line(f'iconv -f {encoding} -t utf-8', path)} if the text is West European"


def fits(data: bytes, encoding: str) -> bool:
    """Whether all of ``data`` can be read in this encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
