"""``lslo flare``: from a recipe to artifacts by seed and language; those up to date are not made again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError, naming_lack_of_memory
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.flare.checks import check_experiment, check_settings, left_out_of_tests, whole_runs
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.results import (
    Activation,
    FlareEvaluationResult,
    FlareTrainingResult,
    Prediction,
    TextOrigin,
    TrainedRun,
)
from lslo_cli.flare.runs import TUNING, answer, probe, train_run, tune
from lslo_cli.flare.setup import FlareSetup, prepare
from lslo_cli.flare.task_model import TaskModel
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun, Translated, shuffled_rows
from lslo_cli.tasks.experiment import Experiment, Upstream, Written
from lslo_cli.tasks.job import OF_TEXT, ArtifactJob, alone, artifact_job
from lslo_cli.training.trackers import check_tracker
from lslo_cli.wording import Command

SMALLER = "lower the batch size or the length of texts: --set flare.batch_size=8, --set flare.max_length=64"
SMALLER_TESTS = "lower the batch size: --set flare.batch_size=8"


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
        or translation than there is now, or with other settings.
        """
        path = self.folder(language).training
        if not path.exists():
            raise InputError(f"no {FlareTrainingResult.kind} at {path}", *self._train_hint)
        artifact = store.read(path, FlareTrainingResult)
        store.check_belongs(path, artifact, self.setup.model_identity, [], self._train_line)
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
        of_recipe = self.setup.settings.parsed_runs()
        missing = [str(run) for run in asked or of_recipe if str(run) not in done]
        if missing and asked:
            raise InputError(f"{path} has no run {', '.join(missing)}", *self._train_hint)
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


def train(experiment: Experiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Tune on the source language and train every run on every target language, for every seed.

    Every artifact is yielded when its last run is done. It is written after each run, so a second call
    resumes an interrupted experiment. Raises what :func:`check_ahead` does before anything is trained.
    """
    settings = experiment.recipe.flare
    languages, runs = settings.languages, settings.parsed_runs()
    for position, number in enumerate(settings.seeds):
        seed = SeedRun(experiment, number, on_event)
        if position == 0:  # the other seeds have the same texts and runs
            check_ahead(seed, languages, runs)
        yield tuned(seed)
        for language in languages:
            yield trained(seed, language, runs)


def check_ahead(
    seed: SeedRun,
    languages: Sequence[str],
    runs: Sequence[FlareRun],
    to_translate: Collection[Translated] = (),
) -> None:
    """:func:`check_experiment` before the work on a seed.

    Raises what it does, InputError if results cannot be written, and RunError if memory runs out.
    """
    check_tracker(seed.experiment.recipe.run.track)
    store.check_writable(seed.experiment.folder.path)
    with naming_lack_of_memory(SMALLER):
        check_experiment(seed.setup, languages, runs, to_translate)


def tuned(seed: SeedRun) -> Written:
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


def trained(seed: SeedRun, language: str, runs: Sequence[FlareRun]) -> Written:
    """The training on a target language, with ``runs`` in it; missing ones are trained.

    One process makes a run; others may make other runs of the same training at the same time.
    """
    check_tracker(seed.experiment.recipe.run.track)
    with seed.job(seed.folder(language).training, [seed.tuning]) as job:
        written = job.up_to_date(FlareTrainingResult)
        missing = missing_runs(job.setup, language, runs, whole_runs(written))
        if not missing:
            return written or _write(job, language, {})
    for run in missing:
        written = _with_run(seed, language, run)
    assert written  # at least one run was added
    return written


def _with_run(seed: SeedRun, language: str, run: FlareRun) -> Written:
    """The training on a language with one more run, which is trained unless another process has."""
    folder = seed.folder(language)
    weights = folder.weights(run.stem)
    with seed.alone(weights):
        with seed.job(folder.training, [seed.tuning]) as job:
            written = job.up_to_date(FlareTrainingResult)
            if written and not missing_runs(job.setup, language, [run], whole_runs(written)):
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
    return job.write(
        FlareTrainingResult(
            task=job.setup.settings.task, language=language, runs=runs, translations=_origins(job)
        )
    )


def _origins(job: ArtifactJob[FlareSetup]) -> dict[str, TextOrigin]:
    """The origins of the translated texts that were read, by split; their records become inputs."""
    found = job.setup.translations
    records = {record.path: Upstream(OF_TEXT, record.path, record.digest) for record in found.values()}
    job.upstream += records.values()
    return {split: record.origin for split, record in found.items()}


def _read(setup: FlareSetup, language: str) -> None:
    """Read the training text, so that the artifact always names it."""
    for split in ("train", "dev"):
        setup.pairs(language, split)


def missing_runs(
    setup: FlareSetup, language: str, runs: Sequence[FlareRun], done: Mapping[str, TrainedRun]
) -> list[FlareRun]:
    """The ``runs`` on a language that are not ``done``, or were done with another translation model."""
    return [
        run
        for run in runs
        if str(run) not in done or not _same_translator(setup, language, done[str(run)], run)
    ]


def _same_translator(setup: FlareSetup, language: str, done: TrainedRun, run: FlareRun) -> bool:
    found = done.translator, done.translator_digest
    return found == (setup.translator_of(run, language), setup.translator_digest(run))


def check_translator(
    path: Path, setup: FlareSetup, language: str, done: TrainedRun, run: FlareRun, line: Command | str
) -> None:
    """Raise InputError if a run in the training at ``path`` has another translation model than the recipe."""
    if not _same_translator(setup, language, done, run):
        now = f"{setup.translator_of(run, language)} ({setup.translator_digest(run)[:12]})"
        raise InputError(
            f"{path}: {run} was trained with {done.translator} ({done.translator_digest[:12]}), and "
            f"flare.translators now names {now}",
            "name the same translation model, or train first",
            line,
        )


def evaluate(
    experiment: Experiment,
    on_event: OnEvent = ignore,
    asked: Sequence[FlareRun] = (),
    train_line: Command | str = FlareTrainingResult.command,
) -> Iterator[Written]:
    """Test runs on every target language with their controls, and yield each artifact.

    The runs ``asked`` for are tested, by default all that are trained. ``train_line`` is the command line
    that trains them. Raises InputError if a run asked for has not been trained.
    """
    for number in experiment.recipe.flare.seeds:
        seed = SeedRun(experiment, number, on_event, train_line)
        for language in experiment.recipe.flare.languages:
            yield evaluated(seed, language, asked)


def evaluated(seed: SeedRun, language: str, asked: Sequence[FlareRun] = ()) -> Written:
    """The test of the runs ``asked`` for, by default of all that were trained on a language.

    What is up to date is not tested again, and tests of other runs are kept.
    """
    folder = seed.folder(language)
    with seed.job(folder.evaluation, lighter=SMALLER_TESTS) as job:
        setup, training = job.setup, seed.training(language)
        wanted = seed.to_test(training.result, asked)
        job.upstream += [seed.tuning, Upstream("training", folder.training, training.digest)]
        current = job.up_to_date(FlareEvaluationResult)
        if current and tested_runs(current).issuperset(wanted):
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
            if record.run not in wanted:
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
                translations=_origins(job),
            )
        )


def tested_runs(written: Written) -> set[str]:
    """The names of the runs in an evaluation."""
    return {test.run for test in written.artifact.result.predictions}


def _tests_of(before: FlareEvaluationResult, run: str, weights: str) -> list[Prediction]:
    """The tests of a run with weights of that digest."""
    return [test for test in before.predictions if (test.run, test.weights) == (run, weights)]
