"""The lines of a file of translations, logged beside it as they are made: an interrupt loses few of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.writing import unfinished
from lslo_cli.data.to_translate import Line
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.tasks.translate import BUFFER, Search, Translator, fingerprint, translate_chunks
from lslo_cli.tasks.translation_log import TranslationLog
from lslo_cli.wording import counted


class LoggedLines:
    """Translates lines from ``src`` into ``tgt``, and logs every ``buffer`` of them beside ``path``.

    After an interrupt the same calls in the same order take from the log what is finished. With another text,
    of which ``text`` is the digest, or another translator they begin again.
    """

    def __init__(
        self,
        path: Path,
        translator: Translator,
        src: str,
        tgt: str,
        text: str,
        buffer: int = BUFFER,
        on_event: OnEvent = ignore,
    ):
        made_from = [fingerprint(translator, Search(), buffer), src, tgt, text]
        self._log = TranslationLog(unfinished(path, "partial"), digest_of(made_from))
        self._path = path
        self._translator = translator
        self._direction = src, (tgt,)
        self._buffer = buffer
        self._on_event = on_event
        self._next = 0  # batches are numbered through all calls

    def __call__(self, lines: Sequence[str]) -> list[str]:
        """The translations of lines, in order. Lines that are all empty need no translator."""
        if not any(lines):
            return list(lines)
        numbers = range(self._next, self._next + -(-len(lines) // self._buffer))
        self._next = numbers.stop
        done = sum(number in self._log.finished for number in numbers)
        if done:
            finished = min(done * self._buffer, len(lines))
            self._on_event(
                Noted(f"{self._path}: {finished:,} of {counted(len(lines), 'line')} already translated")
            )
        chunks = translate_chunks(
            self._translator,
            (Line(line, *self._direction) for line in lines),
            Search(),
            buffer=self._buffer,
            skip=done,
            on_event=self._on_event,
        )
        for number, chunk in enumerate(chunks, start=numbers.start + done):
            self._log.add(number, [best[0].text for _, (best,) in chunk])
        return [line for number in numbers for line in self._log.finished[number]]

    def remove(self) -> None:
        """Delete the log, once the file is written."""
        self._log.remove()
