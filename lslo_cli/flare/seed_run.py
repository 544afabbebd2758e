"""One seed of a FLARE experiment: its setup, its jobs, and the trainings that its tests need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent
from lslo_cli.flare.checks import check_settings, check_texts, left_out_of_tests
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.results import FlareTrainingResult, TrainedRun
from lslo_cli.flare.runs import TUNING
from lslo_cli.flare.setup import FlareSetup, prepare
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.method.flare import SOURCE, FlareRun
from lslo_cli.tasks.experiment import Experiment, Upstream
from lslo_cli.tasks.job import ArtifactJob, alone, artifact_job
from lslo_cli.wording import Command

SMALLER = "lower the batch size or the length of texts: --set flare.batch_size=8, --set flare.max_length=64"


class SeedRun:
    """One seed of an experiment: its setup, and the artifacts of its languages.

    ``train_line`` is the command line that trains what is missing, for hints.
    """

    def __init__(
        self,
        experiment: Experiment,
        number: int,
        on_event: OnEvent,
        train_line: Command | str = FlareTrainingResult.command,
    ):
        recipe = experiment.recipe.model_copy(update={"seed": number})
        self.experiment = replace(experiment, recipe=recipe)
        self.on_event = on_event
        self._train_line = train_line
        self._train_hint = "train first", train_line

    @cached_property
    def setup(self) -> FlareSetup:
        return prepare(self.experiment.recipe, self.on_event)

    def folder(self, language: str) -> LanguageFolder:
        return LanguageFolder.of(self.experiment.folder, self.experiment.recipe.seed, language)

    @property
    def source(self) -> LanguageFolder:
        return self.folder(SOURCE)

    @contextmanager
    def job(
        self,
        path: Path,
        upstream: Sequence[Upstream] = (),
        owned: Sequence[Path] = (),
        lighter: str = SMALLER,
    ) -> Iterator[ArtifactJob[FlareSetup]]:
        """An :func:`artifact_job` of this seed, before any text is read."""
        with artifact_job(
            self.experiment, path, lambda: self.setup, lighter, owned=owned, on_event=self.on_event
        ) as job:
            job.upstream += upstream
            self.setup.data, self.setup.translations = [], {}
            yield job

    def alone(self, path: Path) -> AbstractContextManager[None]:
        """Hold the lock of a file of this seed, so that one process makes it."""
        return alone(path, SMALLER, on_event=self.on_event)

    def training(self, language: str) -> Artifact[FlareTrainingResult]:
        """The training on a language.

        Raises InputError if there is none, or if it is stale: of another task model, made from another tuning
        or translation than there is now, with other settings, or from another text than is there now.
        """
        path, artifact = self.folder(language).training, self._recorded(language)
        store.check_belongs(path, artifact, self.setup.model_identity, [], self._train_line)
        check_texts(path, artifact, self.setup, self._train_line)
        return artifact

    def check_trained(self, language: str, asked: Sequence[FlareRun]) -> None:
        """Raise what :meth:`training` and :meth:`to_test` raise without a model or a text."""
        self._check_asked(self._recorded(language).result, asked)

    def _recorded(self, language: str) -> Artifact[FlareTrainingResult]:
        path = self.folder(language).training
        if not path.exists():
            raise InputError(f"no {FlareTrainingResult.kind} at {path}", *self._train_hint)
        artifact = store.read(path, FlareTrainingResult)
        store.check_fresh(path, artifact, self._train_line)
        check_settings(path, artifact, self.experiment.recipe, self._train_line)
        return artifact

    @cached_property
    def tuned(self) -> TaskModel:
        """The model tuned on the source language. Raises InputError if it has not been trained."""
        run = self.training(SOURCE).result.run(TUNING)
        if run is None or run.weights is None:
            raise InputError(f"{self.source.training} has no run '{TUNING}'", *self._train_hint)
        return self.setup.tuned_model(store.read_tensor_path(self.source.training, run.weights))

    @cached_property
    def tuning(self) -> Upstream:
        """The tuning as an upstream of other artifacts."""
        artifact = store.read(self.source.training, FlareTrainingResult)
        return Upstream("tuning", self.source.training, artifact.digest)

    def to_test(self, training: FlareTrainingResult, asked: Sequence[FlareRun]) -> list[str]:
        """The names of the runs ``asked`` for, by default of all that a training holds.

        A run of the recipe that is not trained is then left out with a note, and so is one outside the recipe
        whose translation model the recipe does not name. Raises InputError if a run asked for is not trained,
        if none is left, or if one was trained with another translation model than the recipe's.
        """
        path, done = self.folder(training.language).training, {run.run: run for run in training.runs}
        self._check_asked(training, asked)
        missing = _missing(training, () if asked else self.setup.settings.parsed_runs())
        if missing:
            self.on_event(Noted(f"{path} has no run {', '.join(missing)}: not tested"))
        unnamed = [] if asked else left_out_of_tests(self.setup.settings, done)
        if unnamed:
            self.on_event(Noted(f"{path}: not in flare.translators, so not tested: {', '.join(unnamed)}"))
        wanted = asked or [FlareRun.parse(run) for run in done if run not in unnamed]
        if not wanted:
            raise InputError(f"{path} has no run that this recipe can test", *self._train_hint)
        for run in wanted:
            check_translator(path, self.setup, training.language, done[str(run)], run, self._train_line)
        return [str(run) for run in wanted]

    def _check_asked(self, training: FlareTrainingResult, asked: Sequence[FlareRun]) -> None:
        if missing := _missing(training, asked):
            path = self.folder(training.language).training
            raise InputError(f"{path} has no run {', '.join(missing)}", *self._train_hint)


def _missing(training: FlareTrainingResult, runs: Sequence[FlareRun]) -> list[str]:
    """The names of the ``runs`` that a training lacks."""
    return [str(run) for run in runs if training.run(str(run)) is None]


def same_translator(setup: FlareSetup, language: str, done: TrainedRun, run: FlareRun) -> bool:
    return done.is_by(setup.translator_digest(run), setup.read_as(run, language))


def check_translator(
    path: Path, setup: FlareSetup, language: str, done: TrainedRun, run: FlareRun, line: Command | str
) -> None:
    """Raise InputError if a run in the training at ``path`` has another translation model than the recipe."""
    if not same_translator(setup, language, done, run):
        now = f"{setup.translator_of(run, language)} ({setup.translator_digest(run)[:12]})"
        raise InputError(
            f"{path}: {run} was trained with {done.translator} ({done.translator_digest[:12]}), and "
            f"flare.translators now names {now}",
            "name the same translation model, or train first",
            line,
        )
