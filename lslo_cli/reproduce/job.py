"""Jobs: one output each, and the jobs that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.method.flare import FlareRun
from lslo_cli.recipe import Stage
from lslo_cli.tasks.experiment import Experiment

Jobs = Mapping[str, "Job"]
"""Jobs by label, every job after those that it needs."""

EVALUATION = 3
"""The epochs of training that an evaluation counts as, since it takes about as long."""


class JobKind(StrEnum):
    """The kinds of jobs beside the stages: a run with its scores, or a figure."""

    RUN = "run"
    FIGURE = "figure"


class FlareStage(StrEnum):
    """The parts of a FLARE experiment, beside its figures."""

    TRANSLATE = "translate"
    """A language's texts, if the recipe has them translated."""
    TUNE = "tune"
    """A seed's model, tuned on the source language."""
    TRAIN = "train"
    """One method on one language."""
    EVALUATE = "evaluate"
    """All methods on one language."""
    REPORT = "report"
    """The tables."""


Kind = Stage | JobKind | FlareStage


@dataclass(frozen=True)
class Job:
    """One output to make; ``label`` is its place and name, as ``demo/seed-2/2-2-8``.

    ``needs`` are the labels of the jobs that it needs, ``runs`` the runs in a figure or report.
    """

    label: str
    kind: Kind
    experiment: Experiment
    needs: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The prefix of its label: the experiment, or one of its seeds."""
        return self.label.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name of the run, stage or figure."""
        return self.label.removeprefix(f"{self.place}/")

    @property
    def part(self) -> str:
        """Its name without seed and language, by which recipes set its resources."""
        return self.name.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The stem of its files in the experiment's folder."""
        return self.name

    @property
    def epochs(self) -> int:
        """The epochs it trains."""
        recipe = self.experiment.recipe
        match self.kind:
            case Stage.WEIGHT_LEARN:
                return recipe.weight_learn.epochs or recipe.fit.epochs
            case Stage.ESTIMATE | Stage.ESTIMATE_LANGUAGE:
                return recipe.estimate_subspace.epochs or recipe.fit.epochs
            case JobKind.RUN if self.name != BASE_RUN:
                return recipe.fit.epochs
        return 0

    @property
    def steps(self) -> int:
        """Its share of all work: the epochs that it trains, plus :data:`EVALUATION` if it translates."""
        return self.epochs + (EVALUATION if self.kind is JobKind.RUN else 0)


@dataclass(frozen=True)
class FlareJob(Job):
    """A FLARE job, for one language and seed if it has them, as ``flare-demo/seed-1/qne/lora``.

    ``run`` is the method that it trains.
    """

    language: str = ""
    run: FlareRun | None = None

    @property
    def place(self) -> str:
        """The experiment, or one of its seeds."""
        experiment = self.experiment.recipe.experiment
        seed = f"{experiment}/seed-{self.experiment.recipe.seed}"
        return seed if self.label.startswith(f"{seed}/") else experiment

    @property
    def stem(self) -> str:
        """Its label without the experiment, whose folder holds all seeds: ``seed-1-qne-lora``."""
        return self.label.partition("/")[2].replace("/", "-")

    @property
    def epochs(self) -> int:
        """The epochs it trains."""
        settings = self.experiment.recipe.flare
        if self.kind is FlareStage.TUNE:
            return settings.english_epochs or settings.epochs
        return settings.epochs if self.run and self.run.method.trains else 0

    @property
    def steps(self) -> int:
        """Its share of all work: the epochs it trains, plus :data:`EVALUATION` if it translates or tests."""
        reads = self.kind in (FlareStage.TRANSLATE, FlareStage.EVALUATE)
        return self.epochs + (EVALUATION if reads else 0)
