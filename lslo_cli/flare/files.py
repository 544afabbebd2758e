"""FLARE adapters on disk: one safetensors file, written atomically, with its settings in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError
from lslo_cli.flare.attach import FlareAdapters, FlareSettings
from lslo_cli.method.flare import Phi, SourceNorm
from lslo_cli.nn.files import check_readable, read_tensors, write_tensors
from lslo_cli.parsing import parse_json

FORMAT = "lslo-flare-2"
AGAIN = "give the file that was saved for this model, or train again"


def save_flare(
    path: Path, adapters: FlareAdapters, extra: Mapping[str, nn.Module] | None = None, **metadata: str
) -> None:
    """Write adapters and their settings, with ``extra`` modules, such as a task head, by name.

    Raises InputError if the file cannot be written.
    """
    tensors = adapters.state_dict()
    for name, module in (extra or {}).items():
        tensors |= {f"{name}.{key}": value.detach() for key, value in module.state_dict().items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    header = {**metadata, "settings": asdict(adapters.settings)}
    with writing(path) as file:
        # A single key: safetensors writes several in any order, and equal adapters must give equal bytes.
        write_tensors(file, path, tensors, {FORMAT: json.dumps(header)})


def restore_flare(path: Path, adapters: FlareAdapters, extra: Mapping[str, nn.Module] | None = None) -> None:
    """Load a file into attached adapters and ``extra`` modules.

    Raises InputError if the file is missing, damaged or something else, or does not fit the adapters.
    """
    if not adapters.settings.are_the_same(_settings(read_metadata(path)["settings"])):
        raise InputError(f"{path} holds adapters with settings other than {adapters.settings}", AGAIN)
    state = read_tensors(path, AGAIN)
    try:
        adapters.load_state_dict(state)
        for name, module in (extra or {}).items():
            prefix = f"{name}."
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            module.load_state_dict(own)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path} does not fit the model: {error}", AGAIN) from None


def read_metadata(path: Path) -> dict[str, Any]:
    """The header of a file: settings, run, language.

    Raises InputError if the file is missing or damaged, or holds no FLARE adapters.
    """
    check_readable(path, AGAIN)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read FLARE adapters from {path}: {error}", AGAIN) from None
    header = metadata.get(FORMAT)
    if header is None:
        raise InputError(f"{path} holds no FLARE adapters ({FORMAT})", AGAIN)
    try:
        return parse_json(header)
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}", AGAIN) from None


def _settings(written: Mapping[str, Any]) -> FlareSettings:
    known = {field.name for field in fields(FlareSettings)}
    values = {key: value for key, value in written.items() if key in known}
    values["phi"] = None if values["phi"] is None else Phi(values["phi"])
    values["source_norm"] = SourceNorm(values["source_norm"])
    values["stacks"] = None if values["stacks"] is None else tuple(values["stacks"])
    return FlareSettings(**values)
