"""Unpack the expected files of an untrusted archive."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import IO

from lslo_cli.errors import InputError

CHECK = "check the address in --url"

DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    BadGzipFile,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a compression that zipfile does not support
    zlib.error,
    lzma.LZMAError,
)
"""The exceptions of reading a damaged archive."""


class Packing(StrEnum):
    """The format of an archive."""

    TAR_GZ = ".tar.gz"
    ZIP = ".zip"
    NONE = "file"
    """One file, not packed."""


@dataclass(frozen=True)
class Contents:
    """The files to take from an archive: members whose whole name matches ``expected``, named by group 1.

    An archive of more than ``largest`` bytes unpacked, or ``most`` members, is rejected as not ``name``.
    """

    name: str
    expected: re.Pattern[str]
    largest: int
    most: int


@dataclass(frozen=True)
class Member:
    """A member of an archive: a file or a folder, or neither, such as a link."""

    name: str
    size: int
    is_file: bool
    is_folder: bool
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, packing: Packing, folder: Path, contents: Contents, url: str) -> list[str]:
    """Write the expected files of an archive into ``folder``, and return their names.

    Raises InputError if it is damaged or too large, or has a malicious member. ``url`` is its origin.
    """
    files: list[str] = []
    size = 0
    try:
        for number, member in enumerate(_members(archive, packing, url), start=1):
            size += member.size
            if size > contents.largest or number > contents.most:
                most = f"{contents.largest >> 20} MiB or {contents.most:,} members"
                raise InputError(f"{url} is not {contents.name}: unpacked it has more than {most}", CHECK)
            name = _expected_name(member, contents.expected, url)
            content = member.open() if name else None
            if not name or content is None:  # a folder or a link may have a file's name
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)
            files.append(name)
    except DAMAGED as error:
        raise InputError(
            f"{url} is not a {packing}, or is damaged: {error}",
            "run the same line again to download it again",
        ) from error
    return files


def _members(archive: Path, packing: Packing, url: str) -> Iterator[Member]:
    match packing:
        case Packing.TAR_GZ:
            with tarfile.open(archive, "r:gz") as tar:
                for info in tar:
                    extract = partial(tar.extractfile, info)
                    yield Member(info.name, info.size, info.isfile(), info.isdir(), extract)
                while tar.fileobj and tar.fileobj.read(1 << 20):  # gzip's checksum is compared at its end
                    pass
        case Packing.ZIP:
            with closing(zipfile.ZipFile(archive)) as packed:
                for entry in packed.infolist():
                    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 if not made on Unix
                    is_file = not entry.is_dir() and kind in (0, stat.S_IFREG)
                    if entry.flag_bits & 1:
                        raise ValueError(f"'{entry.filename}' is encrypted")
                    read = partial(packed.open, entry)
                    yield Member(entry.filename, entry.file_size, is_file, entry.is_dir(), read)
        case Packing.NONE:
            name = url.rpartition("/")[2]
            yield Member(name, archive.stat().st_size, True, False, lambda: archive.open("rb"))


def _expected_name(member: Member, expected: re.Pattern[str], url: str) -> str | None:
    """The path of a member, None if not needed. Raises InputError for a malicious one."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.is_file or member.is_folder):
        raise InputError(f"{url} holds '{member.name}', outside its folder: nothing was unpacked", CHECK)
    found = expected.fullmatch("/".join(path.parts)) if member.is_file else None
    return found[1] if found else None
