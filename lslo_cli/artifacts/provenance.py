"""The provenance of a result: digests, the commit, the versions of the packages."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from lslo_cli import __version__
from lslo_cli.artifacts.schema import Made

PACKAGES = ("torch", "transformers", "accelerate", "sentencepiece", "sacrebleu", "scipy", "numpy")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, the same for equal values; ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Any) -> str:
    """sha256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """sha256 of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Stopwatch:
    """Started with the work: its start time, the commit at that time, and its duration."""

    def __init__(self) -> None:
        self._clock = time.monotonic()
        self.commit, self.dirty = _source_state()  # the checkout may change while the work runs
        self.started = datetime.now(UTC).isoformat(timespec="seconds")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._clock


def made(stopwatch: Stopwatch, device: str, command: str) -> Made:
    """Describe how an artifact was made, when it is complete."""
    return Made(
        version=__version__,
        commit=stopwatch.commit,
        dirty=stopwatch.dirty,
        packages=dict(_versions()),
        python=platform.python_version(),
        device=device,
        command=command,
        started=stopwatch.started,
        seconds=stopwatch.seconds,
        peak_memory_mib=peak_resident() / 2**20,
    )


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """The versions of the packages that results depend on, read once: they do not change while this runs."""
    return tuple((name, metadata.version(name)) for name in PACKAGES)


def _source_state() -> tuple[str | None, bool | None]:
    """The commit of the checkout this package runs from, and whether it has changes; None outside one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--", "lslo_cli", "recipes", "pyproject.toml")
    return commit, None if status is None else bool(status)


def _git(root: Path, *arguments: str) -> str | None:
    # Without locks: a run that is killed here must not leave one that blocks the user's commits.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def peak_resident() -> int:
    """The largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
