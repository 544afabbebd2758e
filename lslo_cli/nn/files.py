"""Weights in safetensors files, which must be complete and finite to be written or read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from lslo_cli.artifacts.writing import unreadable
from lslo_cli.errors import InputError, RunError


class Writable(Protocol):
    """A binary file, open for writing."""

    def write(self, data: bytes, /) -> int: ...


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity; None if all are finite."""
    return next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)


def write_tensors(
    file: Writable, path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write tensors to ``file``, which will be ``path``. Raises RunError if one is not finite."""
    if name := first_not_finite(tensors):
        raise RunError(
            f"weights are not finite, the first in {name}: {path} was not written", "lower the learning rate"
        )
    file.write(save(dict(tensors), metadata))


def read_tensors(path: Path, hint: str) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU.

    Raises InputError with ``hint`` if the file is missing, unreadable or damaged, or holds weights that are
    not finite.
    """
    check_readable(path, hint)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged: {error}", hint) from None
    if name := first_not_finite(tensors):
        raise InputError(f"{path} holds weights that are not finite, the first in {name}", hint)
    return tensors


def copy_into(weight: Tensor, saved: Tensor, name: str) -> None:
    """Copy a saved tensor into a weight. Raises RuntimeError for another shape, which might be broadcast."""
    if saved.shape != weight.shape:
        raise RuntimeError(f"{name} is {(*saved.shape,)}, not {(*weight.shape,)}")
    weight.copy_(saved)


def check_readable(path: Path, hint: str) -> None:
    """Raise InputError with the system's reason: safetensors reports any failure as a missing file."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error, hint) from None


def unreadable_reason(error: Exception) -> str:
    """Why weights could not be loaded, in one line, for the error of any library.

    torch's message on a refused pickle advises to run its content, and is replaced.
    """
    text = str(error)
    if "weights_only" in text or "Weights only" in text:
        return "it is damaged or holds Python objects other than tensors, which are never run"
    return next(iter(text.splitlines()), repr(error))
