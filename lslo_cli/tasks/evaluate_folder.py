"""Evaluating a run given as a folder or a hub id: its place in an experiment, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.adapter_config import ADAPTER_WEIGHTS, read_adapter_config
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import UsageError
from lslo_cli.home import with_home
from lslo_cli.recipe import placed
from lslo_cli.tasks.adapter_folder import check_base_of, find_folder, load_folder, recipe_of, weights_digest
from lslo_cli.tasks.evaluate import Adaptation, trained_here
from lslo_cli.tasks.experiment import Experiment, Upstream
from lslo_cli.tasks.held_out import TrainedOn, check_held_out
from lslo_cli.tasks.setup import Setup


def run_at(
    where: str, results: Path, given: Mapping[str, Any] | None = None, command: str = ""
) -> tuple[Experiment, RunFolder, Adaptation]:
    """The arguments of :func:`lslo_cli.tasks.evaluate.evaluate_run` for the run at a path or hub id.

    These are the experiment recorded with it, with settings ``given`` by recipe key, in its folder in
    ``results``; the run's folder there; and its weights. Raises InputError if nothing is found or it is
    damaged, and UsageError for invalid values, or if the experiment has another run of that name.
    """
    folder = find_folder(where)
    recipe = placed(recipe_of(folder, given), results)
    place = ExperimentFolder(results / recipe.experiment)
    run, trained = place.run(name_at(where, folder)), _trained(folder, where)
    if run.name == BASE_RUN or _is_another(run, trained):
        raise UsageError(
            f"{place.path} already has a run '{run.name}', other than that of {where}",
            "choose another place with --name or --results",
        )
    return Experiment(recipe, place, command), run, trained


def _trained(folder: Path, where: str) -> Adaptation:
    run = RunFolder(folder)
    if run.training.is_file():
        return trained_here(run, store.read(run.training, TrainingResult))
    config = read_adapter_config(folder)
    trained_on = TrainedOn(recipe_of(folder), config.training_text)
    digest = weights_digest(where)

    def check(setup: Setup) -> None:
        check_base_of(folder, config, setup.base)
        check_held_out(setup, where, trained_on)

    source = Upstream("adapter", folder / ADAPTER_WEIGHTS, digest)
    return Adaptation(source, digest, check, lambda setup: load_folder(setup, folder))


def _is_another(run: RunFolder, trained: Adaptation) -> bool:
    """Whether an experiment has a run of that name with other weights."""
    if run.training.is_file():
        return store.read(run.training, TrainingResult).result.weights.digest != trained.weights
    if not run.evaluation.is_file():
        return False
    mine = trained.source.as_input(run.path)
    inputs = store.read(run.evaluation, EvaluationResult).inputs
    return all(mine.path != item.path and mine.digest != item.digest for item in inputs)


def name_at(where: str, folder: Path) -> str:
    """The name of the run at a path or hub id; that of an ``adapter/`` is its parent's."""
    if not with_home(where).is_dir():
        return where.partition("@")[0].rpartition("/")[2]
    whole = folder.resolve()
    return whole.parent.name if whole.name == "adapter" else whole.name
