"""Hostile servers and archives: ``lslo data fetch`` from this machine, with malicious and broken answers.

    python -m benchmarks.faults.servers --seed 1 --json results/benchmarks/faults/servers.json

Expected: exit code 2 or 3 with a short message, nothing written inside or outside the requested folder, and
afterwards a successful fetch from the same address. Some archives are valid with bits flipped at random: one
that still unpacks is fine.
"""

from __future__ import annotations

import gzip
import io
import random
import shutil
import socket
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.faults.forked import lslo, warm
from benchmarks.faults.trials import Trials, main

FLIPPED = 150
"""The number of archives with flipped bits."""
LONGEST = 10
"""The most processor seconds of a fetch."""
Send = Callable[[socket.socket], object]
"""A server's answer, sent once it has read a request."""
NAMES = tuple(f"flores/{split}/{code}.{split}" for split in ("dev", "devtest") for code in ("eng", "wol"))


def run(trials: Trials, folder: Path, seed: int, only: Sequence[str] = (), flipped: int = FLIPPED) -> None:
    """Fetch from every hostile server, or ``only`` these, then all kinds of archives."""
    warm()
    chance, good = random.Random(seed), archive()
    hostile: dict[str, Send] = servers(good)
    hostile |= {f"archive: {name}": answer(content) for name, content in archives(good).items()}
    for name, send in trials.within(hostile.items()):
        if not only or name in only:
            fetch(trials, folder, name, send, good)
    for number in trials.within(range(flipped if not only else 0)):
        content = flip(good, chance)
        fetch(trials, folder, "archive: bits flipped", answer(content), good, f"archive {number}")


def fetch(trials: Trials, folder: Path, name: str, send: Send, good: bytes, trial: str = "") -> None:
    """Fetch from a hostile server, then from an honest one at the same address."""
    place = folder / "fetch"
    here, data = place / "here", place / "here/data"
    shutil.rmtree(place, ignore_errors=True)
    here.mkdir(parents=True)
    with serving() as server:
        line = ("data", "fetch", "flores101", "--to", "data", "--url", f"{server.address}/f.tar.gz")
        server.send = send
        ended = lslo(*line, folder=here, environment={"no_proxy": "*"})
        wrong = ended.complaints(0, 2, 3)
        if ended.processor > LONGEST:
            wrong.append(f"it took {ended.processor:.0f} s")
        if ended.code == 0:
            needed = (data / "dev/eng.dev", data / "devtest/eng.devtest")
            wrong += [f"no {path.name}" for path in needed if not path.is_file()]
        else:
            left = [path.name for path in place.rglob("*") if path != here and path.suffix != ".part"]
            wrong += [f"left behind: {left}"] if left else []
            server.send = answer(good)
            again = lslo(*line, folder=here, environment={"no_proxy": "*"})
            wrong += again.complaints(0)
        if [path.name for path in here.iterdir()] != ["data"] or len(list(place.iterdir())) > 1:
            wrong.append("something is left beside the folder")
    trials.note(name, f"exit code {ended.code}", wrong, trial)


class Server:
    """A server of one answer at a time; ``send`` is that answer."""

    def __init__(self, listening: socket.socket):
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.send: Send = answer(b"")
        self._listening = listening

    def serve(self) -> None:
        """Answer until the socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(20)
                    connection.recv(1 << 16)
                    self.send(connection)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening)
        threading.Thread(target=server.serve, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


def answer(content: bytes, length: int | None = None, status: str = "200 OK", *headers: str) -> Send:
    """An answer whose header promises ``length`` bytes, by default the true number."""
    promised = len(content) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {promised}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + content)


def servers(good: bytes) -> dict[str, Send]:
    """Misbehaving servers by their fault."""
    half = good[: len(good) // 2]

    def resets(connection: socket.socket) -> None:
        answer(half, len(good))(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(bytes(1 << 20))

    def raw(content: bytes) -> Send:
        return lambda connection: connection.sendall(content)

    return {
        "ends early": answer(half, len(good)),
        "promises less than it sends": answer(good, len(good) // 3),
        "promises a length below zero": answer(good, -5),
        "promises 10^30 bytes": answer(half, 10**30),
        "resets the connection": resets,
        "never ends": endless,
        "says nothing": raw(b""),
        "speaks another protocol": raw(b"SSH-2.0-server\r\n" * 9),
        "has headers of 1 MB": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n"),
        "has a thousand headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1000 + b"\r\n"),
        "sends broken chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + good),
        "redirects for ever": answer(b"", None, "302 Found", "Location: /f.tar.gz"),
        "redirects to a file": answer(b"", None, "302 Found", "Location: file:///etc/passwd"),
        "redirects nowhere": answer(b"", None, "302 Found", "Location: http://[::1"),
        "fails": answer(b"", None, "500 Oh\x1b[31m no"),
        "sends a part that was not asked for": answer(
            good[9:], None, "206 Partial Content", f"Content-Range: bytes 9-{len(good) - 1}/{len(good)}"
        ),
        "sends a page": answer(b"<html>sign in</html>" * 50),
    }  # fmt: skip


def archive(*members: tuple[tarfile.TarInfo, bytes], names: Sequence[str] = NAMES) -> bytes:
    """A valid archive, with ``members`` before its files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for info, content in (*members, *(file(name, b"one\ntwo\n") for name in names)):
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def file(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def archives(good: bytes) -> dict[str, bytes]:
    """Malicious and broken archives by their fault."""
    large = tarfile.TarInfo("flores/dev/eng.dev")
    large.size = 1 << 60
    return {
        "empty": b"",
        "cut": good[: len(good) // 2],
        "no archive": gzip.compress(b"\x89PNG" * 999),
        "gzip in gzip": gzip.compress(good),
        "ends in something else": good + b"x" * 999,
        "without files": archive(names=()),
        "of something else": archive(names=("a/b.txt",)),
        "300 MB of zeros": gzip.compress(bytes(300 << 20), 1),
        "a file of 300 MB": archive(file("flores/dev/wol.dev", bytes(300 << 20))),
        "a file of 10^18 bytes": gzip.compress(large.tobuf() + bytes(1024)),
        "20,000 members": archive(*(file(f"flores/x{n}") for n in range(20_000))),
        "a path above": archive(file("../../escaped", b"x")),
        "an absolute path": archive(file("/tmp/lslo-escaped", b"x")),
        "a link above": archive(file("flores/dev", b"", tarfile.SYMTYPE, "../../..")),
        "a hard link": archive(file("flores/dev/wol.dev", b"", tarfile.LNKTYPE, "/etc/passwd")),
        "a device": archive(file("flores/dev/wol.dev", b"", tarfile.CHRTYPE)),
        "a pipe": archive(file("flores/dev/wol.dev", b"", tarfile.FIFOTYPE)),
        "a file where a folder is": archive(file("flores/dev", b"x")),
        "a folder where a file is": archive(file("flores/dev/eng.dev/", b"", tarfile.DIRTYPE)),
        "a name of 5,000 letters": archive(file("flores/dev/" + "a" * 5000, b"x")),
        "a name that is not UTF-8": archive(file("flores/dev/\udcff\udcfe.dev", b"x")),
        "control characters in a name": archive(file("../\x1b[2J\n\n\n\n\n\n\n\n\n\n\nerror: x", b"x")),
        "the same file twice": archive(file("flores/dev/eng.dev", b"another\n"), names=(*NAMES, NAMES[0])),
    }  # fmt: skip


def flip(good: bytes, chance: random.Random) -> bytes:
    """An archive with flipped bits, in the tar or in the compressed stream."""
    plain = chance.random() < 0.7
    content = bytearray(gzip.decompress(good) if plain else good)
    for _ in range(chance.choice((1, 3, 30))):
        content[chance.randrange(min(len(content), 6000))] ^= 1 << chance.randrange(8)
    return gzip.compress(bytes(content)) if plain else bytes(content)


if __name__ == "__main__":
    main(__doc__, run)
