"""Text to translate: lines of a file or of a pipe, or rows of a table, with their languages."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts.writing import is_stream
from lslo_cli.data.encodings import in_pipe
from lslo_cli.data.lines import readable
from lslo_cli.data.names import TABLES, is_table
from lslo_cli.data.readers import decode, decode_line, plain, split_lines, suffix_of, unpacked
from lslo_cli.data.tabular import check_text_of, read_columns, read_header
from lslo_cli.errors import InputError, UsageError


@dataclass(frozen=True)
class Line:
    """A line, its language, and those it is to be translated into."""

    text: str
    src: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Columns or keys of a table by content; text is by default in the one with the source's name."""

    text: str | None = None
    src: str | None = None
    tgt: str | None = None

    @property
    def given(self) -> list[str]:
        return [name for name in (self.text, self.src, self.tgt) if name is not None]


def files_to_translate(
    path: Path | None, output: Path | None, as_json: bool = False
) -> list[tuple[Path | None, Path | None]]:
    """The files to read, None for stdin, each with the file of its translation, None for stdout.

    A folder stands for its files, those in ``output`` left out; their translations have the same names in the
    folder ``output``, without .gz, but with .jsonl for a JSON list and, with ``as_json``, for any table.
    Raises UsageError if a folder has no ``output``, or if a translation would overwrite a text or another
    translation; InputError if it has no files.
    """
    if path is None or not path.is_dir():
        if output is not None and output.is_dir():
            raise UsageError(f"{output} is a folder", "name a file with --output")
        return _without_clashes([(path, output)])
    if output is None or (output.exists() and not output.is_dir()):
        raise UsageError(
            f"the files of {path} need a folder for their translations", "name a folder with --output"
        )
    inside = output.resolve() if path.resolve() in output.resolve().parents else None
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and (inside is None or not file.resolve().is_relative_to(inside))
    )
    if not files:
        raise InputError(f"no file in {path}", "name a folder of text files, or a file")
    return _without_clashes(
        [(file, output / _translated_name(file.relative_to(path), as_json)) for file in files]
    )


def _without_clashes(files: list[tuple[Path | None, Path | None]]) -> list[tuple[Path | None, Path | None]]:
    """The files with their translations' files. Raises UsageError for one that would be overwritten."""
    sources = {source.resolve(): source for source, _ in files if source and not is_stream(source)}
    made: dict[Path, Path | None] = {}
    for source, target in files:
        if target is None or is_stream(target):
            continue
        whole = target.resolve()
        if whole in sources:
            raise UsageError(
                f"the translation of {source} would overwrite {sources[whole]}, which is to be translated",
                "name another place with --output",
            )
        if whole in made:
            raise UsageError(
                f"{made[whole]} and {source} would both be translated to {target}",
                "rename one of them, or translate them one by one",
            )
        made[whole] = source
    return files


def _translated_name(path: Path, as_json: bool) -> Path:
    """The name without .gz; the translation of a JSON list is an object on each line."""
    name = plain(path)
    return name.with_suffix(".jsonl") if suffix_of(name) in (TABLES if as_json else (".json",)) else name


@dataclass(frozen=True)
class FileToTranslate:
    """A file whose lines :func:`read_to_translate` reads anew each time that they are asked for."""

    path: Path
    src: str | None
    targets: Sequence[str]
    columns: Columns = Columns()

    def __iter__(self) -> Iterator[Line]:
        return read_to_translate(self.path, self.src, self.targets, self.columns)


def read_to_translate(
    path: Path | None, src: str | None, targets: Sequence[str], columns: Columns = Columns()
) -> Iterator[Line]:
    """The lines of a file, the rows of a table, or the lines of stdin as they arrive.

    Raises UsageError if a language is not given, InputError if the text cannot be read.
    """
    if path is not None and is_table(path):
        yield from _rows(path, src, targets, columns)
        return
    if columns.given:
        raise UsageError(
            f"{path or 'stdin'} has no column '{columns.given[0]}'", f"name a file of {', '.join(TABLES)}"
        )
    source, wanted = _language(src, "--src"), _targets(targets)
    # A file is read as a whole first, so that invalid bytes fail before translation starts.
    for text in _stdin() if path is None else split_lines(decode(unpacked(path), path)):
        yield Line(text, source, wanted)


def _rows(path: Path, src: str | None, targets: Sequence[str], columns: Columns) -> Iterator[Line]:
    text_column = columns.text or _language(src, "--src, or the text's --column")
    wanted = [text_column, *filter(None, (columns.src, columns.tgt))]
    table = read_columns(path, wanted)
    for name in wanted:
        if name not in table:
            raise InputError(
                f"{path} has no column or key '{name}'; it has {', '.join(read_header(path))}",
                "name the one with the text with --column",
            )
    if columns.text is None:
        check_text_of(table[text_column], path, "name the column of the text with --column")
    for number, text in enumerate(table[text_column].cells):
        for name in filter(None, (columns.src, columns.tgt)):
            if not table[name].cells[number].strip(" ,"):
                raise InputError(f"{path}: row {number + 1} has no language in '{name}'", "fill it in")
        source = table[columns.src].cells[number] if columns.src else src
        into = table[columns.tgt].cells[number].split(",") if columns.tgt else targets
        yield Line(text, _language(source, "--src or --src-column"), _targets(into))


def _stdin() -> Iterator[str]:
    earlier = b""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        path = Path(f"stdin (line {number})")
        if number == 1 and not line.endswith(b"\n"):
            text = decode(line, path, in_pipe)
        else:
            text = decode_line(line, path, in_pipe, earlier)
        if not earlier or not line.isascii():
            earlier = line
        yield readable(text.strip())


def _language(code: str | None, flag: str) -> str:
    if not code:
        raise UsageError("the language of the text is not given", f"name it with {flag}")
    return code


def _targets(codes: Sequence[str]) -> tuple[str, ...]:
    found = tuple(code.strip() for code in codes if code.strip())
    if not found:
        raise UsageError("no language to translate into is given", "name it with --tgt")
    return found
