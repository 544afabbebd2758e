"""``lslo flare``: from a recipe to artifacts by seed and language; those up to date are not made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.results import (
    Activation,
    FlareEvaluationResult,
    FlareTrainingResult,
    Prediction,
    TrainedRun,
)
from lslo_cli.flare.runs import TUNING, answer, probe, train_run, tune
from lslo_cli.flare.setup import FlareSetup, prepare
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.flare.tasks import SOURCE
from lslo_cli.method.flare import FlareMethod, FlareRun, shuffled_rows
from lslo_cli.tasks.experiment import Experiment, Upstream, Written
from lslo_cli.tasks.job import ArtifactJob, alone, artifact_job
from lslo_cli.training.trackers import check_tracker

SMALLER = "lower the batch size or the length of texts: --set flare.batch_size=8, --set flare.max_length=64"


class Seed:
    """One seed of an experiment: its setup, and the artifacts of its languages."""

    def __init__(self, experiment: Experiment, number: int, on_event: OnEvent):
        recipe = experiment.recipe.model_copy(update={"seed": number})
        self.experiment = replace(experiment, recipe=recipe)
        self._on_event = on_event

    @cached_property
    def setup(self) -> FlareSetup:
        return prepare(self.experiment.recipe, self._on_event)

    def folder(self, language: str) -> LanguageFolder:
        return LanguageFolder.of(self.experiment.folder, self.experiment.recipe.seed, language)

    @property
    def source(self) -> LanguageFolder:
        return self.folder(SOURCE)

    @contextmanager
    def job(
        self, path: Path, upstream: Sequence[Upstream] = (), owned: Sequence[Path] = ()
    ) -> Iterator[ArtifactJob[FlareSetup]]:
        """An :func:`artifact_job` of this seed, before any text is read."""
        with artifact_job(
            self.experiment, path, lambda: self.setup, SMALLER, owned=owned, on_event=self._on_event
        ) as job:
            job.upstream += upstream
            self.setup.data = []
            yield job

    def alone(self, path: Path) -> AbstractContextManager[None]:
        """Hold the lock of a file of this seed, so that one process makes it."""
        return alone(path, SMALLER, on_event=self._on_event)

    def training(self, language: str) -> Artifact[FlareTrainingResult]:
        """The training on a language. Raises InputError if there is none, or it is of another task model."""
        path = self.folder(language).training
        artifact = store.read(path, FlareTrainingResult)
        store.check_belongs(path, artifact, self.setup.model_identity.digest, [], FlareTrainingResult.command)
        return artifact

    @cached_property
    def tuned(self) -> TaskModel:
        """The model tuned on the source language. Raises InputError if it has not been trained."""
        run = self.training(SOURCE).result.run(TUNING)
        if run is None or run.weights is None:
            raise InputError(
                f"{self.source.training} has no run '{TUNING}'", f"train it: {FlareTrainingResult.command}"
            )
        return self.setup.tuned_model(store.read_tensor_path(self.source.training, run.weights))

    @cached_property
    def tuning(self) -> Upstream:
        """The tuning as an upstream of other artifacts."""
        artifact = store.read(self.source.training, FlareTrainingResult)
        return Upstream("tuning", self.source.training, artifact.digest)


def train(experiment: Experiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Tune on the source language and train every run on every target language, for every seed.

    Every artifact is yielded when its last run is done. It is written after each run, so a second call
    resumes an interrupted experiment.
    """
    for number in experiment.recipe.flare.seeds:
        seed = Seed(experiment, number, on_event)
        yield tuned(seed)
        for language in experiment.recipe.flare.languages:
            yield trained(seed, language, experiment.recipe.flare.parsed_runs())


def tuned(seed: Seed) -> Written:
    """The tuning on the source language, made if it is not up to date."""
    check_tracker(seed.experiment.recipe.run.track)
    folder = seed.source
    with seed.job(folder.training, owned=[folder.all_weights]) as job:
        current = job.up_to_date(FlareTrainingResult)
        if current and TUNING in whole_runs(current):
            return current
        _read(job.setup, SOURCE)
        run = tune(job.setup, folder.weights(TUNING), folder.metrics(TUNING))
        return job.write(FlareTrainingResult(task=job.setup.settings.task, language=SOURCE, runs=[run]))


def trained(seed: Seed, language: str, runs: Sequence[FlareRun]) -> Written:
    """The training on a target language, with ``runs`` in it; missing ones are trained.

    One process makes a run; others may make other runs of the same training at the same time.
    """
    check_tracker(seed.experiment.recipe.run.track)
    with seed.job(seed.folder(language).training, [seed.tuning]) as job:
        written = job.up_to_date(FlareTrainingResult)
        missing = missing_runs(job.setup, runs, whole_runs(written))
        if not missing:
            return written or _write(job, language, {})
    for run in missing:
        written = _with_run(seed, language, run)
    assert written  # at least one run was added
    return written


def _with_run(seed: Seed, language: str, run: FlareRun) -> Written:
    """The training on a language with one more run, which is trained unless another process has."""
    folder = seed.folder(language)
    weights = folder.weights(run.stem)
    with seed.alone(weights):
        with seed.job(folder.training, [seed.tuning]) as job:
            written = job.up_to_date(FlareTrainingResult)
            if written and not missing_runs(job.setup, [run], whole_runs(written)):
                return written
        stopwatch = Stopwatch()
        record = train_run(seed.setup, seed.tuned, run, language, weights, folder.metrics(run.stem))
        with seed.job(folder.training, [seed.tuning]) as job:
            job.stopwatch = stopwatch
            done = whole_runs(job.up_to_date(FlareTrainingResult))  # others may have added runs meanwhile
            return _write(job, language, {**done, str(run): record})


def _write(job: ArtifactJob[FlareSetup], language: str, done: Mapping[str, TrainedRun]) -> Written:
    """Write a training, its runs in a fixed order, whichever was done first."""
    _read(job.setup, language)
    runs = sorted(done.values(), key=lambda run: FlareRun.parse(run.run).sort_key)
    return job.write(FlareTrainingResult(task=job.setup.settings.task, language=language, runs=runs))


def _read(setup: FlareSetup, language: str) -> None:
    """Read the training text, so that the artifact always names it."""
    for split in ("train", "dev"):
        setup.pairs(language, split)


def missing_runs(
    setup: FlareSetup, runs: Sequence[FlareRun], done: Mapping[str, TrainedRun]
) -> list[FlareRun]:
    """The ``runs`` that are not ``done``, or were done with another translation model."""
    return [run for run in runs if str(run) not in done or not _same_translator(setup, done[str(run)], run)]


def _same_translator(setup: FlareSetup, done: TrainedRun, run: FlareRun) -> bool:
    found = done.translator, done.translator_digest
    return found == (setup.translator_of(run), setup.translator_digest(run))


def whole_runs(written: Written | None) -> dict[str, TrainedRun]:
    """The runs of a training by name, without those whose weights are missing or damaged."""
    found: dict[str, TrainedRun] = {}
    if not written:
        return found
    for run in written.artifact.result.runs:
        try:
            if run.weights:
                store.read_tensor_path(written.path, run.weights)
        except InputError:
            continue
        found[run.run] = run
    return found


def evaluate(experiment: Experiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Test every trained run on every target language with its controls, and yield each artifact.

    Raises InputError if a run has not been trained.
    """
    for number in experiment.recipe.flare.seeds:
        seed = Seed(experiment, number, on_event)
        for language in experiment.recipe.flare.languages:
            yield evaluated(seed, language)


def evaluated(seed: Seed, language: str) -> Written:
    """The test of every run that was trained on a language, made if it is not up to date."""
    folder = seed.folder(language)
    with seed.job(folder.evaluation) as job:
        setup, training = job.setup, seed.training(language)
        job.upstream += [seed.tuning, Upstream("training", folder.training, training.digest)]
        current = job.up_to_date(FlareEvaluationResult)
        if current:
            return current
        before = job.up_to_date(FlareEvaluationResult, but_for="training")
        task, pairs = setup.task, setup.pairs(language, "test")
        predictions: list[Prediction] = []
        activations: list[Activation] = []
        for record in training.result.runs:
            run = FlareRun.parse(record.run)
            weights = record.weights.digest if record.weights else ""
            is_probed = run == FlareRun(FlareMethod.FLARE)
            if before and (tested := _tests_of(before.artifact.result, record.run, weights)):
                predictions += tested
                activations = before.artifact.result.activations if is_probed else activations
                continue
            path = store.read_tensor_path(folder.training, record.weights) if record.weights else Path()
            answers = answer(setup, seed.tuned, run, language, path, pairs)
            predictions += [test.model_copy(update={"weights": weights}) for test in answers]
            if is_probed:
                activations = probe(setup, seed.tuned, run, language, path, pairs)
        return job.write(
            FlareEvaluationResult(
                task=setup.settings.task,
                language=language,
                metric=task.metric,
                labels=list(task.labels),
                gold="".join(map(str, pairs.labels)) if task.labels else "1" * len(pairs.target),
                shuffled=shuffled_rows(len(pairs.labels), setup.seed),
                predictions=predictions,
                activations=activations,
            )
        )


def _tests_of(before: FlareEvaluationResult, run: str, weights: str) -> list[Prediction]:
    """The tests of a run with weights of that digest."""
    return [test for test in before.predictions if (test.run, test.weights) == (run, weights)]
