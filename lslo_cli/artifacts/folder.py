"""The paths of an experiment's artifacts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("out")
"""The default folder of experiments, apart from the published runs in ``results/``."""
BASE_RUN = "base"
"""The name under which the untouched base model is evaluated."""

MEMORY_FILE = "experiment.toml"
"""The settings that an experiment remembers."""
METRICS = "metrics.jsonl"
"""The log of a training run, in JSON lines."""


@dataclass(frozen=True)
class EvaluationFolder:
    """One evaluation: its artifact, and the texts beside it, a file for each direction.

    ``checkpoint`` holds its translations until it is complete.
    """

    path: Path
    checkpoint: Path

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def hypotheses(self) -> Path:
        return self.path / "hypotheses"

    @property
    def sources(self) -> Path:
        return self.path / "sources"

    @property
    def references(self) -> Path:
        return self.path / "references"

    @property
    def aligned(self) -> Path:
        return self.path / "aligned"

    @property
    def texts(self) -> tuple[Path, ...]:
        return self.hypotheses, self.sources, self.references, self.aligned


@dataclass(frozen=True)
class RunFolder:
    """One training run: ``runs/<run>/`` with its artifacts and weights."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def training(self) -> Path:
        return self.path / "training.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def metrics(self) -> Path:
        """The log of its training."""
        return self.path / METRICS

    @property
    def whole(self) -> EvaluationFolder:
        """The evaluation in the run's folder: of all directions and rows of the experiment."""
        return EvaluationFolder(self.path, self.checkpoint / "evaluation")

    def part(self, name: str) -> EvaluationFolder:
        """An evaluation of other directions or rows, by its name."""
        return EvaluationFolder(self.path / "evaluations" / name, self.checkpoint / f"evaluation-{name}")

    @property
    def evaluation(self) -> Path:
        return self.whole.evaluation


@dataclass(frozen=True)
class ExperimentFolder:
    """``<results>/<experiment>/``: upstream artifacts, runs, figures. Its methods create nothing."""

    path: Path

    @property
    def index_strategy(self) -> Path:
        return self.path / "index-strategy.json"

    @property
    def subspace(self) -> Path:
        return self.path / "subspace.json"

    @property
    def language_subspace(self) -> Path:
        """Estimation with one pool per language (figures 4 and 6)."""
        return self.path / "subspace-language.json"

    @property
    def prune_report(self) -> Path:
        return self.path / "prune-report.json"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def logs(self) -> Path:
        """The output of cluster jobs, a file for each."""
        return self.path / "logs"

    def comparison(self, run: str, other: str, seeds: Iterable[int] = ()) -> Path:
        """The comparison of two runs, over all seeds or only over some."""
        some = "".join(f"-seed-{seed}" for seed in sorted(seeds))
        return self.path / "comparisons" / f"{run}-vs-{other}{some}.json"

    def seed_folders(self) -> dict[int, Path]:
        """The folders ``seed-N/`` below it by N, in its order."""
        folders = (path for path in self.path.glob("seed-*") if path.is_dir())
        numbered = (path for path in folders if re.fullmatch(r"seed-\d+", path.name))
        return dict(sorted((int(path.name[5:]), path) for path in numbered))

    def seeds(self) -> list[ExperimentFolder]:
        """The experiments in its :meth:`seed_folders`; without any the experiment itself."""
        return [ExperimentFolder(path) for path in self.seed_folders().values()] or [self]

    def has_artifacts(self) -> bool:
        """Whether it has any artifact."""
        return any(next(self.path.glob(pattern), None) for pattern in ("*.json", "*/*.json", "runs/*/*.json"))

    def run(self, name: str) -> RunFolder:
        return RunFolder(self.path / "runs" / name)

    def checkpoint(self, stage: str) -> Path:
        """The folder of an upstream stage's checkpoint."""
        return self.path / "checkpoint" / stage

    def metrics(self, stage: str) -> Path:
        """The log of an upstream stage's training."""
        return self.path / stage / METRICS

    def trained_runs(self) -> list[RunFolder]:
        """Runs with a training artifact, oldest first."""
        found = [RunFolder(path.parent) for path in (self.path / "runs").glob("*/training.json")]
        return sorted(found, key=lambda run: (run.training.stat().st_mtime, run.name))

    def evaluated_runs(self) -> list[RunFolder]:
        """Runs with an evaluation artifact, by name, the base model first."""
        found = [RunFolder(path.parent) for path in (self.path / "runs").glob("*/evaluation.json")]
        return sorted(found, key=lambda run: (run.name != BASE_RUN, run.name))
