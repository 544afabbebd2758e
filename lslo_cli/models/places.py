"""Where the files of a base model are: in lslo itself, in a folder, or in the hub's cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lslo_cli.errors import InputError
from lslo_cli.home import with_home
from lslo_cli.method.families import HUB_NAMES, SHAPES, models_of, published_shape
from lslo_cli.models.hub import hub_folder
from lslo_cli.models.model_languages import WORLD, WORLD_FOLDER
from lslo_cli.models.tokenizer_files import TOKENIZER_FILES
from lslo_cli.recipe import ModelSection

CONFIG = "config.json"

OTHER_MODELS = (
    "give --model FOLDER or a hub id, in Python model= (docs/models.md lists them with size and licence); "
    "`lslo estimate-subspace --recipe demo` needs none, nor does --dry-run where a command has it"
)


@dataclass(frozen=True)
class ModelPlace:
    """A folder with config.json, weights and tokenizer files.

    For a model of the hub, given by ``hub_id`` and ``commit``, the folder is its snapshot in the hub's cache,
    which may lack the weights.
    """

    folder: Path
    hub_id: str | None = None
    commit: str | None = None


def find_model(model: str, revision: str | None = None) -> ModelPlace:
    """The place of ``world`` (it comes with lslo), of a folder, or of a hub id at ``revision``.

    Raises InputError, naming the places that were searched, if there is none.
    """
    if model == WORLD:
        if not (WORLD_FOLDER / CONFIG).is_file():
            raise InputError(
                f"the built-in world's base model is not in this installation (looked in {WORLD_FOLDER})",
                "install lslo again, or train one with `lslo base train`",
            )
        return ModelPlace(WORLD_FOLDER)
    folder = with_home(model)
    if folder.is_dir():
        return ModelPlace(folder)
    if folder.exists() or ModelSection(name=model).missing_folder:
        message = f"no folder '{model}' with a base model (looked at {folder.absolute()})"
        raise InputError(message, OTHER_MODELS)
    if model in SHAPES:
        raise InputError(
            f"'{model}' names a published shape, and no folder (looked at {folder.absolute()})",
            f"give {models_of(model)}",
        )
    snapshot = hub_folder(
        model,
        [CONFIG, *TOKENIZER_FILES],
        revision,
        subject=f"base model '{model}'{_described(model)}",
        folder=folder,
        hint=OTHER_MODELS,
    )
    return ModelPlace(snapshot, model, snapshot.name)


def _described(model: str) -> str:
    """A published model's hub id and size, and whether it is the default."""
    shape = published_shape(model)
    if shape is None:
        return ""
    default = ", the default" if model == ModelSection().name else ""
    size = f"{4 * shape.parameters / 1e9:.1f} GB as float32"
    return f" ({HUB_NAMES.get(model, model)}, {size}{default})"
