"""The records of files of machine translations: their translator, and whether a file is up to date."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.schema import DataIdentity
from lslo_cli.errors import InputError
from lslo_cli.flare.examples import Examples, digest_of_text, part_of
from lslo_cli.flare.results import FlareTranslationResult, TextOrigin

ANEW = "make it anew with the same recipe", FlareTranslationResult.command


@dataclass(frozen=True)
class TranslationRecord:
    """The record of a file of translations: its path, its digest, and the translator."""

    path: Path
    digest: str
    origin: TextOrigin


def record_of(path: Path) -> Path:
    """The path of the record of a file of translations."""
    return path.with_name(f"{path.name}.provenance.json")


def has_rows(text: DataIdentity, rows: int | None) -> bool:
    """Whether a text that was translated has the first ``rows``, or without a number all."""
    return text.limit is None or (rows is not None and rows <= text.limit)


def checked_record(path: Path, source: Examples, rows: int | None = None) -> TranslationRecord | None:
    """The record of a file of translations of ``source``; None without one, as for a file from elsewhere.

    Raises InputError if the record is damaged, or the file was changed, made from another text, or made from
    fewer than the first ``rows``, or than all.
    """
    record = record_of(path)
    if not (path.is_file() and record.exists()):
        return None
    artifact = store.read(record, FlareTranslationResult)
    result = artifact.result
    if digest_of_file(path) != result.file:
        raise InputError(f"{path} was changed: its sha256 is not the one in {record}", *ANEW)
    text = artifact.data[0]
    if not has_rows(text, rows):
        raise InputError(
            f"{path} has translations of the first {text.limit:,} rows, and flare.train_rows is "
            + ("not set" if rows is None else f"{rows:,}"),
            *ANEW,
        )
    if text.digest != (now := digest_of_text(part_of(source, text.limit))):
        raise InputError(
            f"{path} is stale: it was made from {text.split} of {text.path} ({text.digest[:12]}), which is "
            f"now another text ({now[:12]})",
            *ANEW,
        )
    origin = TextOrigin(
        model=artifact.model.name,
        run=result.run,
        beam=artifact.recipe["evaluate"]["beam"],
        rows=result.rows,
        lost=result.lost,
    )
    return TranslationRecord(record, artifact.digest, origin)
