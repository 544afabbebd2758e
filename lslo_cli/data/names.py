"""Parse the name of a file of parallel text: its language or pair of languages, and its split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lslo_cli.data.codes import is_file_code
from lslo_cli.data.readers import plain, suffix_of
from lslo_cli.method.codes import is_listed, model_code

TABLES = (".tsv", ".csv", ".jsonl", ".json")
SPLITS = ("train", "dev", "devtest", "valid", "validation", "val", "test")
"""Names recognised as splits by default; any name can be requested."""

_TXT = ".txt"
_NTREX = re.compile(r"(?P<set>[^.]+)-(?:src|ref)\.(?P<code>[^.]+)\.txt")
_OTHER_REFERENCE = re.compile(r"[^.]+-ref-\d+\.[^.]+\.txt")
"""A further translation of a test set of NTREX-128, which is not read."""
_PAIR_WITH_SPLIT = re.compile(f"(?P<pair>.+)-(?P<split>{'|'.join(SPLITS)})")


class Bitext(NamedTuple):
    """One side of a bitext: the shared part of both names, the languages' codes, and the split."""

    shared: str
    side: str
    other: str
    split: str


def is_table(path: Path) -> bool:
    """Whether a file is a table, by its name."""
    return suffix_of(path) in TABLES


def ends_in_txt(path: Path) -> bool:
    """Whether a name is one with the language last and ``.txt`` after it: ``train.en.txt``.

    ``en.fr.txt`` has its language first, and NTREX-128 has names of its own.
    """
    name = _whole(path)
    first, *others = name.removesuffix(_TXT).split(".")
    if not (name.endswith(_TXT) and others) or _NTREX.fullmatch(name) or _OTHER_REFERENCE.fullmatch(name):
        return False
    is_first = is_listed(first) and first not in SPLITS
    return is_listed(others[-1]) and is_file_code(others[-1]) and not is_first


def _whole(path: Path) -> str:
    """The name without ``.gz``, with ``.txt`` in lower case."""
    name = plain(path).name
    return name[: -len(_TXT)] + _TXT if suffix_of(path) == _TXT else name


def _named(path: Path) -> str:
    """The name that is parsed: without ``.gz``, and without ``.txt`` after a language."""
    name = _whole(path)
    return name.removesuffix(_TXT) if ends_in_txt(path) else name


def bitext_name(path: Path) -> Bitext | None:
    """The parts of ``train.en-fr.en`` or ``opus.en-fr-train.en``; None for any other kind of name."""
    *parts, side = _named(path).split(".")
    for number, part in enumerate(parts):
        with_split = _PAIR_WITH_SPLIT.fullmatch(part)
        pair, split = with_split.group("pair", "split") if with_split else (part, None)
        other = _other_side(pair, side)
        if other and is_file_code(other):
            rest = parts[:number] + parts[number + 1 :]
            return Bitext(".".join(parts), side, other, split or _split_among(rest) or ".".join(rest))
    return None


def split_of(path: Path) -> str:
    """The split in a name: ``dev/``, ``train.tsv``, ``train.en-wo.en``, ``eng.dev``, ``dev.en``."""
    if path.is_dir():
        return path.name
    if is_table(path):
        return plain(path).stem
    if bitext := bitext_name(path):
        return bitext.split
    if ntrex := _NTREX.fullmatch(_whole(path)):
        return ntrex["set"]
    if is_language_last(path, None):
        return _split_among(_named(path).split(".")[:-1]) or Path(_named(path)).stem
    return plain(path).suffix.removeprefix(".")


def is_language_last(path: Path, languages: Sequence[str] | None) -> bool:
    """Whether a file is called ``train.en`` rather than ``en.train``."""
    parts = _named(path).split(".")
    first, last = parts[0], parts[-1] if len(parts) > 1 else ""
    if first in SPLITS:
        return is_file_code(last)
    codes = {model_code(code) for code in languages or ()}
    names = (is_listed(name) or model_code(name) in codes for name in (first, last))
    return tuple(names) == (False, True)


def aligned_name(path: Path, languages: Sequence[str] | None) -> tuple[str, str]:
    """The code in a file's name, and the pattern of its translations: ``eng.dev`` has ``eng``, ``*.dev``."""
    name = _whole(path)
    if ntrex := _NTREX.fullmatch(name):
        return ntrex["code"], ntrex["set"]
    if is_language_last(path, languages):
        shared, _, code = _named(path).rpartition(".")
        return code, f"{shared}.*"
    code, _, extension = name.partition(".")
    return code, f"*.{extension}"


def _split_among(parts: Sequence[str]) -> str | None:
    return next((part for part in parts if part in SPLITS), None)


def _other_side(pair: str, side: str) -> str:
    """The other language of a pair, "" if ``side`` is not in it: ``zh-Hans`` of ``en-zh-Hans``."""
    if pair.startswith(f"{side}-"):
        return pair.removeprefix(f"{side}-")
    return pair.removesuffix(f"-{side}") if pair.endswith(f"-{side}") else ""
