"""Load a run from outside the experiment, by a run's folder, a folder of adapters, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from lslo_cli.artifacts import store
from lslo_cli.artifacts.adapter_config import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    AdapterConfig,
    read_adapter_config,
)
from lslo_cli.artifacts.folder import RunFolder
from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.home import with_home
from lslo_cli.models.base import BaseModel, digest_on_disk
from lslo_cli.models.hub import hub_folder
from lslo_cli.nn.files import read_tensors
from lslo_cli.nn.route import Route
from lslo_cli.recipe import Recipe, reopened
from lslo_cli.tasks.evaluate import load_run
from lslo_cli.tasks.setup import Setup, prepare
from lslo_cli.tasks.weights import attach_weights

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w.-]+)?")
"""``owner/name``, or ``owner/name@revision``."""

_COPY_AGAIN = "copy or download the folder again"


def find_folder(where: str) -> Path:
    """The folder at a path, or of a hub id in the hub's cache, downloaded if it is not there yet.

    Raises InputError, naming the places that were searched, if there is none.
    """
    folder = with_home(where)
    if folder.is_dir():
        return folder
    if folder.exists() or not _HUB_ID.fullmatch(where):
        raise InputError(
            f"no folder '{where}' with a run or adapters (looked at {folder.absolute()})",
            "name the folder of a run, its folder adapter/, or a hub id such as owner/name",
        )
    repository, _, revision = where.partition("@")
    return hub_folder(
        repository,
        [ADAPTER_CONFIG, ADAPTER_WEIGHTS],
        revision or None,
        subject=f"'{where}'",
        folder=folder,
        hint="name a folder on this machine, or check the id and the network",
    )


def open_folder(
    where: str,
    given: Mapping[str, Any] | None = None,
    on_event: OnEvent = ignore,
    accelerator: Accelerator | None = None,
) -> tuple[Setup, Route | None]:
    """Load the base model that a folder or hub id names, and the trained weights onto it.

    The settings are those recorded there, except for those of the machine and those ``given`` by recipe key,
    such as ``model.name`` if the base model has moved. A model that helps another one uses its
    ``accelerator``. Raises InputError if something is missing or damaged, or if the base is another one, and
    UsageError for invalid values.
    """
    folder = find_folder(where)
    setup = prepare(recipe_of(folder, given), on_event=on_event, accelerator=accelerator)
    return setup, load_folder(setup, folder)


def recipe_of(folder: Path, given: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe recorded with a run or adapters, with the values ``given`` by recipe key put in.

    Raises InputError if it is missing or damaged, UsageError for invalid values.
    """
    run = RunFolder(folder)
    if run.training.is_file():
        return reopened(store.read(run.training, TrainingResult).recipe, given or {})
    return reopened(recorded_settings(read_adapter_config(folder)), given or {})


def load_folder(setup: Setup, folder: Path) -> Route | None:
    """Load the weights in the folder of a run or of adapters onto the freshly loaded base of ``setup``.

    Returns the route of the adapters. Raises InputError if they are damaged or the base is another one,
    UsageError for other languages.
    """
    run = RunFolder(folder)
    if run.training.is_file():
        return load_run(setup, run, store.read(run.training, TrainingResult))
    config = read_adapter_config(folder)
    if setup.codes != tuple(config.languages):
        raise UsageError(
            f"the adapters in {folder} are for {', '.join(config.languages)}, not {', '.join(setup.codes)}",
            "leave out --langs",
        )
    check_base_of(folder, config, setup.base)
    path = folder / ADAPTER_WEIGHTS
    return attach_weights(setup, path, read_tensors(path, _COPY_AGAIN), config)


def check_base_of(folder: Path, config: AdapterConfig, base: BaseModel) -> None:
    """Raise InputError if adapters belong to another base model, which a plan has loaded without weights."""
    name, wanted = config.base_model_name_or_path, config.base_model_digest
    on_disk = "" if base.identity.name == name else digest_on_disk(base)
    found = base.identity.digest or on_disk or wanted
    if found != wanted:
        raise InputError(
            f"the adapters in {folder} belong to base model {name} ({wanted[:12]}), not to "
            f"{base.identity.name} ({found[:12]})",
            "name that model with --model, in Python model=",
        )


def weights_digest(where: str) -> str:
    """sha256 of the weights that :func:`open_folder` loads."""
    folder = find_folder(where)
    path = RunFolder(folder).training
    if path.is_file():
        return store.read(path, TrainingResult).result.weights.digest
    return digest_of_file(folder / ADAPTER_WEIGHTS)


def recorded_settings(config: AdapterConfig) -> dict[str, Any]:
    """The recipe that adapters were trained with, with base and languages from their config."""
    model = {"name": config.base_model_name_or_path, "revision": config.revision}
    langs = list(config.languages)  # in the order of the adapters, new languages included
    return {**config.recipe, "model": model, "langs": langs, "new_languages": config.new_languages}
