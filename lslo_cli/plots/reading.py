"""Read the results of runs in all seeds of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.plots.runs import Seeds, in_study_order


def trainings(seeds: Seeds, names: Sequence[str] = ()) -> list[TrainingResult]:
    """The named runs of all seeds, or all in the order of the study.

    Raises InputError for a run that no seed has.
    """
    chosen = names or in_study_order(run.name for seed in seeds for run in seed.trained_runs())
    paths = [path for name in chosen for path in _existing([seed.run(name).training for seed in seeds])]
    return [store.read(path, TrainingResult).result for path in paths]


def evaluations(seeds: Seeds, name: str) -> list[EvaluationResult]:
    """A run's scores in every seed that has them. Raises InputError if none has."""
    paths = _existing([seed.run(name).evaluation for seed in seeds])
    return [store.read(path, EvaluationResult).result for path in paths]


def _existing(paths: Sequence[Path]) -> Sequence[Path]:
    """The existing paths; if there are none, the first, so that reading it reports it missing."""
    return [path for path in paths if path.is_file()] or paths[:1]
