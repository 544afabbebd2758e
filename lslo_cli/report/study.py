"""The results of several seeds of one experiment, for tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.comparable import trained_with
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import IndexStrategyResult, PruneReportResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact, ModelIdentity
from lslo_cli.method.languages import AVERAGE, Language, groups
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.report.table import Spread


@dataclass(frozen=True)
class SeedResults:
    """The artifacts of one seed, runs by name. ``folders`` are the folders that hold them."""

    seed: int
    folders: tuple[Path, ...]
    evaluations: Mapping[str, Artifact[EvaluationResult]] = field(default_factory=dict)
    trainings: Mapping[str, Artifact[TrainingResult]] = field(default_factory=dict)
    index_strategy: Artifact[IndexStrategyResult] | None = None
    subspace: Artifact[SubspaceResult] | None = None
    language_subspace: Artifact[SubspaceResult] | None = None
    prune_report: Artifact[PruneReportResult] | None = None

    def artifacts(self) -> list[Artifact[Any]]:
        """All artifacts."""
        single = (self.index_strategy, self.subspace, self.language_subspace, self.prune_report)
        several: list[Artifact[Any]] = [*self.evaluations.values(), *self.trainings.values()]
        return [*several, *(artifact for artifact in single if artifact)]

    def score(self, run: str, column: str, metric: str = SPBLEU) -> float | None:
        """A run's score in a group, or in :data:`AVERAGE`; None if there is none.

        Raises InputError if the run was not scored with the metric.
        """
        artifact = self.evaluations.get(run)
        if artifact is None:
            return None
        found = artifact.result.metric(metric)
        return found.average if column == AVERAGE else found.groups.get(column)


@dataclass(frozen=True)
class Study:
    """At least one seed of one experiment: same base model, same languages, same test text.

    ``metric`` is the one shown, with one signature in all runs.
    """

    seeds: tuple[SeedResults, ...]
    metric: str = SPBLEU

    def artifacts(self) -> list[Artifact]:
        return [artifact for seed in self.seeds for artifact in seed.artifacts()]

    @property
    def model(self) -> ModelIdentity:
        return self.artifacts()[0].model

    @property
    def languages(self) -> list[Language]:
        return [record.language() for record in self.artifacts()[0].languages]

    @property
    def groups(self) -> tuple[str, ...]:
        return groups(self.languages)

    @property
    def evaluations(self) -> list[Artifact[EvaluationResult]]:
        return [artifact for seed in self.seeds for artifact in seed.evaluations.values()]

    def trainings(self, run: str) -> list[Artifact[TrainingResult]]:
        """A run's training artifacts, one for each seed that has it."""
        return [seed.trainings[run] for seed in self.seeds if run in seed.trainings]

    def trained_alike(self, run: str, other: str) -> bool:
        """Whether two runs had the same settings in every seed, as if the learned index is all source."""
        pairs = [
            [trained_with(seed.trainings[name], within_seed=True) for name in (run, other)]
            for seed in self.seeds
            if run in seed.trainings and other in seed.trainings
        ]
        return bool(pairs) and all(
            one[name] == two[name] for one, two in pairs for name in one.keys() & two.keys()
        )

    def runs(self) -> list[str]:
        """The evaluated runs of any seed."""
        return list(dict.fromkeys(run for seed in self.seeds for run in seed.evaluations))

    def scores(self, run: str, column: str) -> Spread | None:
        """A run's scores over the seeds that have it."""
        return self.over_seeds(lambda seed: seed.score(run, column, self.metric))

    def over_seeds(self, value: Callable[[SeedResults], float | None]) -> Spread | None:
        """The spread of ``value`` over the seeds; None if no seed has one."""
        return spread(value(seed) for seed in self.seeds)


def spread(values: Iterable[float | None]) -> Spread | None:
    """The spread of the values that are not None; None if there are none."""
    found = [value for value in values if value is not None]
    return Spread.of(found) if found else None


def distinct(values: Iterable[object], separator: str = ", ") -> str:
    """The distinct values in order, as text."""
    return separator.join(dict.fromkeys(str(value) for value in values if value is not None))


def differing(recipes: Sequence[Mapping[str, Mapping[str, object]]], section: str) -> list[str]:
    """The keys of a section in which recipes differ, such as ``fit.epochs``."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe.get(section, {}))
    return [
        f"{section}.{key}"
        for key in keys
        if any(recipe.get(section, {}).get(key) != recipes[0].get(section, {}).get(key) for recipe in recipes)
    ]
