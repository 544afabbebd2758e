"""Paths below a user's home."""

from __future__ import annotations

import os
from pathlib import Path


def with_home(path: str | os.PathLike[str]) -> Path:
    """The path with ``~`` or ``~user`` expanded; that of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))
