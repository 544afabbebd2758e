"""Jobs: one output each, and the jobs that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.method.flare import FlareRun
from lslo_cli.recipe import Stage
from lslo_cli.tasks.experiment import Experiment

Jobs = Mapping[str, "Job"]
"""Jobs by label, every job after those that it needs."""


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

LAST = (Stage.PRUNE_REPORT, FlareStage.REPORT, JobKind.FIGURE)
"""The kinds that only read what the others made: they run at the end, and use no GPU."""


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
