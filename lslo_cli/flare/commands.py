"""``lslo flare``: from a recipe to artifacts by seed and language; those up to date are not made again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.errors import naming_lack_of_memory
from lslo_cli.events import OnEvent, ignore
from lslo_cli.flare.checks import check_experiment, check_neighbours, tests_to_keep, whole_runs
from lslo_cli.flare.examples import Pairs
from lslo_cli.flare.results import (
    Activation,
    FlareEvaluationResult,
    FlareTrainingResult,
    Prediction,
    TextOrigin,
    TrainedRun,
)
from lslo_cli.flare.runs import TUNING, answer, probe, train_run, tune
from lslo_cli.flare.seed_run import SMALLER, SeedRun, same_translator
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun, Translated, shuffled_rows
from lslo_cli.tasks.experiment import Experiment, Upstream, Written
from lslo_cli.tasks.job import OF_TEXT, ArtifactJob
from lslo_cli.training.trackers import check_tracker
from lslo_cli.wording import Command

SMALLER_TESTS = "lower the batch size: --set flare.batch_size=8"


def train(experiment: Experiment, on_event: OnEvent = ignore) -> Iterator[Written]:
    """Tune on the source language and train every run on every target language, for every seed.

    Every artifact is yielded when its last run is done. It is written after each run, so a second call
    resumes an interrupted experiment. Raises what :func:`check_ahead` and
    :func:`check_neighbours` do before anything is trained.
    """
    settings = experiment.recipe.flare
    languages, runs = settings.languages, settings.parsed_runs()
    for position, number in enumerate(settings.seeds):
        seed = SeedRun(experiment, number, on_event)
        if position == 0:  # the other seeds have the same texts and runs
            check_ahead(seed, languages, runs)
            check_neighbours(experiment, seed.setup)
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
        run = tune(job.setup, folder)
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
    made = [_with_run(seed, language, run) for run in missing]
    return replace(made[-1], up_to_date=all(each.up_to_date for each in made))


def _with_run(seed: SeedRun, language: str, run: FlareRun) -> Written:
    """The training on a language with one more run, which is trained unless another process has."""
    folder = seed.folder(language)
    with seed.alone(folder.weights(run.stem)):
        with seed.job(folder.training, [seed.tuning]) as job:
            written = job.up_to_date(FlareTrainingResult)
            if written and not missing_runs(job.setup, language, [run], whole_runs(written)):
                return written
        stopwatch = Stopwatch()
        record = train_run(seed.setup, seed.tuned, run, folder)
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
    job.upstream += [record for record in records.values() if record not in job.upstream]
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
        if str(run) not in done or not same_translator(setup, language, done[str(run)], run)
    ]


def evaluate(
    experiment: Experiment,
    on_event: OnEvent = ignore,
    asked: Sequence[FlareRun] = (),
    train_line: Command | str = FlareTrainingResult.command,
) -> Iterator[Written]:
    """Test runs on every target language with their controls, and yield each artifact.

    The runs ``asked`` for are tested, by default all that are trained. ``train_line`` is the command line
    that trains them. Raises InputError if a run asked for has not been trained, before any is tested.
    """
    settings = experiment.recipe.flare
    for number, language in product(settings.seeds, settings.languages):
        SeedRun(experiment, number, on_event, train_line).check_trained(language, asked)
    for number in settings.seeds:
        seed = SeedRun(experiment, number, on_event, train_line)
        for language in settings.languages:
            yield evaluated(seed, language, asked)


def evaluated(seed: SeedRun, language: str, asked: Sequence[FlareRun] = ()) -> Written:
    """The test of the runs ``asked`` for, by default of all that were trained on a language.

    What is up to date is not tested again, and tests of other runs are kept. It is written after each run, so
    a second call goes on after the last one. Raises InputError if tests of other runs would be lost.
    """
    folder = seed.folder(language)
    with seed.job(folder.evaluation, lighter=SMALLER_TESTS) as job:
        setup, training = job.setup, seed.training(language)
        wanted = seed.to_test(training.result, asked)
        job.upstream += [seed.tuning, Upstream("training", folder.training, training.digest)]
        current = job.up_to_date(FlareEvaluationResult)
        if current and current.artifact.result.tested.issuperset(wanted):
            return current
        before = tests_to_keep(job, training.result, wanted)
        pairs = setup.pairs(language, "test")
        tests = before.by_run() if before else {}
        activations = before.activations if before else []
        written = None
        for record in training.result.runs:
            if record.run not in wanted or record.run in tests:
                continue
            run, weights = FlareRun.parse(record.run), record.weights
            path = store.read_tensor_path(folder.training, weights) if weights else Path()
            answers = answer(setup, seed.tuned, run, language, path, pairs)
            digest = weights.digest if weights else ""
            tests[record.run] = [test.model_copy(update={"weights": digest}) for test in answers]
            if run == FlareRun(FlareMethod.FLARE):
                activations = probe(setup, seed.tuned, run, language, path, pairs)
            written = _write_tests(job, training.result, pairs, tests, activations)
        return written or _write_tests(job, training.result, pairs, tests, activations)


def _write_tests(
    job: ArtifactJob[FlareSetup],
    training: FlareTrainingResult,
    pairs: Pairs,
    tests: Mapping[str, Sequence[Prediction]],
    activations: Sequence[Activation],
) -> Written:
    """Write an evaluation of ``tests`` by run, in the order of the training."""
    task, rows = job.setup.task, len(pairs.target)
    return job.write(
        FlareEvaluationResult(
            task=job.setup.settings.task,
            language=training.language,
            metric=task.metric,
            labels=list(task.labels),
            gold="".join(map(str, pairs.labels)) if task.labels else "1" * rows,
            shuffled=shuffled_rows(rows, job.setup.seed) if rows > 1 else [],
            predictions=[test for run in training.runs for test in tests.get(run.run, ())],
            activations=list(activations),
            translations=_origins(job),
        )
    )
