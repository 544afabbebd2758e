"""What keeps parallel text from being recognised, and the rename that makes it a layout that is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lslo_cli.data.codes import is_language_code

_CONVERT = {
    ".tmx": "write it as a table: a line `en<tab>fr`, then one line per unit, as FOLDER/train.tsv",
    ".xliff": "write it as a table: a line `en<tab>fr`, then one line per unit, as FOLDER/train.tsv",
    ".xlf": "write it as a table: a line `en<tab>fr`, then one line per unit, as FOLDER/train.tsv",
    ".parquet": "write it as JSON lines, as in `datasets`' to_json('train.jsonl')",
    ".arrow": "write it as JSON lines, as in `datasets`' to_json('train.jsonl')",
    ".json": "write it as one object per line, as FOLDER/train.jsonl",
    ".xlsx": "save it as CSV with a first line of language codes, as FOLDER/train.csv",
    ".ods": "save it as CSV with a first line of language codes, as FOLDER/train.csv",
    ".zip": "unpack it, and name the folder",
    ".tar": "unpack it, and name the folder",
    ".tgz": "unpack it, and name the folder",
    ".bz2": "unpack it, or pack it as .gz",
    ".xz": "unpack it, or pack it as .gz",
    ".zst": "unpack it, or pack it as .gz",
}
_SIDES = {"src", "tgt", "trg", "source", "target", "ref"}
_MOST = 60
"""Characters of a cell that a message shows."""


def nearest_layout(files: Sequence[Path], header: Sequence[str] = ()) -> tuple[str, str] | None:
    """What was found instead of a known layout and what would make it one; None where nothing is near.

    ``header`` is the first line of a table, if one was found. Whoever calls has found no language in either.
    """
    if header and not any(map(is_language_code, header)):
        shown = ", ".join(repr(cell[:_MOST]) for cell in header[:3])
        return (
            f"the first line of a table gives the language code of each column, and here it is {shown}",
            "write such a line above the sentences: en, fr, ... with what separates the columns",
        )
    for path in files:
        for suffix in reversed(path.suffixes):
            if suffix.lower() in _CONVERT:
                return f"{path.name} is of a kind that is not read ({suffix})", _CONVERT[suffix.lower()]
        parts = path.name.split(".")
        if side := _SIDES.intersection(parts):
            return (
                f"{path.name} does not tell its language",
                f"rename it with a language code, as in {path.name.replace(side.pop(), 'en')}",
            )
    return None
