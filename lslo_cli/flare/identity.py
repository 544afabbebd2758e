"""Which task model it is: what decides is the digest of its weight files."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from lslo_cli.artifacts.provenance import digest_of, digest_of_file
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError
from lslo_cli.flare.architectures import decodes_only
from lslo_cli.models.checkpoint import CONFIG
from lslo_cli.models.hub import cache, hub_files


def identify(name: str, backbone: nn.Module) -> ModelIdentity:
    """The identity of a stock model that was just loaded from the folder or hub id ``name``.

    ``revision`` is the hub's commit, None for a folder. Raises InputError where its weight files are gone.
    """
    config = backbone.config
    folder, commit = Path(name), None
    if not folder.is_dir():
        commit = config._commit_hash
        files, _ = hub_files(name, [CONFIG], commit)
        folder = files[0].parent if files else Path(cache())
    weights = weight_files(folder)
    if not weights:
        raise InputError(f"no weights of '{name}' in {folder}", "copy or download the model again")
    layers, writes = config.num_hidden_layers, decodes_only(config.model_type)
    return ModelIdentity(
        name=name,
        revision=commit,
        digest=digest_of([digest_of_file(path) for path in weights]),
        encoder_layers=0 if writes else layers,
        decoder_layers=layers if writes else 0,
        d_model=config.hidden_size,
        ffn_dim=getattr(config, "intermediate_size", None) or config.d_ff,
        vocab_size=config.vocab_size,
        parameters=backbone.num_parameters(),
    )


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, in order: safetensors, or pickled ones where there are none."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
