"""The identity of a task model: the digest of its weight files."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from lslo_cli.artifacts.provenance import digest_of, digest_of_file
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError
from lslo_cli.flare.architectures import decodes_only
from lslo_cli.models.checkpoint import weight_files
from lslo_cli.models.hub import hub_folder
from lslo_cli.models.model_languages import WORLD, WORLD_FOLDER
from lslo_cli.models.places import CONFIG, ModelPlace

WEIGHTS = ("*.safetensors", "*.bin")
"""The patterns of a task model's weight files."""

FFN_WIDTHS = ("intermediate_size", "d_ff", "encoder_ffn_dim")
"""The names of the feed-forward width in configurations."""


def find_task_model(name: str, revision: str | None = None) -> ModelPlace:
    """The place of ``world``, of a folder, or of a hub id at ``revision``, downloaded if necessary.

    Unlike :func:`~lslo_cli.models.places.find_model` it requires no files of a translation model: a task
    model may have any tokenizer of transformers. Raises InputError if there is no such model.
    """
    folder = WORLD_FOLDER if name == WORLD else Path(name)
    if folder.is_dir():
        return ModelPlace(folder)
    snapshot = hub_folder(
        name,
        [CONFIG],
        revision,
        subject=f"cannot load the task model '{name}': it",
        folder=folder,
        hint="give a folder with config.json, weights and tokenizer, or a hub id",
    )
    return ModelPlace(snapshot, name, snapshot.name)


def identify(name: str, place: ModelPlace, backbone: PreTrainedModel) -> ModelIdentity:
    """The identity of a stock model that was just loaded. Raises InputError if its weights are gone."""
    weights = weight_files(place.folder, WEIGHTS)
    if not weights:
        raise InputError(f"no weights of '{name}' in {place.folder}", "copy or download the model again")
    config = backbone.config
    layers, writes = config.num_hidden_layers, decodes_only(config.model_type)
    return ModelIdentity(
        name=name,
        revision=place.commit,
        digest=digest_of([digest_of_file(path) for path in weights]),
        encoder_layers=0 if writes else layers,
        decoder_layers=layers if writes else 0,
        d_model=config.hidden_size,
        ffn_dim=next(width for name in FFN_WIDTHS if (width := getattr(config, name, None))),
        vocab_size=config.vocab_size,
        parameters=backbone.num_parameters(),
    )
