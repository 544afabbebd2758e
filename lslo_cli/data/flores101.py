"""Getting FLORES-101: one public tarball, unpacked to where the readers look for it."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from gzip import BadGzipFile
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath

from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.writing import beside, settle, unwritable
from lslo_cli.data.download import download
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.parsing import parse_json

URL = "https://dl.fbaipublicfiles.com/flores101/dataset/flores101_dataset.tar.gz"
RECORD = "source.json"
LARGEST, MOST = 200 << 20, 10_000
"""Bytes when unpacked, and members, of an archive that is still believed to be FLORES-101."""

_ELSEWHERE = "free some space, or choose another folder with --to"

_EXPECTED = re.compile(
    r"(dev|devtest)/[a-z]{3}(_[a-z]+)?\.\1|metadata_(dev|devtest)\.tsv|README(\.\w+)?|LICENSE(\.\w+)?"
)
_NEEDED = ("dev/eng.dev", "devtest/eng.devtest")


@dataclass(frozen=True)
class DownloadRecord:
    """Where a folder of data came from: the tarball's address, digest and size, and the files taken."""

    url: str
    sha256: str
    bytes: int
    files: list[str]
    fetched: str


def fetch_flores101(folder: Path, url: str = URL, on_event: OnEvent = ignore) -> DownloadRecord:
    """Download FLORES-101 into ``folder``: ``dev/eng.dev``, ``devtest/eng.devtest``, and ``source.json``.

    The folder appears when everything is in it. Until then the tarball is kept beside it, so that the next
    call goes on from there. A folder that this made before from the same address is left as it is.

    Raises InputError where the folder holds something else, cannot be written, or the tarball cannot be
    had or is not FLORES-101; UsageError for an address that is not http(s).
    """
    if folder.exists() and not _is_empty(folder):
        source = _already_there(folder, url)
        on_event(Noted(f"{folder} has it already: remove it to fetch it again"))
        return source
    with locked(folder, hint=_ELSEWHERE):
        # Named after the address, so that parts of two files are never joined.
        partial = folder.with_name(f".{folder.name}.{sha256(url.encode()).hexdigest()[:8]}.part")
        download(url, partial, on_event, largest=LARGEST)
        with beside(folder, _ELSEWHERE) as unfinished:
            unfinished.mkdir()
            source = _unpack(partial, unfinished, url)
            (unfinished / RECORD).write_text(json.dumps(asdict(source), indent=1) + "\n", encoding="utf-8")
            settle(unfinished)
            unfinished.rename(folder)
            partial.unlink()
    return source


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError as error:
        raise unwritable(folder, error, _ELSEWHERE) from error


def _already_there(folder: Path, url: str) -> DownloadRecord:
    """What the record in ``folder`` says. Raises InputError for other data, or data that is not whole."""
    try:
        source = DownloadRecord(**parse_json((folder / RECORD).read_bytes()))
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{folder} is there, with no record of where it came from",
            f"use it as it is with --data {folder}, or choose another folder with --to",
        ) from None
    if source.url != url:
        raise InputError(f"{folder} came from {source.url}", "choose another folder with --to")
    missing = [name for name in source.files if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} lacks {missing[0]}, one of {len(missing)} missing files of {len(source.files)}",
            "remove the folder, and run the same line again",
        )
    return source


def _unpack(archive: Path, folder: Path, url: str) -> DownloadRecord:
    """Write the expected files of a .tar.gz into ``folder`` without the folder they are in.

    An archive that is damaged or holds something else is removed, as going on with it is no use.
    """
    files: list[str] = []
    try:
        with tarfile.open(archive, "r:gz") as tar:
            size = 0
            for number, member in enumerate(tar, start=1):
                size += member.size
                if size > LARGEST or number > MOST:
                    raise InputError(
                        f"{url} is not FLORES-101: unpacked it has more than {LARGEST >> 20} MiB or {MOST:,} "
                        "members",
                        "check the address in --url",
                    )
                name = _expected_name(member, url)
                if name:
                    path = folder / name
                    path.parent.mkdir(exist_ok=True)
                    content = tar.extractfile(member)
                    if content is None:  # a folder or a link that bears a file's name
                        continue
                    with content, path.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    files.append(name)
        missing = [name for name in _NEEDED if name not in files]
        if missing:
            raise InputError(f"{url} is not FLORES-101: it has no {missing[0]}", "check the address in --url")
    except (tarfile.TarError, BadGzipFile, EOFError, ValueError, OverflowError, zlib.error) as error:
        archive.unlink()
        raise InputError(
            f"{url} is no .tar.gz, or is damaged: {error}", "run the same line again: it starts anew"
        ) from error
    except InputError:
        archive.unlink()
        raise
    with archive.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    return DownloadRecord(url, digest, archive.stat().st_size, sorted(files), fetched)


def _expected_name(member: tarfile.TarInfo, url: str) -> str | None:
    """Where a member belongs, None where it is not needed; one that no honest tarball has is refused."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise InputError(
            f"{url} holds '{member.name}', which leads elsewhere: nothing was unpacked",
            "check the address in --url",
        )
    name = "/".join(path.parts[1:])
    return name if member.isfile() and _EXPECTED.fullmatch(name) else None
