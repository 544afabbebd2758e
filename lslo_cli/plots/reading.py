"""Read the results of an experiment's seeds for figures, checked as for a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lslo_cli.artifacts.comparable import (
    Located,
    Setting,
    check_alike,
    check_estimated_alike,
    check_study,
    one_of_each_seed,
)
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact, Result
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.runs import Seeds, in_study_order
from lslo_cli.wording import Hint

R = TypeVar("R", bound=Result)
E = TypeVar("E", IndexStrategyResult, SubspaceResult)

SEARCH = "beam", "mode", "length_penalty", "no_repeat_ngram", "max_length_a", "max_new_tokens"
"""The keys of [evaluate] on which translations depend."""
DRAWN_ALIKE: Hint = ("draw them separately, or train one of them again with the settings of the other",)


def trainings(seeds: Seeds, names: Sequence[str] = ()) -> list[TrainingResult]:
    """The results of the named runs of all seeds, or of all in the order of the study.

    Raises InputError as :func:`trained` does.
    """
    return [each.result for each in trained(seeds, names)]


def trained(seeds: Seeds, names: Sequence[str] = ()) -> list[Located[TrainingResult]]:
    """The named runs of all seeds, or all in the order of the study.

    Raises InputError for a run that no seed has, for an artifact that is damaged or stale, for a folder that
    mixes seeds, and for seeds of a run that were trained with different settings.
    """
    chosen = names or in_study_order(run.name for seed in seeds for run in seed.trained_runs())
    found = [_of_run(seeds, name, lambda run: run.training, TrainingResult) for name in chosen]
    check_study([], [each for of_run in found for each in of_run])
    return [each for of_run in found for each in one_of_each_seed(of_run)]


def check_curves_alike(found: Iterable[Located[TrainingResult]]) -> None:
    """Raise InputError unless the curves of runs were scored on the same text, by the same search and metric.

    Rows that the seed chose are the same within a seed only. Runs without a curve are left out.
    """
    curves = (
        (f"run {each.result.run}", _curve_settings(each.artifact)) for each in found if each.result.curve
    )
    check_alike(curves, "scored", DRAWN_ALIKE)


def _curve_settings(artifact: Artifact[TrainingResult]) -> dict[str, Setting]:
    """What the scores of a run's curve depend on beside its weights."""
    text, curve = artifact.data[-1], artifact.result.curve  # the sample of the curve is read last
    data, search = (artifact.recipe.get(section, {}) for section in ("data", "evaluate"))
    shown = f"{text.path} {text.split}, {text.rows:,} rows ({text.digest[:12]})"
    drawn = data.get("dev_rows") or data.get("hold_out")
    return {
        "metrics": Setting(curve and curve.signature),
        "samples": Setting((text.split, text.rows), shown),
        f"samples of seed {artifact.seed}" if drawn else "texts": Setting(text.digest, shown),
        **{f"evaluate.{key}": Setting(search.get(key)) for key in SEARCH},
        "data.max_length": Setting(data.get("max_length")),
    }


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
