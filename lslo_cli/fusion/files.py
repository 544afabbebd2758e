"""Fusion adapters on disk: one safetensors file, whole or not at all, that says what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lslo_cli.artifacts.store import replacing
from lslo_cli.errors import InputError
from lslo_cli.fusion.attach import FusionAdapters, FusionSettings, SourceNorm, attach_fusion
from lslo_cli.fusion.phi import Phi

FORMAT = "lslo-fusion-1"


def save_fusion(
    path: Path, adapters: FusionAdapters, extra: Mapping[str, nn.Module] | None = None, **metadata: str
) -> None:
    """Write adapters and their settings; ``extra`` modules, such as a task head, go by their names.

    Raises InputError where the file cannot be written.
    """
    tensors = adapters.state_dict()
    for name, module in (extra or {}).items():
        tensors |= {f"{name}.{key}": value.detach() for key, value in module.state_dict().items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    header = {"format": FORMAT, "settings": json.dumps(asdict(adapters.settings)), **metadata}
    with replacing(path) as temporary:
        save_file(tensors, temporary, header)


def load_fusion(path: Path, model: nn.Module, extra: Mapping[str, nn.Module] | None = None) -> FusionAdapters:
    """Put the adapters of a file on ``model``, and the states of ``extra`` modules into them.

    Raises InputError where the file is missing, damaged or something else, or does not fit the model.
    """
    again = "give the file that was saved for this model, or train again"
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read fusion adapters from {path}: {error}", again) from None
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} holds no fusion adapters ({FORMAT})", again)
    adapters = attach_fusion(model, _settings(metadata["settings"]))
    try:
        adapters.load_state_dict(state)
        for name, module in (extra or {}).items():
            prefix = f"{name}."
            module.load_state_dict(
                {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            )
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path} does not fit the model: {error}", again) from None
    return adapters


def read_metadata(path: Path) -> dict[str, str]:
    """What the header of a file says. Raises InputError where it cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read fusion adapters from {path}: {error}", "train again") from None


def _settings(text: str) -> FusionSettings:
    known = {field.name for field in fields(FusionSettings)}
    values = {key: value for key, value in json.loads(text).items() if key in known}
    values["phi"] = None if values["phi"] is None else Phi(values["phi"])
    values["source_norm"] = SourceNorm(values["source_norm"])
    values["stacks"] = None if values["stacks"] is None else tuple(values["stacks"])
    return FusionSettings(**values)
