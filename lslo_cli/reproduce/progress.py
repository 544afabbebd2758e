"""The overall progress, above the tasks of the jobs: steps done of all steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lslo_cli.events import Advanced, Event, Finished, Noted, OnEvent, Started
from lslo_cli.reproduce.job import FlareStage, Job, JobKind
from lslo_cli.reproduce.making import epochs_of

TASK = "all"

EVALUATION = 3
"""The epochs of training that an evaluation counts as, since it takes about as long."""


def steps_of(job: Job) -> int:
    """A job's share of all work: the epochs it trains, plus :data:`EVALUATION` if it translates or tests."""
    reads = job.kind in (JobKind.RUN, FlareStage.TRANSLATE, FlareStage.EVALUATE)
    return epochs_of(job) + (EVALUATION if reads else 0)


@dataclass
class Overall:
    """Passes on the events of jobs, and reports how many steps of all ``jobs`` are done.

    A step is an epoch of training, or the equivalent part of an evaluation; see :func:`steps_of`. With
    several jobs at once, task names are prefixed with the job's label.
    """

    jobs: Sequence[Job]
    on_event: OnEvent
    several: bool
    _done: dict[str, int] = field(default_factory=dict)
    _parts: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """Steps of each job, and for each task: the steps before it, its own, and its units."""

    def start(self, current: Sequence[Job]) -> None:
        """``current`` are the jobs that need not run."""
        self._done = {job.label: steps_of(job) for job in current}
        total = sum(steps_of(job) for job in self.jobs)
        self.on_event(Started(TASK, total, "steps", sum(self._done.values())))

    def on(self, job: Job, event: Event) -> None:
        """Handle an event of ``job``."""
        match event:
            case Started(task, int(total), ("updates" | "sentences") as unit, completed):
                epochs = epochs_of(job)
                before, own = (0, epochs) if unit == "updates" else (epochs, EVALUATION)
                self._parts[job.label, task] = before, own, total
                self._reach(job, task, completed)
            case Advanced(task, completed):
                self._reach(job, task, completed)
        if self.several and not isinstance(event, Noted):
            event = replace(event, task=f"{job.label}: {event.task}")
        self.on_event(event)

    def finish(self, job: Job, kept: bool) -> None:
        """``job`` is done, or was up to date."""
        if kept:
            self.on_event(Noted(f"up to date: {job.label}"))
        self._advance(job, steps_of(job))

    def end(self) -> None:
        self.on_event(Finished(TASK))

    def _reach(self, job: Job, task: str, completed: int) -> None:
        """``completed`` units of a task are done; tasks that are not part of a step do not count."""
        before, own, total = self._parts.get((job.label, task), (0, 0, 0))
        if total:
            self._advance(job, before + own * completed // total)

    def _advance(self, job: Job, steps: int) -> None:
        if steps > self._done.get(job.label, 0):
            self._done[job.label] = steps
            self.on_event(Advanced(TASK, sum(self._done.values())))
