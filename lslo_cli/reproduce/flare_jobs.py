"""A FLARE experiment as jobs: translations, tuning, trainings by method, tests, figures, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.flare.catalogue import FIGURES
from lslo_cli.flare.tasks import task_named
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun, Phi
from lslo_cli.plots.catalogue import figure_named
from lslo_cli.reproduce.job import FlareJob, FlareStage, Job, JobKind
from lslo_cli.reproduce.targets import Target
from lslo_cli.tasks.experiment import Experiment

PARTS = {
    *("translate", "tuning", "test", "report", *(figure.name for figure in FIGURES)),
    *(FlareRun(method, phi, offset).stem for method in FlareMethod for phi in Phi for offset in (0, 1)),
}
"""Names of parts, without the translation model of ``flare-mt`` and noise in training."""


def is_flares_part(name: str) -> bool:
    """Whether an experiment may have a part of this name."""
    return name.startswith(f"{FlareMethod.FLARE_MT}-") or name.partition("~")[0] in PARTS


def flare_jobs(target: Target, results: Path, seeds: Sequence[int], command: str) -> list[Job]:
    """All jobs of a target in order of dependency; ``seeds`` default to the recipe's.

    The trainings of one method in all seeds and languages come before those of the next, so that concurrent
    jobs write different artifacts. Raises UsageError for an unknown task or figure.
    """
    recipe = target.recipe({"flare.seeds": tuple(seeds) or None})
    task_named(recipe.flare.task)
    place, settings = recipe.experiment, recipe.flare
    whole = Experiment(recipe, ExperimentFolder(results / place), command)
    of_seed = {
        seed: replace(whole, recipe=recipe.model_copy(update={"seed": seed})) for seed in settings.seeds
    }
    translated = settings.languages if settings.translated else ()
    jobs: list[Job] = [
        FlareJob(f"{place}/{language}/translate", FlareStage.TRANSLATE, whole, language=language)
        for language in translated
    ]
    text = {language: (f"{place}/{language}/translate",) for language in translated}

    def label(seed: int, language: str, name: str) -> str:
        return f"{place}/seed-{seed}/{language}/{name}"

    def needs(seed: int, language: str) -> tuple[str, ...]:
        return label(seed, SOURCE, "tuning"), *text.get(language, ())

    for seed, experiment in of_seed.items():
        name = label(seed, SOURCE, "tuning")
        jobs.append(FlareJob(name, FlareStage.TUNE, experiment, language=SOURCE))
    trainings: dict[tuple[int, str], list[str]] = {}
    for run in settings.parsed_runs():
        for seed, experiment in of_seed.items():
            for language in settings.languages:
                name = label(seed, language, run.stem)
                before = needs(seed, language)
                trainings.setdefault((seed, language), []).append(name)
                jobs.append(FlareJob(name, FlareStage.TRAIN, experiment, before, language=language, run=run))
    tests = {key: label(*key, "test") for key in trainings}
    for (seed, language), name in tests.items():
        before = tuple(trainings[seed, language])
        jobs.append(FlareJob(name, FlareStage.EVALUATE, of_seed[seed], before, language=language))
    tested = tuple(tests.values())
    for figure in target.wanted.figures:
        figure_named(figure, FIGURES)
        jobs.append(FlareJob(f"{place}/{figure}", JobKind.FIGURE, whole, tested))
    jobs.append(FlareJob(f"{place}/report", FlareStage.REPORT, whole, tested))
    return jobs
