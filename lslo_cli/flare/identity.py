"""The identity of a task model: the digest of its weight files, its tokenizer, and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from lslo_cli.artifacts.provenance import digest_of, digest_of_file
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError
from lslo_cli.flare.architectures import decodes_only
from lslo_cli.models.checkpoint import weight_files
from lslo_cli.models.hub import hub_folder
from lslo_cli.models.model_languages import WORLD, WORLD_FOLDER
from lslo_cli.models.places import CONFIG, ModelPlace
from lslo_cli.models.tokenizer_files import TOKENIZER_FILES
from lslo_cli.parsing import parse_json

WEIGHTS = ("*.safetensors", "*.bin")
"""The patterns of a task model's weight files."""

TOKENIZER = {*TOKENIZER_FILES, "*.model", "vocab.txt", "merges.txt", "special_tokens_map.json"}
"""The patterns of the files of any tokenizer."""

GENERATION = "generation_config.json"
"""How a decoder writes, where lslo does not say."""

BOOKKEEPING = {"architectures", "dtype", "torch_dtype", "transformers_version"}
"""Keys of config.json without effect here; so are those that begin with an underscore."""

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


def digest_of_weights(name: str, folder: Path) -> str:
    """sha256 over the weight files of a task model. Raises InputError if there are none."""
    weights = weight_files(folder, WEIGHTS)
    if not weights:
        raise InputError(f"no weights of '{name}' in {folder}", "copy or download the model again")
    return digest_of([digest_of_file(path) for path in weights])


def settings_of(folder: Path) -> dict[str, Any]:
    """What changes the results of a task model, and not its weights: its tokenizer, by digest, and settings.

    Raises InputError for a damaged file.
    """
    files = sorted({path for pattern in TOKENIZER for path in folder.glob(pattern)})
    tokenizer = digest_of([(path.name, digest_of_file(path)) for path in files])[:12]
    written = {f"generation {key}": value for key, value in _values(folder / GENERATION).items()}
    return {"tokenizer": tokenizer, **_values(folder / CONFIG), **written}


def _values(path: Path) -> dict[str, Any]:
    """The values of a file of settings that may change results; none without the file."""
    if not path.is_file():
        return {}
    try:
        values = parse_json(path.read_bytes()).items()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error!r}", "copy or download the model again") from None
    return {key: value for key, value in values if not (key in BOOKKEEPING or key.startswith("_"))}


def identify(name: str, place: ModelPlace, backbone: PreTrainedModel) -> ModelIdentity:
    """The identity of a stock model that was just loaded. Raises InputError if its weights are gone."""
    config = backbone.config
    layers, writes = config.num_hidden_layers, decodes_only(config.model_type)
    return ModelIdentity(
        name=name,
        revision=place.commit,
        digest=digest_of_weights(name, place.folder),
        encoder_layers=0 if writes else layers,
        decoder_layers=layers if writes else 0,
        d_model=config.hidden_size,
        ffn_dim=next(width for name in FFN_WIDTHS if (width := getattr(config, name, None))),
        vocab_size=config.vocab_size,
        parameters=backbone.num_parameters(),
        settings=settings_of(place.folder),
    )
