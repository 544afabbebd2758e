"""What a job of the first paper makes: its artifacts, their kinds, and the commands that make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.results import IndexStrategyResult, PruneReportResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Result
from lslo_cli.events import OnEvent
from lslo_cli.recipe import Recipe, Stage
from lslo_cli.reproduce.job import Job, JobKind, Kind
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.choices import subspace_path
from lslo_cli.tasks.evaluations import place
from lslo_cli.tasks.experiment import Written
from lslo_cli.tasks.freshness import seems_current
from lslo_cli.tasks.job import resuming


@dataclass(frozen=True)
class Part:
    """An artifact of a job: its path, its kind, and how it is made unless it is up to date.

    Of a training, ``command`` is the name by which its work is estimated, and ``epochs`` its length.
    """

    path: Callable[[Job], Path]
    result: type[Result]
    make: Callable[[Job, OnEvent], Written]
    command: str = ""
    epochs: Callable[[Recipe], int] = lambda recipe: 0

    def is_current(self, job: Job) -> bool:
        """Whether the artifact is up to date, judging by artifacts."""
        return seems_current(self.path(job), self.result, job.experiment.recipe)


def parts_of(job: Job) -> tuple[Part, ...]:
    """The artifacts of a job in the order in which they are made; of a figure none."""
    if job.kind is JobKind.RUN and job.name == BASE_RUN:
        return (SCORES,)
    return PARTS.get(job.kind, ())


def _evaluate(job: Job, on_event: OnEvent) -> Written:
    (written,) = tasks.evaluate(job.experiment, runs=[job.name], on_event=on_event)
    return written


def _report(job: Job, on_event: OnEvent) -> Written:
    """Make the report, of its run if that is trained, else of the estimate alone."""
    folder = job.experiment.folder
    run = next((name for name in job.runs if folder.run(name).training.exists()), None)
    return tasks.prune_report(
        job.experiment, run=run, estimate_only=run is None, reuse=True, on_event=on_event
    )


INDEX = Part(
    lambda job: job.experiment.folder.index_strategy,
    IndexStrategyResult,
    lambda job, on_event: resuming(tasks.weight_learn, job.experiment, job.label, on_event),
    "weight-learn",
    lambda recipe: recipe.weight_learn.epochs or recipe.fit.epochs,
)
ESTIMATE = Part(
    lambda job: subspace_path(job.experiment),
    SubspaceResult,
    lambda job, on_event: resuming(tasks.estimate_subspace, job.experiment, job.label, on_event),
    "estimate-subspace",
    lambda recipe: recipe.estimate_subspace.epochs or recipe.fit.epochs,
)
TRAINING = Part(
    lambda job: job.experiment.folder.run(job.name).training,
    TrainingResult,
    lambda job, on_event: resuming(tasks.train, job.experiment, job.label, on_event, run=job.name),
    "train",
    lambda recipe: recipe.fit.epochs,
)
SCORES = Part(
    lambda job: place(job.experiment.folder.run(job.name), job.experiment.recipe).evaluation,
    EvaluationResult,
    _evaluate,
)
REPORT = Part(lambda job: job.experiment.folder.prune_report, PruneReportResult, _report)

PARTS: Mapping[Kind, tuple[Part, ...]] = {
    Stage.WEIGHT_LEARN: (INDEX,),
    Stage.ESTIMATE: (ESTIMATE,),
    Stage.ESTIMATE_LANGUAGE: (ESTIMATE,),
    Stage.PRUNE_REPORT: (REPORT,),
    JobKind.RUN: (TRAINING, SCORES),
}
