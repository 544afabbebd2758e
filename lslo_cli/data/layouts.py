"""The layouts of parallel text on disk: find the sections of a corpus.

A section is a run of rows in which every language has a sentence or a gap. Known layouts, each of them
also inside a folder named after a split:

- line-aligned files, ``eng.dev`` or ``en.txt`` or ``en``: one section (FLORES: ``dev/eng.dev``), also
  with a test set's name before, ``newstest2019-ref.fra.txt`` (NTREX-128)
- the same with the language last, ``train.en`` or ``dev/dev.eng_Latn`` (Moses, FLORES+): one section
- plain bitext, ``en-wo.en`` beside ``en-wo.wo``, maybe ``train.en-wo.en`` or ``opus.en-wo-train.en``: one
  section per pair
- tables, ``train.tsv``, ``.csv``, ``.jsonl`` or ``.json``: one section each
- a folder of such folders, which may hold splits of their own: the sections of all of them
  (``en-wo/train.en``, ``train/eng_Latn-wol_Latn/train.eng_Latn``)

Every file may be gzip, with ``.gz`` after its name. Where no text is found by these names, those that have
``.txt`` after the language are tried too, ``train.en.txt``: beside other text, one may be ``README.en.txt``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lslo_cli.data.codes import NUMBERS_ROWS, OTHER_VARIETIES, file_codes, is_file_code, is_language_code
from lslo_cli.data.names import SPLITS, aligned_name, bitext_name, ends_in_txt, is_table, split_of
from lslo_cli.data.readers import Text, name_of_each, plain, read_aligned, read_lines
from lslo_cli.data.tabular import NamedCells, guess_languages, read_header, read_table
from lslo_cli.data.unread import nearest_layout
from lslo_cli.errors import InputError
from lslo_cli.method.codes import model_code
from lslo_cli.wording import several

DEPTH = 2
"""The deepest nested folders to search for sections: ``corpora/bible/dev``."""


class NoSplitError(InputError):
    """Text without the split that was named."""


class Found(NamedTuple):
    """A section on disk: the file of each requested language, and the codes of all languages found.

    ``files`` has one file per language, or the same table for all.
    """

    name: str
    files: Mapping[str, Path]
    codes: Sequence[str]

    @property
    def table(self) -> Path | None:
        """The table that holds the section, or None for line-aligned files."""
        path = next(iter(self.files.values()), None)
        return path if path and is_table(path) else None

    def read(self) -> Text:
        """The text of the requested languages. Raises what the readers raise."""
        if not self.files:
            return {}
        return read_table(self.table, tuple(self.files)) if self.table else read_aligned(self.files)


def find_sections(path: Path, languages: Sequence[str] | None, split: str | None) -> list[Found]:
    """The sections of a split in ``path``, a file or folder; ``languages`` None: all that look like codes.

    Raises InputError if nothing is found, if there is no such split, or if a split must be chosen.
    """
    if path.is_file() and is_table(path):
        if split not in (None, plain(path).stem):
            raise NoSplitError(
                f"{path} is one file and has no split '{split}'",
                f"put {split}{plain(path).suffix} beside it and name the folder, or add --hold-out 100",
            )
        return [_table(path, languages)]
    if path.is_file():
        found, hint = nearest_layout([path])
        raise InputError(f"{path} cannot be read: {found}", hint)
    if not path.is_dir():
        raise InputError(
            f"no data folder at {path}",
            "name a folder such as flores101_dataset, or a .tsv, .csv or .jsonl file"
            + ("" if path.is_absolute() else "; relative paths, a recipe's too, begin at the working folder"),
        )
    # Reading all of them as one corpus would train on the test text.
    if split is None and len(splits := find_splits(path)) > 1:
        raise InputError(f"{path} has the splits {listing(splits)}", "choose one of them")
    with suppress(InputError):  # or else the names with .txt may be the text
        sections = _found(path, languages, split, txt=False)
        if is_parallel(sections):
            return sections
    return _found(path, languages, split)


def is_parallel(sections: Iterable[Found]) -> bool:
    """Whether a section has two of the languages."""
    return any(len(section.files) > 1 for section in sections)


def find_splits(path: Path) -> list[str]:
    """The names of splits in a folder, or else in the folders in it; a file has none."""
    if not path.is_dir():
        return []
    for folders in ([path], folders_in(path)):
        names = {split_of(entry) for folder in folders for entry in (*folders_in(folder), *files_in(folder))}
        if found := [split for split in SPLITS if split in names]:
            return found
    return []


def _found(folder: Path, languages: Sequence[str] | None, split: str | None, txt: bool = True) -> list[Found]:
    """The sections of a split, or of text without; with ``txt`` also those of names as ``train.en.txt``."""
    if split is None:
        return _folder(folder, languages, txt)
    found = _split_in(folder, languages, split, txt)
    if found is not None:
        return found
    sections = [(sub, _split_in(sub, languages, split, txt)) for sub in folders_in(folder)]
    if all(found is None for _, found in sections):
        named = "name an existing one, as in --train NAME --test NAME"
        if not find_splits(folder):
            named = "train on all of it with --train ''"
        raise NoSplitError(
            f"{folder} has no split '{split}'; it holds {listing(_entries(folder))}",
            f"{named}, or divide the text with --hold-out 100",
        )
    return [
        _inside(sub, section._replace(name=sub.name) if section.name == split else section)
        for sub, found in sections
        for section in found or ()
    ]


def _split_in(folder: Path, languages: Sequence[str] | None, split: str, txt: bool) -> list[Found] | None:
    """The sections of a split directly in a folder; None if it has no such split.

    Raises InputError if two places hold its text.
    """
    places: dict[Path, list[Found]] = {}
    if (folder / split).is_dir():
        places[folder / split] = _folder(folder / split, languages, txt)
    files = [path for path in files_in(folder, txt) if split_of(path) == split]
    places |= {path: [_table(path, languages)] for path in files if is_table(path)}
    if lines := [path for path in files if not is_table(path)]:
        places[lines[0]] = _aligned(folder, lines, languages) + _bitext(lines, languages)
    held = [place for place, found in places.items() if is_parallel(found)]
    if len(held) > 1:
        raise InputError(
            f"two texts for split '{split}': {held[0]} and {held[1]}", "keep one, or move the other elsewhere"
        )
    return places[held[0]] if held else next(iter(places.values()), None)


def _folder(folder: Path, languages: Sequence[str] | None, txt: bool, depth: int = DEPTH) -> list[Found]:
    """The sections of a folder, or else of its subfolders, prefixed with their names."""
    sections = _in_folder(folder, languages, txt)
    if not depth or is_parallel(sections):
        return sections
    nested = [
        _inside(sub, section)
        for sub in folders_in(folder)
        for section in _folder(sub, languages, txt, depth - 1)
    ]
    return nested or sections


def _inside(folder: Path, section: Found) -> Found:
    name = folder.name if section.name == folder.name else f"{folder.name}/{section.name}"
    return section._replace(name=name)


def _in_folder(folder: Path, languages: Sequence[str] | None, txt: bool) -> list[Found]:
    files = files_in(folder, txt)
    sections = _aligned(folder, files, languages) + _bitext(files, languages)
    if is_parallel(sections):
        return sections  # Tables beside them describe the text: FLORES' metadata, an index of documents.
    return sections + [_table(path, languages) for path in files if is_table(path)]


def _table(path: Path, languages: Sequence[str] | None) -> Found:
    codes = read_header(path)
    _refuse_twins(languages, {code: f"column '{code}' of {path}" for code in codes})
    wanted = guess_languages(path, codes) if languages is None else languages
    return Found(plain(path).stem, dict.fromkeys(name_of_each(wanted, codes), path), codes)


def _refuse_twins(languages: Sequence[str] | None, names: Mapping[str, object]) -> None:
    """Raise InputError if two of the names, given with their places, are of the same language."""
    for language in name_of_each(languages, names):
        twins = [name for name in names if model_code(name) == model_code(language)]
        if len(twins) > 1:
            raise InputError(
                f"two texts for language '{language}': {names[twins[0]]} and {names[twins[1]]}",
                "keep one, or move the other elsewhere",
            )


def _aligned(folder: Path, files: Sequence[Path], languages: Sequence[str] | None) -> list[Found]:
    by_extension: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files:
        if not is_table(path) and not bitext_name(path):
            code, extension = aligned_name(path, languages)
            if code in by_extension[extension] and is_file_code(code):
                raise InputError(
                    f"two texts for language '{code}': {by_extension[extension][code]} and {path}",
                    "keep one, or move the other elsewhere",
                )
            by_extension[extension][code] = path
    wanted = {extension: _names(languages, paths) for extension, paths in by_extension.items()}
    # If no language was named, a lone run.sh or doc.md only looks like one.
    fewest = 1 if languages is not None else 2
    used = [extension for extension, names in wanted.items() if len(names) >= fewest]
    if len(used) > 1:
        examples = [
            by_extension[extension][next(iter(wanted[extension].values()))].name for extension in used
        ]
        if all(extension.endswith(".*") for extension in used):  # the languages come last
            folders = (f"{name.rpartition('.')[0]}/train.{name.rpartition('.')[2]}" for name in examples)
            raise InputError(
                f"{folder} has {len(used)} texts: {listing(examples)}",
                f"keep one, or give each a folder of its own, as in {' and '.join(folders)}",
            )
        raise InputError(
            f"{folder} has line-aligned files with different extensions: {listing(examples)}",
            "keep one extension per folder, or name a split that is one of them",
        )
    if not used:
        return [Found(folder.name, {}, list(paths)) for paths in by_extension.values()]
    paths = by_extension[used[0]]
    _refuse_twins(languages, paths)
    files_of = {language: paths[name] for language, name in wanted[used[0]].items()}
    return [Found(folder.name, files_of, list(paths))]


def _names(languages: Sequence[str] | None, paths: Mapping[str, Path]) -> dict[str, str]:
    """The names of languages among files; ``train.id`` is Indonesian, unless it holds the numbers of rows.

    Raises InputError if it does and Indonesian was asked for.
    """
    found = name_of_each(languages, paths, is_file_code)
    if NUMBERS_ROWS not in found.values() or _has_text(paths[NUMBERS_ROWS]):
        return found
    if languages is not None:
        raise InputError(
            f"{paths[NUMBERS_ROWS]} is not text: no letter in any of its lines",
            "rename it if it is not Indonesian, or leave the language out",
        )
    return {language: name for language, name in found.items() if name != NUMBERS_ROWS}


def _has_text(path: Path) -> bool:
    """Whether a file has a letter, unless all lines are gaps or it cannot be read, as is said elsewhere."""
    try:
        return NamedCells(path.name, read_lines(path)).is_text
    except InputError:
        return True


def _bitext(files: Sequence[Path], languages: Sequence[str] | None) -> list[Found]:
    pairs: dict[str, dict[str, Path]] = defaultdict(dict)
    others: dict[str, str] = {}
    for path in files:
        if bitext := bitext_name(path):
            pairs[bitext.shared][bitext.side] = path
            others[bitext.shared] = bitext.other
    sections = []
    for shared, sides in pairs.items():
        other = others[shared]
        if len(sides) == 1 and other not in sides:
            there = next(iter(sides.values()))
            raise InputError(f"{there} has no counterpart {shared}.{other}", "add it, or remove the file")
        codes = list(sides)
        found = name_of_each(languages, codes, is_file_code)
        files_of = {language: sides[code] for language, code in found.items()} if len(found) == 2 else {}
        sections.append(Found(shared, files_of, codes))
    return sections


def require_text(path: Path, languages: Sequence[str], sections: Sequence[Found]) -> None:
    """Raise InputError for languages that no section names, listing the names tried and those found."""
    there = sorted({code for section in sections for code in section.codes})
    absent = [language for language in languages if not name_of_each([language], there)]
    if not absent:
        return
    if (path.is_file() or _entries(path)) and not name_of_each(None, there):
        found, hint = explain_unread(path)
        raise InputError(f"{path} has no text for {listing(absent)}: {found}", hint)
    tried = ", ".join(code for language in absent for code in file_codes(language))
    present = [language for language in languages if language not in absent]
    left = f": --langs {','.join(present)}" if len(present) > 1 else ", with --langs"
    hint = f"add the missing files or columns, or leave these languages out{left}"
    for language in absent:
        variety, name = OTHER_VARIETIES.get(language, ("", ""))
        if variety in there:
            hint = (
                f"'{variety}' is {name}, another variety; rename it if it will do, or leave '{language}' out"
            )
    raise InputError(
        f"{path} has no text for {listing(absent)}: tried the names {tried}; "
        f"it holds {listing(there or _entries(path))}",
        hint,
    )


def explain_unread(path: Path) -> tuple[str, str]:
    """A description of text in which no language was found, and a hint for turning it into a layout."""
    folders = [path, *folders_in(path)] if path.is_dir() else []
    files = [file for folder in folders for file in files_in(folder)] or [path]
    languages = [folder for folder in folders if is_language_code(folder.name) and files_in(folder)]
    if len(languages) > 1 and not any(map(is_table, files)):
        first = files_in(languages[0])[0]
        return (
            f"each language has its own folder: {several(folder.name for folder in languages)}",
            f"put the files beside each other, as in {plain(first).stem}.{languages[0].name}",
        )
    tables = [file for file in files if is_table(file)]
    return nearest_layout(files, {file: read_header(file) for file in tables[:1]})


def listing(names: Sequence[str]) -> str:
    """Names joined by commas, cut after 40; "nothing" for none."""
    return several(names, most=40) or "nothing"


def _entries(path: Path) -> list[str]:
    return [entry.name for entry in [*folders_in(path), *files_in(path)]] if path.is_dir() else []


def files_in(folder: Path, txt: bool = True) -> list[Path]:
    """The files in a folder that are not hidden, by name; without ``txt`` none as ``train.en.txt``.

    Raises InputError if it cannot be listed.
    """
    return [path for path in _children(folder) if path.is_file() and (txt or not ends_in_txt(path))]


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder that are not hidden, by name. Raises InputError if it cannot be listed."""
    return [path for path in _children(folder) if path.is_dir()]


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}", "check its permissions") from error
