"""Files of the Hugging Face hub, or of the server that HF_ENDPOINT names, through the hub's cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def hub_files(repository: str, names: Sequence[str], revision: str | None) -> tuple[list[Path], str]:
    """The named files that a repository has, downloaded if not in the cache.

    If there are none, the text says why.
    """
    from transformers.utils.hub import cached_files  # slow to load, and only needed for the hub

    try:
        files = cached_files(
            repository, list(names), revision=revision, _raise_exceptions_for_missing_entries=False
        )
    except OSError as error:
        return [], str(error).splitlines()[0]
    reason = "it cannot be reached or is switched off, and there is no copy in the cache"
    return [Path(file) for file in files or []], reason


def endpoint() -> str:
    """The hub's server, for messages."""
    return os.environ.get("HF_ENDPOINT") or "huggingface.co"


def cache() -> str:
    """The folder of downloaded files, for messages."""
    return os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME") or "~/.cache/huggingface"
