"""The cost of jobs: epochs, updates, parameters and memory, if necessary without weights or text."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lslo_cli.data.splits import WORLD_NAME
from lslo_cli.errors import InputError
from lslo_cli.flare.tasks import task_named
from lslo_cli.home import with_home
from lslo_cli.method.flare import SOURCE
from lslo_cli.method.memory import MemoryEstimate
from lslo_cli.method.shapes import ModelShape
from lslo_cli.models.base_info import base_facts, shape_without_folder
from lslo_cli.models.work import Work, batches_of_flores, work_of
from lslo_cli.recipe import Method, Recipe
from lslo_cli.reproduce.flare_making import check_settings_ahead
from lslo_cli.reproduce.job import FlareJob, Job, Jobs
from lslo_cli.reproduce.making import epochs_of, is_current
from lslo_cli.reproduce.stages import parts_of
from lslo_cli.tasks.setup import prepare


@dataclass(frozen=True)
class Forecast:
    """One job: whether it is done, and its cost; None for values that do not apply.

    ``updates`` are those of an epoch, counted if base model and text exist, else estimated for FLORES-101.
    ``trainable`` is None for a rank map that is not estimated yet; ``trainable_paper_style`` is also None if
    it would be the same.
    """

    label: str
    current: bool
    epochs: int
    updates: int | None = None
    counted: bool = True
    trainable: int | None = None
    trainable_paper_style: int | None = None
    memory: MemoryEstimate | None = None


def forecasts(jobs: Jobs) -> list[Forecast]:
    """The cost of every job. Raises what loading an existing base model or reading existing text raises.

    Raises also what :func:`check_settings_ahead` does.
    """
    check_settings_ahead(jobs.values())
    counted: dict[str, tuple[int, bool]] = {}
    return [_forecast(job, counted) for job in jobs.values()]


def _forecast(job: Job, counted: dict[str, tuple[int, bool]]) -> Forecast:
    current, epochs = is_current(job), epochs_of(job)
    if not epochs:
        return Forecast(job.label, current, 0)
    if isinstance(job, FlareJob):
        return _forecast_flare(job, current, epochs)
    recipe = job.experiment.recipe
    place = str(job.experiment.folder.path)
    if place not in counted:  # all trainings of an experiment have the same batches
        counted[place] = updates_of(recipe)
    updates, certain = counted[place]
    shape = shape_of(recipe)
    work = _work(recipe, parts_of(job)[0].command)
    if work is None:
        return Forecast(job.label, current, epochs, updates, certain)
    memory = work.memory(shape, recipe.fit.max_tokens) if recipe.fit.max_tokens != "auto" else None
    counts = work.trainable(shape), work.paper_style(shape)
    return Forecast(job.label, current, epochs, updates, certain, *counts, memory)


def _forecast_flare(job: FlareJob, current: bool, epochs: int) -> Forecast:
    """The cost of a FLARE training: its updates, from the task's files or the published number of rows."""
    settings = job.experiment.recipe.flare
    task = task_named(settings.task)
    try:
        rows, counted = len(task.pairs(Path(settings.data), SOURCE, "train", None, None).target), True
    except InputError:
        rows, counted = task.rows, False
    updates = ceil(min(rows, settings.train_rows or rows) / settings.batch_size)
    return Forecast(job.label, current, epochs, updates, counted)


def updates_of(recipe: Recipe) -> tuple[int, bool]:
    """Updates in an epoch, and whether they were counted or only estimated for FLORES-101."""
    fit, data = recipe.fit, recipe.data
    if _at_hand(recipe.model.name, data.path):
        batches = len(prepare(recipe).training_batches(adapted=()).batches(1))
        return ceil(batches / fit.accumulate), True
    return ceil(batches_of_flores(recipe) / fit.accumulate), False


def shape_of(recipe: Recipe) -> ModelShape:
    """The shape of the recipe's base model. Raises InputError or UsageError if there is no such model."""
    name = recipe.model.name
    return shape_without_folder(name) or base_facts(name, recipe.model.revision).shape


def _work(recipe: Recipe, command: str) -> Work | None:
    """The training of a job; None if its ranks are not estimated yet."""
    ranks = recipe.given_ranks() if command == "train" else None
    if command == "train" and ranks is None and recipe.train.method is not Method.FULL:
        return None
    return work_of(recipe, command, ranks)


def _at_hand(*names: str) -> bool:
    return all(name == WORLD_NAME or with_home(name).exists() for name in names)
