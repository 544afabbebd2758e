"""Run jobs on a cluster: those not up to date are submitted to Slurm, and watched until they have ended.

Dependencies in Slurm give the order. Jobs are found again in the queue, so nothing about them is recorded,
and a command that stops watching leaves them to Slurm.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from hashlib import sha256

from lslo_cli.errors import RunError
from lslo_cli.events import Advanced, Event, Finished, Noted, OnEvent, Started, ignore
from lslo_cli.reproduce.execution import check_apart
from lslo_cli.reproduce.job import LAST, FlareJob, FlareStage, Job, JobKind, Jobs
from lslo_cli.reproduce.making import is_current, is_drawn
from lslo_cli.reproduce.slurm import COMPLETED, ENDED, Submission, queued_jobs, sbatch_options, submit
from lslo_cli.wording import counted

TASK = "slurm"
CHECKED = FlareStage.TRANSLATE, FlareStage.TRAIN
"""The jobs that are checked before any is submitted."""
ASKED_EVERY = 5.0
"""The polling interval of the queue in seconds."""
PATIENCE = 60
"""The most consecutive failures to poll the queue: a restarted controller answers within minutes."""
GONE = "LOST"
"""The state of a job that Slurm no longer lists and that is not up to date."""
HINTS = {
    "TIMEOUT": "give it more time in [slurm] of the recipe; the same line again resumes from its checkpoint",
    "OUT_OF_MEMORY": "give it more memory in [slurm] of the recipe, or smaller batches with --max-tokens",
}
GO_ON = "read its log; the same line again resumes from its checkpoint"


def submissions(jobs: Jobs, line: Sequence[str]) -> dict[str, Submission]:
    """The submission of every job, by label: ``line``, a whole command line, with ``--only`` that job.

    Its name is the label and a digest of its folder and settings, by which any command line that needs the
    same job finds it in the queue.
    """
    found = {}
    for label, job in jobs.items():
        options = sbatch_options(job.experiment.recipe.slurm.of(job.part), job.kind not in LAST)
        log = (job.experiment.folder.logs / f"{job.stem}.log").absolute()
        settings = job.experiment.recipe.model_dump_json(exclude={"slurm"})
        digest = sha256(f"{log}\n{settings}\n{job.runs}".encode(errors="surrogateescape")).hexdigest()
        found[label] = Submission(f"{label}.{digest[:8]}", log, (*line, "--only", label), options)
    return found


def outstanding(jobs: Jobs) -> list[str]:
    """The labels of jobs that are not up to date, or need one that is not."""
    todo: dict[str, None] = {}
    for label, job in jobs.items():
        if not _is_made(job, jobs) or any(need in todo for need in job.needs):
            todo[label] = None
    return list(todo)


def execute_on_slurm(jobs: Jobs, line: Sequence[str], on_event: OnEvent = ignore) -> None:
    """Submit the jobs that are neither up to date nor queued already, and wait until all have ended.

    If the wait is interrupted, the jobs stay with Slurm; a note says how to follow and to cancel them. Raises
    InputError if Slurm's commands are not installed, and RunError if Slurm refuses a job or stops answering,
    or at the end if a job failed, which stops only those that need it; and whatever
    :func:`~lslo_cli.reproduce.flare_making.check_flare` raises before the first is submitted.
    """
    watch = Watch(jobs, submissions(jobs, line), on_event)
    try:
        watch.submit()
        watch.wait()
    except BaseException:
        watch.leave()
        raise
    watch.judge()


@dataclass
class Watch:
    """Jobs submitted to Slurm: their numbers and final states by label."""

    jobs: Jobs
    submissions: Mapping[str, Submission]
    on_event: OnEvent
    numbers: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def submit(self) -> None:
        """Submit the outstanding jobs; one that another command has queued already is not submitted again."""
        queue = {job.name: job.number for job in queued_jobs() if job.state not in ENDED}
        todo = outstanding(self.jobs)
        self._check(label for label in todo if self.submissions[label].name not in queue)
        found = 0
        for label in todo:
            submission = self.submissions[label]
            if number := queue.get(submission.name):
                found += 1
            else:
                needs = [self.numbers[need] for need in self.jobs[label].needs if need in self.numbers]
                number = submit(submission, needs)
            self.numbers[label] = number
        current = len(self.jobs) - len(self.numbers)
        self.on_event(
            Noted(
                f"{counted(len(self.numbers) - found, 'job')} submitted, {found} in the queue already, "
                f"{current} up to date"
            )
        )
        for folder in dict.fromkeys(self.submissions[label].log.parent for label in self.numbers):
            self.on_event(Noted(f"logs: {folder}"))
        self.on_event(Started(TASK, len(self.jobs), "jobs", current))

    def _check(self, labels: Iterable[str]) -> None:
        """Check here what FLARE's jobs need; a note says if the memory does not suffice."""
        jobs = [self.jobs[label] for label in labels]
        if ahead := [job for job in jobs if isinstance(job, FlareJob) and job.kind in CHECKED]:
            try:
                check_apart(ahead)
            except (RunError, BrokenProcessPool) as error:
                self.on_event(Noted(f"not checked before they are submitted: {error}"))

    def wait(self) -> None:
        """Follow the queue until every job has ended."""
        before: dict[str, str] = {}
        told: Event | None = None
        while len(self.ended) < len(self.numbers):
            if before:
                time.sleep(ASKED_EVERY)
            states = self._states()
            for label, state in states.items():
                if state == "RUNNING" and before.get(label) != state:
                    self.on_event(Noted(f"running: {label}, job {self.numbers[label]}"))
                if state in ENDED or state == GONE:
                    self._end(label, state)
            before = states
            progress = Advanced(TASK, self._done(), self._tally(states))
            if progress != told:
                self.on_event(progress)
            told = progress
        failed = len(self.ended) - list(self.ended.values()).count(COMPLETED)
        self.on_event(Finished(TASK, f"{failed} not made" if failed else ""))

    def leave(self) -> None:
        """Say how to follow or cancel the jobs that have not ended."""
        left = [number for label, number in self.numbers.items() if label not in self.ended]
        if left:
            self.on_event(
                Noted(
                    f"still with Slurm: {counted(len(left), 'job')}; run the same line again to follow, "
                    f"`scancel {' '.join(left)}` to cancel"
                )
            )

    def judge(self) -> None:
        """Raise RunError if a job failed, naming its log."""
        failed = [label for label in self.ended if self._failed_itself(label)]
        if failed:
            undone = [label for label in self.jobs if self.ended.get(label, COMPLETED) != COMPLETED]
            first = failed[0]
            raise RunError(
                f"{', '.join(undone)} not made; {self._ending(first)}", HINTS.get(self.ended[first], GO_ON)
            )

    def _states(self) -> dict[str, str]:
        """The current state of every job that has not ended; waits until Slurm answers."""
        for attempt in range(PATIENCE):
            try:
                queue = {job.number: job.state for job in queued_jobs()}
                break
            except RunError as error:
                if attempt == PATIENCE - 1:
                    raise
                self.on_event(Noted(f"{error.message}; asking again"))
                time.sleep(ASKED_EVERY)
        left = {label: number for label, number in self.numbers.items() if label not in self.ended}
        return {label: queue.get(number) or self._forgotten(label) for label, number in left.items()}

    def _forgotten(self, label: str) -> str:
        """The state of a job that Slurm no longer lists."""
        return COMPLETED if _is_made(self.jobs[label], self.jobs) else GONE

    def _end(self, label: str, state: str) -> None:
        self.ended[label] = state
        if state == COMPLETED:
            self.on_event(Noted(f"done: {label}"))
        elif self._failed_itself(label):
            self.on_event(Noted(f"failed: {self._ending(label)}"))

    def _failed_itself(self, label: str) -> bool:
        """Whether a job itself failed, rather than being cancelled with one that it needs."""
        return self.ended[label] != COMPLETED and not any(
            self.ended.get(need, COMPLETED) != COMPLETED for need in self.jobs[label].needs
        )

    def _ending(self, label: str) -> str:
        ending = f"{label}: job {self.numbers[label]} ended as {self.ended[label]}"
        return f"{ending}, log in {self.submissions[label].log}"

    def _done(self) -> int:
        made = list(self.ended.values()).count(COMPLETED)
        return len(self.jobs) - len(self.numbers) + made

    def _tally(self, states: Mapping[str, str]) -> str:
        """The number of jobs by Slurm's state: ``2 running, 3 pending, 1 failed``."""
        counts = Counter(state for label, state in states.items() if label not in self.ended)
        counts["failed"] = len(self.ended) - list(self.ended.values()).count(COMPLETED)
        return ", ".join(f"{count} {state.lower()}" for state, count in counts.items() if count)


def _is_made(job: Job, jobs: Jobs) -> bool:
    """Whether a job is up to date."""
    if job.kind in (JobKind.FIGURE, FlareStage.REPORT):
        return is_drawn(job, [jobs[need] for need in job.needs])
    return is_current(job)
