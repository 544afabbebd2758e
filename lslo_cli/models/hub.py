"""Files of the Hugging Face hub, or of the server that HF_ENDPOINT names, through the hub's cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lslo_cli.errors import InputError


def hub_folder(
    repository: str, names: Sequence[str], revision: str | None, *, subject: str, folder: Path, hint: str
) -> Path:
    """The folder in the cache of those named files that a repository has, downloaded if necessary.

    Raises InputError if it has none or cannot be reached. The message begins with its ``subject`` and says
    that there is no ``folder`` of the repository's name either.
    """
    from transformers.utils.hub import cached_files  # slow to load, and only needed for the hub

    reason = "it cannot be reached or is switched off, and there is no copy in the cache"
    try:
        files = cached_files(
            repository, list(names), revision=revision, _raise_exceptions_for_missing_entries=False
        )
    except OSError as error:
        files, reason = None, str(error).splitlines()[0]
    if not files:
        server = os.environ.get("HF_ENDPOINT") or "huggingface.co"
        cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME") or "~/.cache/huggingface"
        raise InputError(
            f"{subject} is neither a folder (looked at {folder.absolute()}) nor available from {server} "
            f"(cache: {cache}): {reason}",
            hint,
        )
    return Path(files[0]).parent
