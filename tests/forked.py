"""Interpreters of their own that need not import torch again, which takes each of them seconds.

They are forks of the server that lslo's own workers come from: real processes, with a process id, pipes and
signals, which end and are killed like others. What a start of Python itself does is tested with
``subprocess``.
"""

from __future__ import annotations

import io
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lslo_cli import processes

PIPE = subprocess.PIPE


class Forked:
    """A command of ``sys.executable``, like :class:`subprocess.Popen` in as much of it as tests use."""

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        text: bool = False,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ):
        self.args = list(map(str, args))
        assert self.args[0] == sys.executable
        context = processes.context()
        theirs: list[Connection | int | None] = []
        ours: list[Any] = []
        for wanted in (stdin, stdout, stderr):
            if wanted != PIPE:
                theirs.append(wanted)
                ours.append(None)
                continue
            reader, writer = context.Pipe(duplex=False)
            for_child, kept = (writer, reader) if theirs else (reader, writer)
            theirs.append(for_child)
            stream: Any = open(os.dup(kept.fileno()), "rb" if theirs[1:] else "wb")  # noqa: SIM115
            ours.append(io.TextIOWrapper(stream, "utf-8") if text else stream)
            kept.close()
        self.stdin, self.stdout, self.stderr = ours
        environment = dict(os.environ if env is None else env)
        self._process: Any = context.Process(  # type: ignore[attr-defined]
            target=_run, args=(self.args[1:], str(cwd or Path.cwd()), environment, theirs)
        )
        self._process.start()
        for each in theirs:
            if isinstance(each, Connection):
                each.close()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: Any = None) -> tuple[Any, Any]:
        """Write ``input``, and read what is written, until the process has ended."""
        with ThreadPoolExecutor(2) as pool:
            read = [pool.submit(each.read) if each else None for each in (self.stdout, self.stderr)]
            if self.stdin:
                self.stdin.write(input)
                self.stdin.close()
            out, err = (each.result() if each else None for each in read)
        self.__exit__()
        return out, err

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()


def _run(
    words: list[str], folder: str, environment: dict[str, str], streams: list[Connection | int | None]
) -> None:
    """Do in this process what ``python WORDS`` does: WORDS begin with ``-m``, ``-c`` or a script."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, stream in enumerate(streams):
        if isinstance(stream, Connection):
            os.dup2(stream.fileno(), number)
            stream.close()
        elif stream == subprocess.DEVNULL:
            os.dup2(nowhere := os.open(os.devnull, os.O_RDWR), number)
            os.close(nowhere)
        elif stream == subprocess.STDOUT:
            os.dup2(1, number)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1, errors="backslashreplace")  # noqa: SIM115
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if processes.METHOD == "forkserver":
    Popen: Any = Forked
else:
    Popen = subprocess.Popen


def run_ranks(words: Sequence[str | Path], ranks: int = 2) -> None:
    """Run a script in ``ranks`` processes that train together, with the environment that torchrun gives them.

    ``tests/cli/test_launchers.py`` has torchrun itself start them.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        Popen(
            [sys.executable, *words],
            stdout=PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ
            | {
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(ranks),
                "LOCAL_WORLD_SIZE": str(ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
        )
        for rank in range(ranks)
    ]
    with ThreadPoolExecutor(ranks) as pool:
        said = list(pool.map(lambda each: each.communicate()[0], started))
    assert [each.returncode for each in started] == [0] * ranks, "\n".join(said)
