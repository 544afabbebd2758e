"""Run one FLARE job: translation, tuning, a method's training, tests, or the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.flare import commands
from lslo_cli.flare.checks import check_neighbours, left_out_of_tests, whole_runs
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.inputs import seem_the_same
from lslo_cli.flare.results import FlareEvaluationResult, FlareResult, FlareTrainingResult
from lslo_cli.flare.runs import TUNING
from lslo_cli.flare.seed_run import SeedRun
from lslo_cli.flare.translating import check_translations, run_of_texts, seems_translated, translate_task
from lslo_cli.recipe import Recipe, with_values
from lslo_cli.reproduce.job import FlareJob, FlareStage, Job, Kind
from lslo_cli.tasks.experiment import Written
from lslo_cli.tasks.freshness import seems_current

ON_CPU = {"run.device": "cpu", "run.precision": "fp32"}
"""Settings with which a machine without a GPU loads what one with a GPU will train."""


def make_flare(job: FlareJob, on_event: OnEvent) -> bool:
    """Run a job unless it is up to date; returns whether it ran."""
    experiment = job.experiment
    seed = SeedRun(experiment, experiment.recipe.seed, on_event)
    match job.kind:
        case FlareStage.TRANSLATE:
            run = run_of_texts(experiment)
            made = list(translate_task(experiment, run, on_event, [job.language]))
            return not all(written.up_to_date for written in made)
        case FlareStage.TUNE:
            return not commands.tuned(seed).up_to_date
        case FlareStage.TRAIN:
            assert job.run
            return not commands.trained(seed, job.language, [job.run]).up_to_date
        case FlareStage.EVALUATE:
            return not commands.evaluated(seed, job.language).up_to_date
        case FlareStage.REPORT:
            from lslo_cli.flare.reporting import write_report  # slow to load, and only needed here

            write_report(experiment.folder)
    return True


def check_flare(jobs: Iterable[FlareJob], on_cpu: bool = False) -> None:
    """Check what the trainings and translations among ``jobs`` need, by experiment, on one seed of it.

    With ``on_cpu`` they are for another machine, whose GPU need not be here. Raises what
    :func:`~lslo_cli.flare.commands.check_ahead` and :func:`~lslo_cli.flare.checks.check_neighbours` do,
    and :func:`~lslo_cli.flare.translating.check_translations`.
    """
    by_experiment: dict[tuple[str, Kind], list[FlareJob]] = {}
    for job in jobs:
        by_experiment.setdefault((str(job.experiment.folder.path), job.kind), []).append(job)
    checks = {FlareStage.TRANSLATE: _check_translations, FlareStage.TRAIN: _check_trainings}
    for kind, check in checks.items():
        for (_, of), alike in by_experiment.items():
            if of is kind:
                check(alike, ON_CPU if on_cpu else {})


def _check_translations(jobs: Sequence[FlareJob], machine: Mapping[str, str]) -> None:
    """Check what the translations of one experiment need, with other settings of the ``machine``."""
    experiment = jobs[0].experiment
    run = run_of_texts(experiment)
    experiment = replace(experiment, recipe=with_values(experiment.recipe, machine))
    check_translations(experiment, run, [job.language for job in jobs])


def check_settings_ahead(jobs: Iterable[Job]) -> None:
    """:func:`~lslo_cli.flare.checks.check_neighbours` of every FLARE experiment, which loads no model."""
    trainings = [job for job in jobs if isinstance(job, FlareJob) and job.kind is FlareStage.TRAIN]
    for experiment in {job.place.partition("/")[0]: job.experiment for job in trainings}.values():
        check_neighbours(experiment)


def _check_trainings(jobs: Sequence[FlareJob], machine: Mapping[str, str]) -> None:
    """Check what the trainings of one experiment need, with other settings of the ``machine``."""
    experiment = jobs[0].experiment
    recipe = with_values(experiment.recipe, machine)
    experiment = replace(experiment, recipe=recipe)
    languages = list(dict.fromkeys(job.language for job in jobs))
    runs = list(dict.fromkeys(job.run for job in jobs if job.run))
    seed = SeedRun(experiment, recipe.seed, ignore)
    commands.check_ahead(seed, languages, runs, recipe.flare.translated)
    check_neighbours(jobs[0].experiment, seed.setup)


def is_flare_current(job: FlareJob) -> bool:
    """Whether a job is done, judging by artifacts; when it runs, texts and models are compared as well."""
    experiment = job.experiment
    recipe = experiment.recipe
    folder = LanguageFolder.of(experiment.folder, recipe.seed, job.language)
    match job.kind:
        case FlareStage.TRANSLATE:
            return seems_translated(experiment, job.language)
        case FlareStage.TUNE | FlareStage.TRAIN:
            name = str(job.run) if job.run else TUNING
            return _seems_current(folder.training, FlareTrainingResult, recipe) and name in _runs(folder)
        case FlareStage.EVALUATE:
            trained = _runs(folder)
            wanted = trained.difference(left_out_of_tests(recipe.flare, trained))
            current = _seems_current(folder.evaluation, FlareEvaluationResult, recipe)
            return current and wanted <= store.read(folder.evaluation, FlareEvaluationResult).result.tested
    return False


def flare_epochs(job: FlareJob) -> int:
    """The epochs that a job trains."""
    settings = job.experiment.recipe.flare
    if job.kind is FlareStage.TUNE:
        return settings.english_epochs or settings.epochs
    return settings.epochs if job.run and job.run.method.trains else 0


def _seems_current(path: Path, kind: type[FlareResult], recipe: Recipe) -> bool:
    """:func:`seems_current`, wherever text and model lie, of the language of its folder."""
    try:
        artifact = store.read(path, kind)
    except InputError:
        return False
    current = seems_current(path, kind, recipe, artifact.model.name, artifact.languages)
    return current and seem_the_same(artifact, recipe.flare)


def _runs(folder: LanguageFolder) -> set[str]:
    """The runs of a training whose weights exist."""
    try:
        artifact = store.read(folder.training, FlareTrainingResult)
    except InputError:
        return set()
    return set(whole_runs(Written(folder.training, artifact)))
