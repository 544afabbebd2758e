"""Guess the encoding of text that is not UTF-8 from its bytes and the language in its file's name."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Callable
from pathlib import Path

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


def wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by iconv's name, judging by a byte order mark or zeros; None for anything else."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" not in data:
        return None
    even, odd = data[::2].count(0), data[1::2].count(0)
    return "utf-16le" if odd > even else "utf-16be" if even > odd else "utf-16"


def in_place(command: str, path: Path) -> str:
    """The command line that replaces a file by the output of ``command``.

    A file that is gzip, whatever its name, is compressed again.
    """
    name, new = shlex.quote(str(path)), shlex.quote(f"{path}.new")
    if is_gzip(path):
        return f"`gunzip -c < {name} | {command} | gzip > {new} && mv {new} {name}`"
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
    return path.suffix == ".gz"


def likely_conversion(data: bytes, path: Path, line: Line = in_place) -> str:
    """The command line that converts ``data``, the content of ``path``, to UTF-8, in the form of ``line``.

    cp1252 has quotes and dashes where Latin-1 has control characters.
    """
    for part in path.name.split("."):
        encoding = _USUAL.get(model_code(part)) if is_listed(part) else None
        if encoding and _fits(data, encoding):
            return line(f"iconv -f {encoding} -t utf-8", path)
    encoding = "cp1252" if _ONLY_CP1252.search(data.decode("utf-8", "surrogateescape")) else "latin1"
    return f"{line(f'iconv -f {encoding} -t utf-8', path)} if the text is West European"


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
