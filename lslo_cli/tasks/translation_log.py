"""A log of translations on disk, from which an interrupted evaluation is resumed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from lslo_cli.artifacts.writing import unwritable, writing
from lslo_cli.parsing import parse_json


class TranslationLog:
    """A file of finished batches; its first line says what the translations depend on.

    ``finished`` has the translations of each batch by the batch's number. A batch is one line; a line without
    an end, from a process that was killed while writing, is dropped. A damaged log, or one of other
    translations, is replaced by an empty one.
    """

    def __init__(self, path: Path, fingerprint: str, others: Iterable[Path] = ()):
        """``fingerprint`` is a digest of all that batches and translations depend on.

        What ``others`` have, logs of other processes, is finished, too.
        """
        head = _line({"fingerprint": fingerprint})
        kept, self.finished = _read(path, head)
        with writing(path) as file:
            file.write(kept)
        self._path = path
        for other in others:
            self.finished = {**_read(other, head)[1], **self.finished}

    def add(self, number: int, translations: Sequence[str]) -> None:
        """Log a finished batch. Raises InputError if it cannot be written."""
        try:
            with self._path.open("ab") as file:
                file.write(_line([number, translations]))
        except OSError as error:
            hint = "free some space; the same command then continues from here"
            raise unwritable(self._path, error, hint) from error
        self.finished[number] = list(translations)

    def remove(self) -> None:
        """Delete the log."""
        self._path.unlink(missing_ok=True)


def _read(path: Path, head: bytes) -> tuple[bytes, dict[int, list[str]]]:
    """The whole lines of a log that begins with ``head``, and its batches; without those for any other."""
    content = path.read_bytes() if path.exists() else b""
    kept = content[: content.rfind(b"\n") + 1]
    try:
        first, *batches = kept.splitlines(keepends=True)
        if first == head:
            return kept, dict(map(parse_json, batches))
    except (ValueError, TypeError):  # what JSON, UTF-8 and an empty file raise, and another shape
        pass
    return head, {}


def _line(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
