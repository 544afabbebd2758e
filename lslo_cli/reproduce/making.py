"""Run one job: a stage, a run with its scores, a report or a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.results import IndexStrategyResult, PruneReportResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
from lslo_cli.plots.catalogue import FIGURES, figure_named
from lslo_cli.recipe import Stage
from lslo_cli.reproduce.flare_making import is_flare_current, make_flare
from lslo_cli.reproduce.job import FlareJob, Job, JobKind, Kind
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.choices import subspace_path
from lslo_cli.tasks.evaluations import place
from lslo_cli.tasks.experiment import Written
from lslo_cli.tasks.freshness import seems_current
from lslo_cli.training.checkpoint import CheckpointError, TrainingCheckpoint


def make(job: Job, on_event: OnEvent) -> bool:
    """Run a job, resuming what was interrupted; returns False if everything was up to date."""
    if job.kind is JobKind.FIGURE:
        draw(job, on_event)
        return True
    if isinstance(job, FlareJob):
        return make_flare(job, on_event)
    steps: dict[Kind, Callable[[Job, OnEvent], list[Written]]] = {
        Stage.WEIGHT_LEARN: _learn,
        Stage.ESTIMATE: _estimate,
        Stage.ESTIMATE_LANGUAGE: _estimate,
        Stage.PRUNE_REPORT: _report,
        JobKind.RUN: _run,
    }
    return not all(written.up_to_date for written in steps[job.kind](job, on_event))


def is_current(job: Job) -> bool:
    """Whether a job is done, judging by artifacts; when it runs, text and base model are compared as well."""
    if isinstance(job, FlareJob):
        return is_flare_current(job)
    folder, recipe = job.experiment.folder, job.experiment.recipe
    run = folder.run(job.name)
    match job.kind:
        case Stage.WEIGHT_LEARN:
            return seems_current(folder.index_strategy, IndexStrategyResult, recipe)
        case Stage.ESTIMATE | Stage.ESTIMATE_LANGUAGE:
            return seems_current(subspace_path(job.experiment), SubspaceResult, recipe)
        case JobKind.RUN:
            trained = job.name == BASE_RUN or seems_current(run.training, TrainingResult, recipe)
            return trained and seems_current(place(run, recipe).evaluation, EvaluationResult, recipe)
        case Stage.PRUNE_REPORT:
            return seems_current(folder.prune_report, PruneReportResult, recipe)
    return False


def draw(job: Job, on_event: OnEvent = ignore) -> list[Path]:
    """Draw a figure from the artifacts in the job's folder, and return its files.

    A figure of what the experiment does not have, as a run that prunes, is left out with a note.
    """
    from lslo_cli.plots.files import save  # loads for seconds; most jobs draw nothing

    folder = job.experiment.folder
    try:
        figure = figure_named(job.name, (*FIGURES, *FLARES_FIGURES)).prepare([folder]).figure()
    except InputError as error:
        on_event(Noted(f"no {job.name}: {error.message}; {error.hint}"))
        return []
    with locked(folder.figures / job.name):
        return save(figure, folder.figures, job.name)


def _learn(job: Job, on_event: OnEvent) -> list[Written]:
    checkpoint = job.experiment.folder.checkpoint("weight-learn")
    return [_resuming(checkpoint, tasks.weight_learn, job, on_event)]


def _estimate(job: Job, on_event: OnEvent) -> list[Written]:
    pool = job.experiment.recipe.estimate_subspace.pool
    checkpoint = job.experiment.folder.checkpoint(f"estimate-{pool}")
    return [_resuming(checkpoint, tasks.estimate_subspace, job, on_event)]


def _run(job: Job, on_event: OnEvent) -> list[Written]:
    trained = []
    if job.name != BASE_RUN:
        checkpoint = job.experiment.folder.run(job.name).checkpoint
        trained = [_resuming(checkpoint, tasks.train, job, on_event, run=job.name)]
    return trained + tasks.evaluate(job.experiment, runs=[job.name], on_event=on_event)


def _report(job: Job, on_event: OnEvent) -> list[Written]:
    """Make the report, of its run if that is trained, else of the estimate alone."""
    folder = job.experiment.folder
    run = next((name for name in job.runs if folder.run(name).training.exists()), None)
    return [
        tasks.prune_report(job.experiment, run=run, estimate_only=run is None, reuse=True, on_event=on_event)
    ]


def _resuming(
    checkpoint: Path, command: Callable[..., Written], job: Job, on_event: OnEvent, **choices: str
) -> Written:
    """Run a training command, resuming from its checkpoint if there is one of the same run."""
    resume = TrainingCheckpoint.is_in(checkpoint)
    try:
        return command(job.experiment, **choices, resume=resume, reuse=True, on_event=on_event)
    except CheckpointError as error:
        on_event(Noted(f"starting {job.label} again: {error.message}"))
        return command(job.experiment, **choices, reuse=True, on_event=on_event)
