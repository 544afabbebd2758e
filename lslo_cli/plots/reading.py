"""Read the results of an experiment's seeds for figures, checked as for a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lslo_cli.artifacts.comparable import Located, check_estimated_alike, check_study, one_of_each_seed
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact, Result
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.runs import Seeds, in_study_order

R = TypeVar("R", bound=Result)
E = TypeVar("E", IndexStrategyResult, SubspaceResult)


def trainings(seeds: Seeds, names: Sequence[str] = ()) -> list[TrainingResult]:
    """The named runs of all seeds, or all in the order of the study.

    Raises InputError for a run that no seed has, for an artifact that is damaged or stale, for a folder that
    mixes seeds, and for seeds of a run that were trained with different settings.
    """
    chosen = names or in_study_order(run.name for seed in seeds for run in seed.trained_runs())
    found = [_of_run(seeds, name, lambda run: run.training, TrainingResult) for name in chosen]
    check_study([], [each for of_run in found for each in of_run])
    return [each.result for of_run in found for each in one_of_each_seed(of_run)]


def evaluations(
    seeds: Seeds, names: Sequence[str], metric: str = SPBLEU, *, by_direction: bool = False
) -> dict[str, list[EvaluationResult]]:
    """Scores of runs in every seed that has them, by run.

    Raises InputError for a run that no seed has, for an artifact that is damaged or stale, for a folder that
    mixes seeds, and for runs that were measured or trained with different settings; ``by_direction`` allows
    different sets of directions.
    """
    found = {name: _of_run(seeds, name, lambda run: run.evaluation, EvaluationResult) for name in names}
    trained = [seed.run(name).training for seed in seeds for name in names]
    check_study(
        [each for of_run in found.values() for each in of_run],
        [Located.read(path, TrainingResult) for path in trained if path.is_file()],
        metric,
        by_direction=by_direction,
    )
    return {name: [each.result for each in one_of_each_seed(of_run)] for name, of_run in found.items()}


def estimates(seeds: Seeds, file: Callable[[ExperimentFolder], Path], result: type[E]) -> list[Artifact[E]]:
    """What every seed learned or estimated, from its ``file``.

    Raises InputError for an artifact that is missing, damaged or stale, and if seeds had different settings.
    """
    found = one_of_each_seed(Located.read(file(seed), result) for seed in seeds)
    check_estimated_alike(found)
    return [each.artifact for each in found]


def _of_run(seeds: Seeds, name: str, file: Callable[[RunFolder], Path], result: type[R]) -> list[Located[R]]:
    """An artifact of a run in every seed that has it; if none has, reading the first reports it missing."""
    paths = [file(seed.run(name)) for seed in seeds]
    existing = [path for path in paths if path.is_file()]
    return [Located.read(path, result) for path in existing or paths[:1]]
