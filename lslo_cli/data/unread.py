"""Why parallel text is not recognised, and the change that makes it a known layout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from lslo_cli.data.codes import is_language_code
from lslo_cli.data.names import SPLITS
from lslo_cli.data.readers import plain, suffix_of
from lslo_cli.data.tabular import JSON, read_columns
from lslo_cli.errors import InputError
from lslo_cli.method.codes import is_listed

_AS_TABLE = "write it as a table: a line `en<tab>fr`, then one line per unit, as FOLDER/train.tsv"
_WAYS = {
    ".tmx .xliff .xlf": _AS_TABLE,
    ".parquet .arrow": "write it as JSON lines, as in `datasets`' to_json('train.jsonl')",
    ".xlsx .ods": "save it as CSV with a first line of language codes, as FOLDER/train.csv",
    ".zip .tar .tgz": "unpack it, and name the folder",
    ".bz2 .xz .zst": "unpack it, or pack it as .gz",
}
_CONVERT = {suffix: way for suffixes, way in _WAYS.items() for suffix in suffixes.split()}
_SIDES = {"src", "tgt", "trg", "source", "target", "ref"}
_MOST = 60
"""The most characters of a cell in a message."""

NAME_BY_CODE = "name files after their languages, as in train.en and train.fr, and columns en, fr"


def nearest_layout(
    files: Sequence[Path], headers: Mapping[Path, Sequence[str]] = MappingProxyType({})
) -> tuple[str, str]:
    """A description of what was found instead of a known layout, and a hint to make it one.

    ``headers`` has the names in a table, if one was found. The caller has found fewer than two languages.
    """
    for path, header in headers.items():
        if (
            is_language_code(code := plain(path).stem)
            and code not in SPLITS
            and not any(map(is_language_code, header))
        ):
            return (
                f"{path.name} is a table of one language",
                f"write its sentences as lines of {code}.txt, likewise for the other languages",
            )
        shown = ", ".join(repr(cell[:_MOST]) for cell in header[:3]) or "nothing"
        if suffix_of(path) in JSON:
            try:
                read_columns(path, ())
            except InputError as error:
                return error.message, error.hint
            return (
                f"keys are the language codes of sentences, and in {path.name} they are {shown}",
                'write objects such as {"en": "Hello.", "fr": "Bonjour."}, one per line',
            )
        return (
            f"the first line of a table has the language codes of its columns; in {path.name} it is {shown}",
            "name the columns en, fr, ... there or, if these are sentences, in a line above them",
        )
    for path in files:
        if found := _nearest_name(path):
            return found
    return "the names of its files contain no language code", NAME_BY_CODE


def _nearest_name(path: Path) -> tuple[str, str] | None:
    for suffix in reversed(path.suffixes):
        if suffix.lower() in _CONVERT:
            return f"{path.name} has an unsupported format ({suffix})", _CONVERT[suffix.lower()]
    parts = path.name.split(".")
    if side := _SIDES.intersection(parts):
        return (
            f"the name of {path.name} contains no language code",
            f"rename it with a language code, as in {path.name.replace(side.pop(), 'en')}",
        )
    words = re.split("[-_]", parts[0])
    codes = [word for word in words if is_listed(word)]
    if len(codes) == 2 and "-".join(codes) in path.name:
        return (
            f"{path.name} seems to hold two languages in one line-aligned file",
            f"write it as a table {parts[0]}.tsv, with a line {codes[0]}<tab>{codes[1]} above",
        )
    if len(codes) == 1 and len(words) > 1:
        rest = "-".join(word for word in words if word != codes[0])
        return (
            f"the language code in {path.name} is not separated by a dot",
            f"rename it, as in {'.'.join((rest, codes[0]))}",
        )
    *others, end = plain(path).name.split(".")
    if code := next((part for part in others[1:] if is_listed(part)), None):
        kept = [part for part in (*others, end) if part != code and part.lower() != "txt"]
        return (
            f"the language code in {path.name} is neither at the beginning nor at the end of its name",
            f"rename it, as in {'.'.join((*kept, code))}",
        )
    return None
