"""Text that is not read although it is there: below or beside the text that is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from lslo_cli.data.layouts import DEPTH, Found, files_in, folders_in, is_parallel
from lslo_cli.data.names import SPLITS, aligned_name, bitext_name, is_table, split_of
from lslo_cli.data.tabular import read_header, read_table
from lslo_cli.errors import InputError
from lslo_cli.method.codes import is_listed, model_code
from lslo_cli.wording import several

_ABOUT = ("readme", "license", "licence")
"""Beginnings of the names of files about a text, which may be in several languages."""


def note_on_unread(
    path: Path, languages: Sequence[str] | None, splits: Collection[str], found: Sequence[Found]
) -> str:
    """A note on text in two of the languages or more that no section of ``found`` has, "" for none.

    ``splits`` are those that were read, none if the text has no splits. Files of other splits are not meant,
    nor what only describes the text: a table without languages, a README. ``languages`` None are all.
    """
    if not path.is_dir() or not is_parallel(found):
        return ""
    read = {file for section in found for file in section.files.values()}
    known = set(map(model_code, languages or [code for section in found for code in section.files]))

    def is_wanted(name: str) -> bool:
        return model_code(name) in known or (languages is None and is_listed(name))

    unread = [
        file
        for folder in _folders_below(path)
        for text in _texts(
            [file for file in files_in(folder) if file not in read and _may_be_meant(file, path, splits)],
            known,
            is_wanted,
        )
        for file in text
    ]
    if not unread:
        return ""
    names = several(file.relative_to(path) for file in unread)
    return (
        f"not read: {names}, since other text of {path} was found first; "
        "to read all of it, give each text a folder of its own, as in news/train.en"
    )


def _folders_below(path: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The folder and those in it, as deep as text is looked for; none that cannot be listed."""
    with suppress(InputError):
        files_in(path)
        yield path
        for folder in folders_in(path) if depth else ():
            yield from _folders_below(folder, depth - 1)


def _may_be_meant(file: Path, path: Path, splits: Collection[str]) -> bool:
    """Whether a file, by its name below ``path``, is text of the splits that are read, or of none."""
    if file.name.lower().startswith(_ABOUT):
        return False
    folders = [folder for folder in file.parents if folder.is_relative_to(path) and folder != path]
    named = set(map(split_of, [file, *folders]))
    is_of_none = named.isdisjoint(SPLITS) and set(SPLITS).issuperset(splits)
    return is_of_none or not named.isdisjoint(splits)


def _texts(
    files: Sequence[Path], known: Collection[str], is_wanted: Callable[[str], bool]
) -> Iterator[list[Path]]:
    """Files that would be read together as one text: those of two languages or more, or a table of them."""
    texts: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in files:
        if is_table(file):
            if len(_languages_in(file, is_wanted)) > 1:
                yield [file]
        elif bitext := bitext_name(file):
            texts[bitext.shared][bitext.side] = file
        else:
            code, pattern = aligned_name(file, tuple(known))
            texts[pattern][code] = file
    for sides in texts.values():
        wanted = {code: file for code, file in sides.items() if is_wanted(code)}
        if len(set(map(model_code, wanted))) > 1:
            yield list(wanted.values())


def _languages_in(table: Path, is_wanted: Callable[[str], bool]) -> set[str]:
    """The languages in which a table has text; none if it cannot be read."""
    with suppress(InputError):
        names = list(filter(is_wanted, read_header(table)))
        text = read_table(table, names) if len(names) > 1 else {}
        return {model_code(name) for name, cells in text.items() if any(cells)}
    return set()
