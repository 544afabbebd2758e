"""Run one job: a stage, a run with its scores, a report or a figure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lslo_cli.artifacts.lock import locked
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.plots.catalogue import FIGURES, figure_named
from lslo_cli.reproduce.flare_making import flare_epochs, is_flare_current, make_flare
from lslo_cli.reproduce.job import FlareJob, FlareStage, Job, JobKind
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


def is_drawn(job: Job, needs: Iterable[Job]) -> bool:
    """Whether a figure or a FLARE report is there and not older than any artifact of what it ``needs``."""
    folder = job.experiment.folder
    drawn = folder.figures / f"{job.name}.png" if job.kind is JobKind.FIGURE else folder.path / "report.md"
    read = [path for need in needs for path in _written(need)]
    try:
        made = drawn.stat().st_mtime_ns
        return all(path.stat().st_mtime_ns <= made for path in read)
    except OSError:
        return False


def _written(job: Job) -> list[Path]:
    """The artifacts that a job writes; of FLARE the scores of its tests alone."""
    if not isinstance(job, FlareJob):
        return [part.path(job) for part in parts_of(job)]
    if job.kind is not FlareStage.EVALUATE:
        return []
    seed = job.experiment.recipe.seed
    return [LanguageFolder.of(job.experiment.folder, seed, job.language).evaluation]


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
