"""Published data sets: their addresses and files, and their download."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path

from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.writing import TO, beside, put_in_place, settle, unfinished, unwritable
from lslo_cli.data.download import discard, download
from lslo_cli.data.unpacking import CHECK, Contents, Packing, unpack
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.parsing import parse_json

RECORD = "source.json"


@dataclass(frozen=True)
class Archive:
    """A file to download; ``sha256`` is its published digest, None if there is none."""

    url: str
    packing: Packing
    sha256: str | None = None


@dataclass(frozen=True)
class PublishedData:
    """A data set: its archives, the files to take from them, the files that it must have, its licence."""

    archives: tuple[Archive, ...]
    contents: Contents
    needed: tuple[str, ...]
    licence: str


@dataclass(frozen=True)
class DownloadRecord:
    """The origin of files in a folder: the archive's address, digest and size, and the files taken."""

    url: str
    sha256: str
    bytes: int
    files: list[str]
    fetched: str


def fetch(
    data: PublishedData, folder: Path, mirror: str | None = None, on_event: OnEvent = ignore
) -> list[DownloadRecord]:
    """Download a data set into ``folder``, with ``source.json``: a record for each archive.

    The folder appears when it is complete. Until then partial archives are beside it, for the next call to
    resume. A folder that was fetched from the same addresses is left unchanged. ``mirror`` is another address
    of the archive or, for a data set with several, of their folder.

    Raises InputError if the folder holds something else or cannot be written, or if an archive cannot be
    downloaded, does not match the published digest, or is not the data set; UsageError for an address that is
    not http(s).
    """
    archives = [(_address(data, archive, mirror), archive) for archive in data.archives]
    if there := _already_there(folder, [url for url, _ in archives], on_event):
        return there
    waiting = partial(on_event, Noted(f"waiting for another process that fetches {folder}"))
    with locked(folder, waiting, hint=TO):
        if there := _already_there(folder, [url for url, _ in archives], on_event):
            return there
        # Named after the address, so that parts of two files are never joined.
        parts = {
            url: unfinished(folder, f"{sha256(url.encode()).hexdigest()[:8]}.part") for url, _ in archives
        }
        with beside(folder, TO) as made:
            records: list[DownloadRecord] = []
            for url, archive in archives:
                download(url, parts[url], on_event, largest=data.contents.largest)
                if not records:
                    made.mkdir()
                records.append(_taken(parts[url], url, archive, made, data.contents))
            _check_whole(data, records, parts)
            (made / RECORD).write_text(_as_json(records), encoding="utf-8")
            settle(made)
            put_in_place(made, folder, RECORD)
        for path in parts.values():
            discard(path)
    return records


def _address(data: PublishedData, archive: Archive, mirror: str | None) -> str:
    if mirror is None:
        return archive.url
    return mirror if len(data.archives) == 1 else f"{mirror.rstrip('/')}/{archive.url.rpartition('/')[2]}"


def _taken(partial: Path, url: str, archive: Archive, folder: Path, contents: Contents) -> DownloadRecord:
    """Unpack an archive; remove a damaged or wrong one, which cannot be resumed."""
    with partial.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    try:
        if archive.sha256 and digest != archive.sha256:
            raise InputError(
                f"{url} has the sha256 {digest[:12]}..., and was published with {archive.sha256[:12]}...",
                "run the same line to download it again; if this persists, the published file has changed",
            )
        files = unpack(partial, archive.packing, folder, contents, url)
    except InputError:
        discard(partial)
        raise
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    return DownloadRecord(url, digest, partial.stat().st_size, sorted(files), fetched)


def _check_whole(data: PublishedData, records: Sequence[DownloadRecord], partial: Mapping[str, Path]) -> None:
    """Raise InputError, and remove the downloads, if a required file is missing."""
    files = {name for record in records for name in record.files}
    missing = [name for name in data.needed if name not in files]
    if missing:
        for path in partial.values():
            discard(path)
        where = ", ".join(record.url for record in records)
        raise InputError(f"{where} is not {data.contents.name}: it has no {missing[0]}", CHECK)


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError as error:
        raise unwritable(folder, error, TO) from error


def _as_json(records: Sequence[DownloadRecord]) -> str:
    """One record as an object, several as a list."""
    documents = [asdict(record) for record in records]
    return json.dumps(documents if documents[1:] else documents[0], indent=1) + "\n"


def _already_there(folder: Path, urls: Sequence[str], on_event: OnEvent) -> list[DownloadRecord]:
    """The records in ``folder``, none if it is empty. Raises InputError for other or incomplete data."""
    if not folder.exists() or _is_empty(folder):
        return []
    try:
        found = parse_json((folder / RECORD).read_bytes())
        records = [DownloadRecord(**each) for each in (found if isinstance(found, list) else [found])]
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{folder} exists, but has no record of its source",
            f"use it with --data {folder}, or choose another folder with --to",
        ) from None
    if [record.url for record in records] != list(urls):
        came_from = ", ".join(record.url for record in records)
        raise InputError(f"{folder} came from {came_from}", "choose another folder with --to")
    files = [name for record in records for name in record.files]
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {missing[0]}, one of {len(missing)} missing files of {len(files)}",
            "remove the folder, and run the same line again",
        )
    on_event(Noted(f"{folder} is complete already: remove it to fetch it again"))
    return records


MIB = 1 << 20

FLORES101 = PublishedData(
    (Archive("https://dl.fbaipublicfiles.com/flores101/dataset/flores101_dataset.tar.gz", Packing.TAR_GZ),),
    Contents(
        "FLORES-101",
        re.compile(
            r"[^/]+/((?:(dev|devtest)/[a-z]{3}(?:_[a-z]+)?\.\2)"
            r"|metadata_(?:dev|devtest)\.tsv|README(?:\.\w+)?|LICENSE(?:\.\w+)?)"
        ),
        200 * MIB,
        10_000,
    ),
    ("dev/eng.dev", "devtest/eng.devtest"),
    "CC BY-SA 4.0",
)
"""The paper's text: 997 and 1,012 sentences in 102 languages."""

NUSAX = PublishedData(
    (
        Archive(
            "https://codeload.github.com/IndoNLP/nusax/tar.gz/159e7b2b8f27ddc37ab0e40db3c1480d779f7712",
            Packing.TAR_GZ,
        ),
    ),
    Contents(
        "NusaX",
        re.compile(r"[^/]+/(?:datasets/sentiment/([a-z_]+/(?:train|valid|test)\.csv))"),
        100 * MIB,
        10_000,
    ),
    tuple(f"{name}/{split}.csv" for name in ("english", "javanese") for split in ("train", "valid", "test")),
    "CC BY-SA 4.0",
)
"""NusaX-senti: 500, 100 and 400 texts in 12 languages, at one commit of its repository."""

XNLI = PublishedData(
    (
        Archive(
            "https://dl.fbaipublicfiles.com/XNLI/XNLI-1.0.zip",
            Packing.ZIP,
            "4ba1d5e1afdb7161f0f23c66dc787802ccfa8a25a3ddd3b165a35e50df346ab1",
        ),
        Archive("https://dl.fbaipublicfiles.com/XNLI/XNLI-MT-1.0.zip", Packing.ZIP),
    ),
    Contents(
        "XNLI",
        re.compile(
            r"XNLI(?:-MT)?-1\.0/(?:multinli/)?(xnli\.(?:dev|test)\.tsv|multinli\.train\.[a-z]{2}\.tsv)"
        ),
        4096 * MIB,
        1_000,
    ),
    ("xnli.dev.tsv", "xnli.test.tsv", "multinli.train.en.tsv"),
    "CC BY-NC 4.0; MultiNLI's own licence for its texts",
)
"""XNLI 1.0, and the machine translations of MultiNLI's 392,702 training pairs, in 15 languages."""

_TYDIQA = "https://storage.googleapis.com/tydiqa/v1.1/tydiqa-goldp-v1.1-"
_XTREME = "https://storage.googleapis.com/xtreme_translations/TyDiQA-GoldP/translate-train/tydiqa.translate.train.en-"

TYDIQA = PublishedData(
    tuple(
        Archive(url, Packing.NONE, digest)
        for url, digest in {
            f"{_TYDIQA}train.json": "cefc8e09ff2548d9b10a678d3a6bbbe5bc036be543f92418819ea676c97be23b",
            f"{_TYDIQA}dev.json": "b286e0f34bc7f52259359989716f369b160565bd12ad8f3a3e311f9b0dbad1c0",
            f"{_XTREME}ar.json": "80afeb07f3794f8740d580ec2b27f44149e431ba36696ef86d175c2add6a53dd",
            f"{_XTREME}bn.json": "4cfbb849d550f69145789b291511c2a78320d96499c59062659148d8d4552754",
            f"{_XTREME}fi.json": "a6dd3caaa2118cd8975a1db288da90dc34d96a76ad5a1b7b0d9f521a2feb5726",
            f"{_XTREME}id.json": "4342aa3beabba5b014f70dd0ccf9ca496ade85eae28c260032db6ad6a7ab22e6",
            f"{_XTREME}ko.json": "e3b92339564a02095da6eb0641ca107a2ee38c53703158fb0eb0d3bec496ddfd",
            f"{_XTREME}ru.json": "d12fea5f5b54741e83288bba51dde29ad263863909f09336152aafc3ba51c34c",
            f"{_XTREME}sw.json": "791eca4d59c67827108997d4a5b4949055cd2e358ff8417d4d82081f960cc692",
            f"{_XTREME}te.json": "a86908174a36da1d0d9ffa223900159dafbda299a1b13be7721a2822bd5a69e5",
        }.items()
    ),
    Contents("TyDiQA-GoldP", re.compile(r"(tydiqa[\w.-]+\.json)"), 200 * MIB, 1),
    ("tydiqa-goldp-v1.1-train.json", "tydiqa-goldp-v1.1-dev.json"),
    "Apache 2.0; Wikipedia's texts CC BY-SA 3.0",
)
"""TyDiQA-GoldP 1.1, and XTREME's translations of its English training questions into eight languages."""

PUBLISHED = {"flores101": FLORES101, "nusax": NUSAX, "xnli": XNLI, "tydiqa": TYDIQA}
"""Data sets by the names that ``lslo data fetch`` takes."""
