"""Command lines in forked copies of this process, which has imported everything, with a fault in each."""

from __future__ import annotations

import errno
import importlib
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
"""Called in the copy before the command begins: what goes wrong, and when."""

LONGEST_SECONDS, LONGEST_LINES = 10, 10
"""The longest that a command may take to refuse what is damaged, and its longest message."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, that of a signal negative, and what it said."""

    code: int
    output: str
    errors: str
    seconds: float

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def message(self) -> str:
        """The message that it ended with."""
        at = self.errors.rfind("error: ")
        return self.errors[max(at, 0) :].strip()

    def complaints(self, *codes: int) -> list[str]:
        """What is wrong with how it ended, where one of these exit codes is right."""
        wrong = []
        if self.code not in codes:
            wrong.append(f"exit code {self.code}")
        if "Traceback" in self.errors or "bug in lslo" in self.errors:
            wrong.append("a traceback")
        if self.code and len(self.message.splitlines()) > LONGEST_LINES:
            wrong.append(f"a message of more than {LONGEST_LINES} lines")
        return [f"{each}: {self.errors[-1500:]}" for each in wrong]


def warm() -> None:
    """Import all that commands import when they run, and let torch be: its threads do not survive a fork."""
    for module in pkgutil.walk_packages(lslo_cli.__path__, "lslo_cli."):
        with suppress(ImportError):  # of libraries that are not installed
            importlib.import_module(module.name)
    import torch
    from transformers import AutoTokenizer, BertModel, M2M100ForConditionalGeneration  # noqa: F401

    from lslo_cli.models.base import load_base

    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "MPLBACKEND": "agg"}
    torch.set_num_threads(1)
    load_base("world")  # for what transformers prepares with the first model


def lslo(
    *arguments: str,
    folder: Path,
    fault: Fault = lambda: None,
    kill_after: float | None = None,
    longest: float = 120,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``lslo ARGUMENTS`` in ``folder``; killed after ``kill_after`` seconds, if at all."""

    def command() -> None:
        os.environ.update(environment or {})
        sys.argv = ["lslo", *arguments]
        app(list(arguments), prog_name="lslo")

    return forked(command, folder=folder, fault=fault, kill_after=kill_after, longest=longest)


def forked(
    call: Callable[[], Any],
    *,
    folder: Path,
    fault: Fault = lambda: None,
    kill_after: float | None = None,
    longest: float = 120,
) -> Ended:
    """Call something in a forked copy of this process, in ``folder``.

    One that takes ``longest`` seconds is killed as well, and its exit code is 124.
    """
    reading = {name: os.memfd_create(name) for name in ("output", "errors")}
    begin = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(reading["output"], 1)
        os.dup2(reading["errors"], 2)
        os._exit(_called(call, fault))
    code, timed_out = _awaited(child, begin, kill_after, longest)
    seconds = time.monotonic() - begin
    texts = []
    for descriptor in reading.values():
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb") as file:
            texts.append(file.read().decode(errors="replace"))
    return Ended(124 if timed_out else code, *texts, seconds)


def _called(call: Callable[[], Any], fault: Fault) -> int:
    """The exit code of a call, as Python gives it to a process."""
    try:
        fault()
        call()
        code: Any = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                code = code or 120
    return code if isinstance(code, int) else int(code is not None)


def _awaited(child: int, begin: float, kill_after: float | None, longest: float) -> tuple[int, bool]:
    """The exit code of a process, and whether it took too long."""
    deadline = begin + min(longest, kill_after if kill_after is not None else longest)
    timed_out = False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), timed_out
        if time.monotonic() >= deadline:
            timed_out = kill_after is None or kill_after > longest
            os.kill(child, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)
