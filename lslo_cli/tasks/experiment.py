"""An experiment, and the artifacts in its folder with their provenance."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import Stopwatch, digest_of, made
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import (
    Artifact,
    DataIdentity,
    Input,
    LanguageRecord,
    ModelIdentity,
    Result,
    artifact_of,
)
from lslo_cli.artifacts.writing import write_text
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Language
from lslo_cli.recipe import MEMORY_FILE, Memory, Recipe, read_memory


@dataclass(frozen=True)
class Experiment:
    """A recipe, the folder of its artifacts, and the running command line, for the record.

    ``memory`` is what later commands of the experiment will take as given; None leaves it unchanged.
    ``typed`` are the settings on that line, by recipe key, as they were typed: of all settings, only these
    are known to be meant for this very command.
    """

    recipe: Recipe
    folder: ExperimentFolder
    command: str
    memory: Memory | None = None
    typed: Mapping[str, str] = field(default_factory=dict)

    def remember(self) -> None:
        """Write what the experiment remembers, which makes it the one last worked on.

        What another command has written since this one began stays.
        """
        if self.memory is None:
            return
        path = self.folder.path / MEMORY_FILE
        with locked(path):
            memory = read_memory(self.folder.path).adding(self.memory)
            write_text(path, memory.text(self.folder.path))


@dataclass(frozen=True)
class Written:
    """An artifact on disk. ``up_to_date`` means that it was there already and nothing ran."""

    path: Path
    artifact: Artifact[Any]
    up_to_date: bool = False


@dataclass(frozen=True)
class Upstream:
    """An artifact that another is made from: its role, its path, and its digest."""

    role: str
    path: Path
    digest: str

    def as_input(self, folder: Path) -> Input:
        """The record of it in an artifact in ``folder``, with a relative path: experiments can be moved."""
        path = Path(os.path.relpath(self.path.resolve(), folder.resolve())).as_posix()
        return Input(role=self.role, path=path, digest=self.digest)


def document(
    result: Result,
    experiment: Experiment,
    path: Path,
    *,
    languages: Sequence[Language],
    model: ModelIdentity,
    data: list[DataIdentity],
    upstream: Sequence[Upstream],
    stopwatch: Stopwatch,
    device: str,
) -> Written:
    """``result`` as the artifact to be written to ``path``."""
    recipe = experiment.recipe
    artifact = artifact_of(type(result))(
        schema_id=f"lslo/{result.kind}",
        version=result.version,
        experiment=recipe.experiment,
        seed=recipe.seed,
        languages=[LanguageRecord.of(language) for language in languages],
        recipe=recipe.model_dump(mode="json"),
        inputs=[item.as_input(path.parent) for item in upstream],
        data=data,
        model=model,
        result=result,
        digest=digest_of(result.model_dump(mode="json")),
        made=made(stopwatch, device, experiment.command),
    )
    return Written(path, artifact)


def write_derived(
    result: Result,
    experiment: Experiment,
    path: Path,
    like: Artifact[Any],
    upstream: Sequence[Upstream],
    stopwatch: Stopwatch,
) -> Written:
    """Write what was computed from artifacts alone, with the seed, languages, model and text of ``like``.

    The artifact's lock is held only while it is written.
    """
    recipe = experiment.recipe.model_copy(update={"seed": like.seed})
    written = document(
        result,
        replace(experiment, recipe=recipe),
        path,
        languages=[record.language() for record in like.languages],
        model=like.model,
        data=like.data,
        upstream=upstream,
        stopwatch=stopwatch,
        device="cpu",
    )
    with locked(path):
        store.write(path, written.artifact)
    return written


def read_training(experiment: ExperimentFolder, run: RunFolder) -> Artifact[TrainingResult]:
    """The training artifact of a run.

    Raises InputError if there is none, listing the runs, or if it is damaged or stale.
    """
    check_trained(experiment, run)
    return store.read_fresh(run.training, TrainingResult)


def check_trained(experiment: ExperimentFolder, run: RunFolder) -> None:
    """Raise InputError if a run has no training artifact, listing those that have."""
    if not run.training.exists():
        names = [there.name for there in experiment.trained_runs()]
        if run.name == BASE_RUN:
            raise InputError(
                f"'{BASE_RUN}' is the base model, which trained nothing",
                f"trained runs in {experiment.path}: {', '.join(names) or 'none'}",
            )
        raise InputError(
            f"no run '{run.name}' in {experiment.path}", f"runs there: {', '.join([BASE_RUN, *names])}"
        )
