"""The languages that runs were trained for: which runs are evaluated by default, and which are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lslo_cli.artifacts import store
from lslo_cli.artifacts.again import train_again
from lslo_cli.artifacts.folder import BASE_RUN, RESULTS, RunFolder
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact, ModelIdentity
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.models.base import BaseModel, digest_on_disk
from lslo_cli.tasks.experiment import Experiment, read_training
from lslo_cli.tasks.setup import Setup
from lslo_cli.wording import typed


def runs_to_evaluate(
    experiment: Experiment, runs: Sequence[str], on_event: OnEvent = ignore
) -> list[RunFolder]:
    """The named runs, or the base model and every run that was trained for the experiment's languages.

    A note says of each run of other languages how it is evaluated, and why one that is not named cannot be
    read or is stale. Raises InputError for an unknown run.
    """
    if not runs:
        return [experiment.folder.run(BASE_RUN), *_of_its_languages(experiment, on_event)]
    folders = [experiment.folder.run(name) for name in runs]
    for folder in folders:
        if folder.name != BASE_RUN:
            read_training(experiment.folder, folder)
    return folders


def _of_its_languages(experiment: Experiment, on_event: OnEvent) -> Iterator[RunFolder]:
    there = experiment.folder.trained_runs()
    folders = [folder for folder in there if _is_readable(experiment, folder, on_event)]
    recipe = with_new_languages(experiment, folders).recipe
    wanted = tuple(language.code for language in recipe.selected_languages())
    for folder in folders:
        training = read_training(experiment.folder, folder)
        if (codes := languages_of(training)) == wanted:
            yield folder
            continue
        on_event(
            Noted(
                f"left out {folder.name}, which was trained for {', '.join(codes)}; to evaluate it: "
                + _evaluation_of(folder, training)
            )
        )


def _is_readable(experiment: Experiment, folder: RunFolder, on_event: OnEvent) -> bool:
    """Whether the training of a run can be read and is not stale, with a note if not."""
    try:
        read_training(experiment.folder, folder)
    except InputError as error:
        told = f"left out {folder.name}: {error.message}"
        if error.line:  # which the command line completes where the run is named
            told += f"; --run {folder.name} gives the line that trains it again"
        on_event(Noted(told))
        return False
    return True


def _evaluation_of(folder: RunFolder, training: Artifact[TrainingResult]) -> str:
    """The line that evaluates a run where it is, with the languages and settings recorded with it."""
    place = folder.path.parent.parent
    results = () if place.parent == RESULTS else ("--results", place.parent)
    name = () if place.name == training.experiment else ("--name", place.name)
    return typed("evaluate", "--run", folder.path, *results, *name)


def with_new_languages(experiment: Experiment, folders: Sequence[RunFolder]) -> Experiment:
    """The experiment with the languages that its runs added to the base, if the recipe adds none."""
    if experiment.recipe.new_languages:
        return experiment
    trained = [folder for folder in folders if folder.name != BASE_RUN]
    found = [read_training(experiment.folder, folder).result.new_languages for folder in trained]
    new = {code: relative for languages in found for code, relative in languages.items()}
    return replace(experiment, recipe=experiment.recipe.model_copy(update={"new_languages": new}))


def languages_of(training: Artifact[TrainingResult]) -> tuple[str, ...]:
    """The codes of the languages that a run was trained for."""
    return tuple(record.code for record in training.languages)


def _identified(base: BaseModel, trained: ModelIdentity) -> ModelIdentity:
    """The identity of a base, to be compared with that of a run.

    The weights of one that a plan has loaded without them are only read, for their digest, if name or sizes
    are not the run's.
    """
    model = base.identity
    if model.digest:
        return model
    seems_its = model.name == trained.name and model.shape == trained.shape
    digest = "" if seems_its else digest_on_disk(base)
    return model.model_copy(update={"digest": digest or trained.digest})


def check_trained_for(setup: Setup, folder: RunFolder, training: Artifact[TrainingResult]) -> None:
    """Refuse a run of another base model (InputError), or with other languages or order (UsageError)."""
    model = _identified(setup.base, training.model)
    store.check_belongs(folder.training, training, model, [], train_again(folder.path))
    codes = languages_of(training)
    if codes != setup.codes:
        raise UsageError(
            f"run {folder.name} was trained for {', '.join(codes)}, not {', '.join(setup.codes)}",
            f"name it by its folder, which brings its languages, and leave out --langs: --run {folder.path}",
        )
