"""Translations as lines of text or JSON: streamed, or written to a file resumably."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.writing import OUTPUT, is_stream, unfinished, write_text
from lslo_cli.data.readers import plain
from lslo_cli.data.tabular import JSON
from lslo_cli.data.to_translate import Line
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

_BREAKS = re.compile(r"[\t\n\r]+")


@dataclass(frozen=True)
class Form:
    """How a translated line is written: as a JSON object, or as columns, with a header if there is one."""

    as_json: bool = False
    header: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Path | None, as_json: bool, targets: Sequence[str]) -> Form:
        """JSON on request or for JSON input; a table with a header gets a header as well."""
        suffix = plain(source).suffix if source else ""
        if as_json or suffix in JSON:
            return cls(as_json=True)
        has_header = suffix in (".tsv", ".csv")
        return cls(header=tuple(targets) or ("translation",)) if has_header else cls()

    def first(self) -> list[str]:
        """The header as a line, if there is one."""
        return ["\t".join(self.header)] if self.header else []

    def line(self, line: Line, found: Found) -> str:
        """The output line of a line's translations, one for each target."""
        if not self.as_json:
            return "\t".join(_BREAKS.sub(" ", best[0].text) for best in found)
        translations = {
            tgt: [asdict(each) for each in best] for tgt, best in zip(line.targets, found, strict=True)
        }
        row = {"src": line.src, "source": line.text, "translations": translations}
        return json.dumps(row, ensure_ascii=False)


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


def translate_file(
    translator: Translator,
    lines: Iterable[Line],
    path: Path,
    form: Form,
    search: Search,
    buffer: int = BUFFER,
    on_event: OnEvent = ignore,
) -> None:
    """Write the translations of lines to a file, which appears whole or not at all.

    Finished translations are logged beside it. The same call after an interrupt continues from the log, to
    the same bytes; with another text, model or search it starts again. A second process waits. A stream, such
    as /dev/stdout, has no log. Raises UsageError for an unknown language before anything is translated.
    """
    wanted = list(lines)
    for src, targets in dict.fromkeys((line.src, line.targets) for line in wanted):
        languages_asked(translator, src, targets)
    if is_stream(path):
        texts = list(stream(translator, wanted, form, search, buffer, on_event))
        write_text(path, "".join(f"{text}\n" for text in texts), OUTPUT)
        return
    depends_on = [fingerprint(translator, search, buffer), form.as_json, [asdict(line) for line in wanted]]
    waiting = partial(on_event, Noted(f"waiting for another process that writes {path}"))
    with locked(path, waiting, hint=OUTPUT):
        log = TranslationLog(unfinished(path, "partial"), digest_of(depends_on))
        done = next(number for number in range(len(wanted) + 1) if number not in log.finished)
        if done:
            lines_done = min(done * buffer, len(wanted))
            on_event(Noted(f"{lines_done} of {counted(len(wanted), 'line')} already translated"))
        chunks = translate_chunks(translator, wanted, search, buffer=buffer, skip=done, on_event=on_event)
        for number, chunk in enumerate(chunks, start=done):
            log.add(number, [form.line(line, found) for line, found in chunk])
        texts = [text for number in range(len(log.finished)) for text in log.finished[number]]
        write_text(path, "".join(f"{text}\n" for text in [*form.first(), *texts]), OUTPUT)
        log.remove()
