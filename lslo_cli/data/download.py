"""Download a file over HTTP, resuming an interrupted download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lslo_cli.artifacts.writing import TO, unwritable
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced, Finished, OnEvent, Started, ignore

PATIENCE = 60
"""The timeout of a connection in seconds."""
CHUNK = 1 << 18
AGAIN = "run the same line again: it resumes where it stopped"


def download(url: str, partial: Path, on_event: OnEvent = ignore, *, largest: int) -> None:
    """Download ``url`` to ``partial``, requesting only the bytes that this file lacks.

    ``partial`` stays if the connection breaks, and beside it what the server called the file's version, if
    anything: all of another version is sent anew. :func:`discard` removes both. Raises UsageError for an
    address that is not http(s), and InputError if the server cannot be reached or answers with an error, if
    the file ends too early or has more than ``largest`` bytes, or if ``partial`` cannot be written.
    """
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"'{url}' is not a web address", "give one that starts with https://")
    have = partial.stat().st_size if partial.exists() else 0
    response = _open(url, have, _version_of(partial))
    if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        response.close()
        if _extent(response) == (0, have):
            return  # the file is complete
        response = _open(url, 0)
    with response:
        start, total = _extent(response)
        if start not in (0, have):
            raise InputError(f"{url} sent the bytes from {start:,}, not from {have:,}", f"remove {partial}")
        if total is not None and total > largest:
            raise _too_large(url, largest)
        task = f"downloading {url.rpartition('/')[2]}"
        on_event(Started(task, total or 0, "bytes", start))
        try:
            size = start
            with partial.open("ab" if start else "wb") as file:
                if not start:
                    _note_version(partial, response)
                for chunk in _chunks(response, url):
                    size += file.write(chunk)
                    if size > largest:
                        discard(partial)
                        raise _too_large(url, largest)
                    on_event(Advanced(task, size))
        except OSError as error:
            raise unwritable(partial, error, TO) from error
    if total is not None and size != total:
        raise InputError(f"{url} ended after {size:,} of {total:,} bytes", AGAIN)
    on_event(Finished(task))


def discard(partial: Path) -> None:
    """Remove a download."""
    for path in (partial, _version_file(partial)):
        path.unlink(missing_ok=True)


def _version_file(partial: Path) -> Path:
    return partial.with_suffix(f".version{partial.suffix}")


def _version_of(partial: Path) -> str:
    """What the server called the version of the file whose beginning is here, "" if unknown."""
    try:
        version = _version_file(partial).read_text(encoding="latin-1")
    except OSError:
        return ""
    return version if version.isprintable() else ""  # or else it is no header


def _note_version(partial: Path, response: HTTPResponse | HTTPError) -> None:
    """Write beside a download that begins what its server calls this version of the file, if anything."""
    tag = response.headers.get("ETag", "")
    is_weak = tag.startswith("W/")  # which may be the same for other bytes
    version = response.headers.get("Last-Modified", "") if is_weak or not tag else tag
    _version_file(partial).unlink(missing_ok=True)
    if version:
        _version_file(partial).write_text(version, encoding="latin-1")


def _too_large(url: str, largest: int) -> InputError:
    return InputError(f"{url} has more than {largest >> 20} MiB", "check the address in --url")


def _open(url: str, have: int, version: str = "") -> HTTPResponse | HTTPError:
    """Request the bytes after the first ``have`` of a version of the file, or all of another one.

    "Range not satisfiable" is returned, not raised.
    """
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version
    try:
        return urlopen(Request(url, headers=headers), timeout=PATIENCE)
    except HTTPError as error:
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error
        error.close()
        raise InputError(
            f"{url} answered {error.code} {error.reason}", "check the address, or give another with --url"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"'{url}' is not an address: {error}", "give one such as https://host/file"
        ) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"cannot reach {url}: {getattr(reason, 'strerror', None) or reason}",
            "check the network, or copy the data from elsewhere and name its folder with --data",
        ) from error


def _extent(response: HTTPResponse | HTTPError) -> tuple[int, int | None]:
    """The offset in the file at which a response begins, and the size of the file, None if unknown."""
    if content_range := re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", "")
    ):
        return int(content_range[1] or 0), int(content_range[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _chunks(response: HTTPResponse | HTTPError, url: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise InputError(f"the connection to {url} broke: {error}", AGAIN) from error
        if not chunk:
            return
        yield chunk
