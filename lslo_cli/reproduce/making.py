"""Run one job: a stage, a run with its scores, a report or a figure."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.artifacts.lock import locked
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
from lslo_cli.plots.catalogue import FIGURES, figure_named
from lslo_cli.reproduce.flare_making import flare_epochs, is_flare_current, make_flare
from lslo_cli.reproduce.job import FlareJob, Job, JobKind
from lslo_cli.reproduce.stages import parts_of


def make(job: Job, on_event: OnEvent) -> bool:
    """Run a job, resuming what was interrupted; returns False if everything was up to date."""
    if job.kind is JobKind.FIGURE:
        draw(job, on_event)
        return True
    if isinstance(job, FlareJob):
        return make_flare(job, on_event)
    written = [part.make(job, on_event) for part in parts_of(job)]
    return not all(each.up_to_date for each in written)


def is_current(job: Job) -> bool:
    """Whether a job is done, judging by artifacts; when it runs, text and base model are compared as well."""
    if isinstance(job, FlareJob):
        return is_flare_current(job)
    parts = parts_of(job)
    return bool(parts) and all(part.is_current(job) for part in parts)


def epochs_of(job: Job) -> int:
    """The epochs that a job trains."""
    if isinstance(job, FlareJob):
        return flare_epochs(job)
    return sum(part.epochs(job.experiment.recipe) for part in parts_of(job))


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
