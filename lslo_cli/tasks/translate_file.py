"""Translations as lines of text or JSON: streamed, or written to a file resumably."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.writing import OUTPUT, is_stream, unfinished, writing
from lslo_cli.data.encodings import is_named_gzip
from lslo_cli.data.names import TABLES
from lslo_cli.data.readers import suffix_of
from lslo_cli.data.tabular import JSON
from lslo_cli.data.to_translate import Line
from lslo_cli.errors import UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.tasks.translate import (
    BUFFER,
    Found,
    Search,
    Translator,
    fingerprint,
    languages_asked,
    translate_chunks,
)
from lslo_cli.tasks.translation_log import TranslationLog
from lslo_cli.wording import counted

CSV = ".csv"
COLUMNS = tuple(suffix for suffix in TABLES if suffix not in JSON)
_BREAKS = re.compile(r"[\t\n\r]+")


@dataclass(frozen=True)
class Form:
    """How a translated line is written: as a JSON object, or as columns, with a header if there is one.

    Columns are separated by tabs, or as in a CSV.
    """

    as_json: bool = False
    as_csv: bool = False
    header: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Path | None, target: Path | None, as_json: bool, targets: Sequence[str]) -> Form:
        """What the name of ``target`` says, if it is that of a CSV or JSON file; else JSON for JSON input.

        A CSV has a header, and so has the translation of a table. Raises UsageError for JSON in a file that
        is called a table of columns.
        """
        read, named = (suffix_of(path) if path else "" for path in (source, target))
        if as_json and named in COLUMNS:
            raise UsageError(
                f"{target} is a table, and --json writes an object for each line", "name a .jsonl file"
            )
        if as_json or named in JSON or (read in JSON and named not in COLUMNS):
            return cls(as_json=True)
        as_csv = named == CSV
        has_header = as_csv or read in TABLES
        return cls(as_csv=as_csv, header=(tuple(targets) or ("translation",)) if has_header else ())

    def first(self) -> list[str]:
        """The header as a line, if there is one."""
        return [self._row(self.header)] if self.header else []

    def line(self, line: Line, found: Found) -> str:
        """The output line of a line's translations, one for each target."""
        if not self.as_json:
            return self._row([_BREAKS.sub(" ", best[0].text) for best in found])
        translations = {
            tgt: [asdict(each) for each in best] for tgt, best in zip(line.targets, found, strict=True)
        }
        row = {"src": line.src, "source": line.text, "translations": translations}
        return json.dumps(row, ensure_ascii=False)

    def check(self, lines: Sequence[Line]) -> None:
        """Raise UsageError for a row that would have another number of columns than the header, if any."""
        for number, line in enumerate(lines if self.header else (), start=1):
            if len(line.targets) != len(self.header):
                raise UsageError(
                    f"row {number} is to be translated into {counted(len(line.targets), 'language')}, and a "
                    f"table has {counted(len(self.header), 'column')} in every row",
                    "write an object for each row instead, with --json, to a .jsonl file",
                )

    def _row(self, cells: Sequence[str]) -> str:
        if not self.as_csv:
            return "\t".join(cells)
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow(cells)
        return row.getvalue()


def stream(
    translator: Translator,
    lines: Iterable[Line],
    form: Form,
    search: Search,
    buffer: int = BUFFER,
    on_event: OnEvent = ignore,
) -> Iterator[str]:
    """The translations of lines as they are made."""
    yield from form.first()
    for chunk in translate_chunks(translator, lines, search, buffer=buffer, on_event=on_event):
        yield from (form.line(line, found) for line, found in chunk)


def checked(translator: Translator, lines: Iterable[Line], form: Form) -> list[Line]:
    """All lines of a text, before any is translated.

    Raises UsageError for an unknown language and for rows that do not fit the form, and what reading raises.
    """
    wanted = list(lines)
    form.check(wanted)
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    for number, line in enumerate(wanted, start=1):
        first.setdefault((line.src, line.targets), number)
    for (src, targets), number in first.items():
        try:
            languages_asked(translator, src, targets)
        except UsageError as error:
            raise error.saying(f"row {number}: {error.message}") if len(first) > 1 else error from None
    return wanted


class TranslationJob(NamedTuple):
    """Lines, and the file of their translations with its form.

    Lines that are no iterator are read again when they are translated, not held until then.
    """

    lines: Iterable[Line]
    path: Path
    form: Form


def translate_files(
    translator: Translator,
    jobs: Iterable[TranslationJob],
    search: Search,
    buffer: int = BUFFER,
    on_event: OnEvent = ignore,
) -> None:
    """Write the translations of each job's lines to its file, which appears whole or not at all.

    Finished translations are logged beside the files until all are done. The same call after an interrupt
    continues from the logs, to the same bytes; a file of another text, model or search starts again. A second
    process waits. A stream, such as /dev/stdout, has no log. A file whose name ends in .gz is packed. Raises
    UsageError for an unknown language, for rows that do not fit the form, and what reading raises, before
    anything is translated.
    """
    read = [job._replace(lines=_checked(translator, job)) for job in jobs]
    logs = [_translate(translator, list(job.lines), job, search, buffer, on_event) for job in read]
    for log in filter(None, logs):
        log.remove()


def _checked(translator: Translator, job: TranslationJob) -> Iterable[Line]:
    """The lines of a job, all of them checked: held if they can be read once only."""
    wanted = checked(translator, job.lines, job.form)
    return wanted if isinstance(job.lines, Iterator) else job.lines


class LoggedLines:
    """Translates lines for the file at ``path``, and logs them beside it as they are made.

    ``shown`` gives a line's translations as text. After an interrupt the same calls in the same order take
    from the log what is finished. With another translator or search, or if something else differs that the
    lines ``depends_on``, they begin again.
    """

    def __init__(
        self,
        path: Path,
        translator: Translator,
        shown: Callable[[Line, Found], str],
        depends_on: Sequence[object],
        search: Search | None = None,
        buffer: int = BUFFER,
        on_event: OnEvent = ignore,
    ):
        self._search = search or Search()
        made_from = [fingerprint(translator, self._search, buffer), *depends_on]
        self.log = TranslationLog(unfinished(path, "partial"), digest_of(made_from))
        self._path = path
        self._translator = translator
        self._shown = shown
        self._buffer = buffer
        self._on_event = on_event
        self._next = 0  # chunks are numbered through all calls

    def __call__(self, lines: Sequence[Line]) -> list[str]:
        """The translations of lines, in order."""
        texts: list[str] = []
        first = self._next
        while len(texts) < len(lines) and self._next in self.log.finished:
            texts += self.log.finished[self._next]
            self._next += 1
        if texts:
            all_lines = counted(len(lines), "line")
            self._on_event(Noted(f"{self._path}: {len(texts):,} of {all_lines} already translated"))
        chunks = translate_chunks(
            self._translator,
            lines,
            self._search,
            buffer=self._buffer,
            skip=self._next - first,
            on_event=self._on_event,
        )
        for chunk in chunks:
            made = [self._shown(line, found) for line, found in chunk]
            self.log.add(self._next, made)
            self._next += 1
            texts += made
        return texts


def _translate(
    translator: Translator,
    wanted: Sequence[Line],
    job: TranslationJob,
    search: Search,
    buffer: int,
    on_event: OnEvent,
) -> TranslationLog | None:
    """Write the file of a job; returns its log, None for a stream."""
    path, form = job.path, job.form
    if is_stream(path):
        _write(path, list(stream(translator, wanted, form, search, buffer, on_event)))
        return None
    depends_on = [asdict(form), [asdict(line) for line in wanted]]
    waiting = partial(on_event, Noted(f"waiting for another process that writes {path}"))
    with locked(path, waiting, hint=OUTPUT):
        translated = LoggedLines(path, translator, form.line, depends_on, search, buffer, on_event)
        _write(path, [*form.first(), *translated(wanted)])
        translated.log.finished.clear()  # it is on disk
        return translated.log


def _write(path: Path, lines: Iterable[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    with writing(path, OUTPUT) as file:
        # Without the time of packing, the same translations are the same bytes.
        file.write(gzip.compress(content, mtime=0) if is_named_gzip(path) else content)
