"""One overall task above the tasks of the jobs: epochs trained of all there are to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lslo_cli.events import Advanced, Event, Finished, Noted, OnEvent, Started
from lslo_cli.reproduce.jobs import Job

TASK = "all"


@dataclass
class Overall:
    """Passes the events of jobs on, and after each epoch says how many are done of those of all ``jobs``.

    Tasks of several jobs may share a name, so each is called after its job where that is not clear.
    """

    jobs: Sequence[Job]
    on_event: OnEvent
    several: bool
    _done: dict[str, int] = field(default_factory=dict)
    _updates: dict[tuple[str, str], int] = field(default_factory=dict)
    """Epochs of each job, and updates of each task that trains."""

    def start(self, current: Sequence[Job]) -> None:
        """``current`` are the jobs that need not run."""
        self._done = {job.label: job.epochs for job in current}
        total = sum(job.epochs for job in self.jobs)
        self.on_event(Started(TASK, total, "epochs", sum(self._done.values())))

    def of(self, job: Job, event: Event) -> None:
        """Hear an event of ``job``."""
        match event:
            case Started(task, int(total), "updates", completed):
                self._updates[job.label, task] = total
                self._advance(job, job.epochs * completed // total)
            case Advanced(task, completed) if updates := self._updates.get((job.label, task)):
                self._advance(job, job.epochs * completed // updates)
        if self.several and not isinstance(event, Noted):
            event = replace(event, task=f"{job.label}: {event.task}")
        self.on_event(event)

    def finish(self, job: Job, kept: bool) -> None:
        """``job`` is done, or was up to date."""
        if kept:
            self.on_event(Noted(f"up to date: {job.label}"))
        self._advance(job, job.epochs)

    def end(self) -> None:
        self.on_event(Finished(TASK))

    def _advance(self, job: Job, epochs: int) -> None:
        if epochs > self._done.get(job.label, 0):
            self._done[job.label] = epochs
            self.on_event(Advanced(TASK, sum(self._done.values())))
