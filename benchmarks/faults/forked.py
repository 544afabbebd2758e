"""Run command lines in forks of this process, which has imported everything, each with a fault."""

from __future__ import annotations

import errno
import importlib
import math
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lslo_cli
from lslo_cli.cli.app import app

Fault = Callable[[], object]
"""A function called in the fork before the command, which sets the fault."""

LONGEST_LINES = 10
"""The most lines of a message."""
LONGEST_RUN = 300.0
"""The most seconds of a command, on a busy machine."""


def nothing() -> None:
    """No fault."""


@dataclass(frozen=True)
class Ended:
    """The end of a command: its exit code, negative for a signal, and its output."""

    code: int
    output: str
    errors: str
    seconds: float
    processor: float
    """Processor time in seconds."""

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def message(self) -> str:
        """Its final message."""
        at = self.errors.rfind("error: ")
        return self.errors[max(at, 0) :].strip()

    def complaints(self, *codes: int) -> list[str]:
        """Complaints about its end, if ``codes`` are the expected exit codes."""
        wrong = []
        if self.code not in codes:
            wrong.append(f"exit code {self.code}")
        if "Traceback" in self.errors or "bug in lslo" in self.errors:
            wrong.append("a traceback")
        if self.code and len(self.message.splitlines()) > LONGEST_LINES:
            wrong.append(f"a message of more than {LONGEST_LINES} lines")
        return [f"{each}: {self.errors[-1500:]}" for each in wrong]


def warm() -> None:
    """Import all that commands import, without running torch, whose threads do not survive a fork."""
    for module in pkgutil.walk_packages(lslo_cli.__path__, "lslo_cli."):
        with suppress(ImportError):  # of libraries that are not installed
            importlib.import_module(module.name)
    import torch
    from transformers import AutoTokenizer, BertModel, M2M100ForConditionalGeneration  # noqa: F401

    from lslo_cli.models.base import load_base

    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "MPLBACKEND": "agg"}
    torch.set_num_threads(1)
    load_base("world")  # transformers prepares itself with the first model


@dataclass
class Running:
    """A command in a fork of this process, which leads its own process group."""

    process: int
    begin: float
    said: tuple[int, int]
    """The files of its output and its errors."""

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.process, number)

    def is_over(self) -> bool:
        """Whether it has ended."""
        return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ended(self, kill_after: float | None = None, longest: float = LONGEST_RUN) -> Ended:
        """Wait for its end, and kill it after ``kill_after`` seconds, if given.

        One that takes ``longest`` seconds is killed too, with exit code 124.
        """
        deadline = self.begin + (longest if kill_after is None else min(kill_after, longest))
        timed_out = False
        while not (waited := os.wait4(self.process, os.WNOHANG))[0]:
            if time.monotonic() >= deadline:
                timed_out = kill_after is None or kill_after > longest
                self.signal(signal.SIGKILL)
                deadline = math.inf
            time.sleep(0.01)
        seconds = time.monotonic() - self.begin
        texts = []
        for descriptor in self.said:
            os.lseek(descriptor, 0, os.SEEK_SET)
            with os.fdopen(descriptor, "rb") as file:
                texts.append(file.read().decode(errors="replace"))
        _, status, used = waited
        code = 124 if timed_out else os.waitstatus_to_exitcode(status)
        return Ended(code, *texts, seconds, used.ru_utime + used.ru_stime)


def start(
    *arguments: str, folder: Path, fault: Fault = nothing, environment: Mapping[str, str] | None = None
) -> Running:
    """Start ``lslo ARGUMENTS`` in ``folder``."""

    def command() -> None:
        os.environ.update({"LSLO_RESULTS": "results", **(environment or {})})
        sys.argv = ["lslo", *arguments]
        app(list(arguments), prog_name="lslo")

    return forked(command, folder=folder, fault=fault)


def lslo(
    *arguments: str,
    folder: Path,
    fault: Fault = nothing,
    environment: Mapping[str, str] | None = None,
    kill_after: float | None = None,
    longest: float = LONGEST_RUN,
) -> Ended:
    """Run ``lslo ARGUMENTS`` in ``folder``, and kill it after ``kill_after`` seconds, if given."""
    running = start(*arguments, folder=folder, fault=fault, environment=environment)
    return running.ended(kill_after, longest)


def forked(call: Callable[[], Any], *, folder: Path, fault: Fault = nothing) -> Running:
    """Call a function in a fork of this process, in ``folder``."""
    said = os.memfd_create("output"), os.memfd_create("errors")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said[0], 1)
        os.dup2(said[1], 2)
        os._exit(_called(call, fault))
    return Running(child, time.monotonic(), said)


def _called(call: Callable[[], Any], fault: Fault) -> int:
    """The exit code that Python gives a process for a call."""
    try:
        fault()
        sys.stdout, sys.stderr = map(_stream, (1, 2))
        call()
        code: Any = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                code = code or 120
    return code if isinstance(code, int) else int(code is not None)


def _stream(descriptor: int) -> Any:
    """The stream of a descriptor, as Python opens it at startup: None if it is closed."""
    try:
        return open(descriptor, "w", closefd=False)
    except OSError:
        return None
