"""Where parallel text lies on disk: finds the sections of a corpus and reads them.

A section is a run of rows in which every language has a sentence or a gap. Known layouts, each of them
also inside a folder named after a split:

- line-aligned files, ``eng.dev`` or ``en.txt`` or ``en``: one section (FLORES: ``dev/eng.dev``)
- plain bitext, ``en-wo.en`` beside ``en-wo.wo``, maybe ``train.en-wo.en``: one section per pair
- tables, ``train.tsv``, ``.csv`` or ``.jsonl``: one section each
- a folder of such folders: the sections of all of them
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lslo_cli.errors import InputError
from lslo_cli.mt.codes import file_codes
from lslo_cli.mt.readers import Text, name_of_each, read_aligned, read_table

TABLES = (".tsv", ".csv", ".jsonl")
SPLITS = ("train", "dev", "devtest", "valid", "validation", "test")
"""Names taken for splits where none was asked for; any name can be asked for."""

_BITEXT = re.compile(r"(?:(?P<stem>.+)\.)?(?P<pair>(?P<src>[^.-]+)-(?P<tgt>[^.-]+))\.(?P<side>[^.]+)")


class Found(NamedTuple):
    """A section on disk: the text of the requested languages, and the codes of all that are there."""

    name: str
    text: Text
    codes: Sequence[str]


def read_sections(path: Path, languages: Sequence[str], split: str | None) -> list[Found]:
    """Find and read what ``path``, a file or folder, holds for a split.

    Raises InputError where nothing is there, the split is not, or one must be chosen; and whatever the
    readers raise.
    """
    if path.is_file() and path.suffix in TABLES:
        if split not in (None, path.stem):
            raise InputError(
                f"{path} is one file and has no split '{split}'",
                f"put {split}{path.suffix} beside it and name the folder",
            )
        return _table(path, languages)
    if not path.is_dir():
        raise InputError(
            f"there is no data folder at {path}",
            "name a folder such as flores101_dataset, or a .tsv, .csv or .jsonl file, with --data",
        )
    return _unsplit(path, languages) if split is None else _of_split(path, languages, split)


def _of_split(folder: Path, languages: Sequence[str], split: str) -> list[Found]:
    if (folder / split).is_dir():
        return _folder(folder / split, languages)
    for suffix in TABLES:
        if (folder / f"{split}{suffix}").is_file():
            return _table(folder / f"{split}{suffix}", languages)
    files = [path for path in _files(folder) if _split_of(path) == split]
    if files:
        return _aligned(folder, files, languages) + _bitext(folder, files, languages)
    raise InputError(
        f"{folder} has no split '{split}'; it holds {listing(_entries(folder))}", "name one that is there"
    )


def _unsplit(folder: Path, languages: Sequence[str]) -> list[Found]:
    entries = [*_folders(folder), *_files(folder)]
    splits = sorted({name for path in entries if (name := _split_of(path)) in SPLITS})
    # Reading all of them as one corpus would train on the test text.
    if len(splits) > 1:
        raise InputError(f"{folder} has the splits {listing(splits)}", "say which one to read")
    return _folder(folder, languages)


def _split_of(path: Path) -> str:
    """The split that a name tells: ``dev/``, ``train.tsv``, ``train.en-wo.en``, ``eng.dev``."""
    if path.is_dir() or path.suffix in TABLES:
        return path.stem
    bitext = _bitext_name(path)
    if bitext:
        return bitext["stem"] or ""
    return path.suffix.removeprefix(".")


def _bitext_name(path: Path) -> re.Match[str] | None:
    match = _BITEXT.fullmatch(path.name)
    return match if match and match["side"] in (match["src"], match["tgt"]) else None


def _folder(folder: Path, languages: Sequence[str]) -> list[Found]:
    """The sections of a folder, or else of its folders, with their names before."""
    sections = _in_folder(folder, languages)
    if any(section.text for section in sections):
        return sections
    nested = [(sub, section) for sub in _folders(folder) for section in _in_folder(sub, languages)]
    names = [
        sub.name if section.name == sub.name else f"{sub.name}/{section.name}" for sub, section in nested
    ]
    return [section._replace(name=name) for name, (_, section) in zip(names, nested, strict=True)] or sections


def _in_folder(folder: Path, languages: Sequence[str]) -> list[Found]:
    files = _files(folder)
    sections = _aligned(folder, files, languages) + _bitext(folder, files, languages)
    if any(section.text for section in sections):
        return sections  # Tables beside them describe the text: FLORES' metadata, an index of documents.
    return sections + [table for path in files if path.suffix in TABLES for table in _table(path, languages)]


def _table(path: Path, languages: Sequence[str]) -> list[Found]:
    text, codes = read_table(path, languages)
    return [Found(path.stem, text, codes)]


def _aligned(folder: Path, files: Sequence[Path], languages: Sequence[str]) -> list[Found]:
    by_extension: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files:
        if path.suffix not in TABLES and not _bitext_name(path):
            code, _, extension = path.name.partition(".")
            by_extension[extension][code] = path
    wanted = {extension: name_of_each(languages, paths) for extension, paths in by_extension.items()}
    used = [extension for extension, names in wanted.items() if names]
    if len(used) > 1:
        examples = [
            by_extension[extension][next(iter(wanted[extension].values()))].name for extension in used
        ]
        raise InputError(
            f"{folder} has line-aligned files with different extensions: {listing(examples)}",
            "keep one extension per folder, or name a split that is one of them",
        )
    if not used:
        return [Found(folder.name, {}, list(paths)) for paths in by_extension.values()]
    paths = by_extension[used[0]]
    files_of = {language: paths[name] for language, name in wanted[used[0]].items()}
    return [Found(folder.name, read_aligned(files_of), list(paths))]


def _bitext(folder: Path, files: Sequence[Path], languages: Sequence[str]) -> list[Found]:
    pairs: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files:
        if match := _bitext_name(path):
            pairs[path.stem][match["side"]] = path
    sections = []
    for name, sides in pairs.items():
        codes = name.rpartition(".")[2].split("-")
        missing = [code for code in codes if code not in sides]
        if missing:
            there = next(iter(sides.values()))
            raise InputError(f"{there} has no counterpart {name}.{missing[0]}", "add it, or remove the file")
        found = name_of_each(languages, codes)
        text = (
            read_aligned({language: sides[code] for language, code in found.items()})
            if len(found) == 2
            else {}
        )
        sections.append(Found(name, text, codes))
    return sections


def require_text(path: Path, languages: Sequence[str], sections: Sequence[Found]) -> None:
    """Raise InputError for languages that no section names, saying what was tried and what is there."""
    there = sorted({code for section in sections for code in section.codes})
    absent = [language for language in languages if not name_of_each([language], there)]
    if absent:
        tried = ", ".join(code for language in absent for code in file_codes(language))
        raise InputError(
            f"{path} has no text for {listing(absent)}: tried the names {tried}; "
            f"it holds {listing(there or _entries(path))}",
            "add the missing files or columns, or leave the language out",
        )


def listing(names: Sequence[str], most: int = 40) -> str:
    """Names joined by commas, cut after ``most``; "nothing" for none."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"


def _entries(path: Path) -> list[str]:
    return [entry.name for entry in [*_folders(path), *_files(path)]] if path.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return [path for path in _children(folder) if path.is_file()]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _children(folder) if path.is_dir()]


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}", "check its permissions") from error
