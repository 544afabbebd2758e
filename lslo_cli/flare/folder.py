"""The folders of a FLARE experiment: by seed, then by language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import METRICS, ExperimentFolder
from lslo_cli.artifacts.results import BaseTrainingResult


@dataclass(frozen=True)
class LanguageFolder:
    """``seed-N/xx/``: the training and evaluation of all methods on one language, with their weights.

    The first paper's folders are by run, since its runs train all languages at once.
    """

    path: Path

    @classmethod
    def of(cls, experiment: ExperimentFolder, seed: int, language: str) -> LanguageFolder:
        return cls(experiment.path / f"seed-{seed}" / language)

    @property
    def language(self) -> str:
        return self.path.name

    @property
    def training(self) -> Path:
        return self.path / "training.json"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def all_weights(self) -> Path:
        return self.path / "weights"

    def metrics(self, stem: str) -> Path:
        """The log of one run's training."""
        return self.path / "runs" / stem / METRICS

    def weights(self, stem: str) -> Path:
        return self.all_weights / f"{stem}.safetensors"


def evaluations(experiment: ExperimentFolder) -> list[Path]:
    """Every evaluation in the folder of an experiment, or of one of its seeds, by seed, then language."""
    return [path for seed in experiment.seeds() for path in sorted(seed.path.glob("*/evaluation.json"))]


def trainings(experiment: ExperimentFolder) -> list[Path]:
    """Every training in the folder of an experiment, or of one of its seeds, by seed, then language."""
    return [path for seed in experiment.seeds() for path in sorted(seed.path.glob("*/training.json"))]


def is_flares(experiment: ExperimentFolder) -> bool:
    """Whether a folder holds FLARE's trainings, which are by language, not by run.

    A file that cannot be read or is of an unknown kind counts as one, so that reading it says what is wrong;
    a base model's does not.
    """
    return any(store.kind_of(path) != BaseTrainingResult.kind for path in trainings(experiment))
