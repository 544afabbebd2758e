"""Run jobs in order, one after another or several at once in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from lslo_cli.errors import LsloError, RunError
from lslo_cli.events import Event, Noted, OnEvent, ignore
from lslo_cli.processes import context
from lslo_cli.reproduce.flare_making import check_flare
from lslo_cli.reproduce.job import FlareJob, Job, Jobs
from lslo_cli.reproduce.making import is_current, make
from lslo_cli.reproduce.progress import Overall

HEARD_EVERY = 0.2
"""The polling interval of the workers' events in seconds."""


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job: whether it made anything, or its error."""

    made: bool = False
    error: LsloError | None = None


def execute(jobs: Jobs, processes: int = 1, on_event: OnEvent = ignore) -> None:
    """Run all jobs in ``processes`` processes, each as soon as those that it needs are done.

    A job that raises RunError stops only those that need it; the error is raised at the end. Anything else
    that a job raises is raised at once, and whatever :func:`check_flare` raises before the first job.
    """
    overall = Overall(list(jobs.values()), on_event, several=processes > 1 or len(_places(jobs)) > 1)
    current = [label for label, job in jobs.items() if is_current(job)]
    overall.start([jobs[label] for label in current])
    ahead = [job for job in jobs.values() if isinstance(job, FlareJob) and job.label not in current]
    failed: dict[str, LsloError] = {}
    run = partial(_one_by_one, ahead) if processes == 1 else partial(_side_by_side, processes, ahead)
    for job, outcome in run(jobs, failed, overall):
        if outcome.error is None:
            overall.finish(job, kept=not outcome.made)
        elif isinstance(outcome.error, RunError):
            failed[job.label] = outcome.error
            on_event(Noted(f"{job.label} failed: {outcome.error.message}"))
        else:
            raise outcome.error
    overall.end()
    if failed:
        label, error = next(iter(failed.items()))
        undone = [label for label in jobs if _blocked(jobs, label, failed)]
        raise RunError(f"{', '.join(undone)} not made; {label}: {error.message}", error.advice, error.line)


Doing = Iterator[tuple[Job, JobOutcome]]


def _one_by_one(
    ahead: Sequence[FlareJob], jobs: Jobs, failed: dict[str, LsloError], overall: Overall
) -> Doing:
    check_flare(ahead)
    for label, job in jobs.items():
        if not _blocked(jobs, label, failed):
            yield job, attempt(job, partial(overall.on, job))


def _side_by_side(
    processes: int, ahead: Sequence[FlareJob], jobs: Jobs, failed: dict[str, LsloError], overall: Overall
) -> Doing:
    """Run jobs in worker processes, whose events come here through a queue; one checks those ``ahead``."""
    waiting = dict(jobs)
    done: set[str] = set()
    running: dict[Future[JobOutcome], Job] = {}
    with _workers(processes) as (pool, events):
        if ahead:
            pool.submit(check_flare, ahead).result()  # this process holds no model
        while waiting or running:
            for label, job in list(waiting.items()):
                if _blocked(jobs, label, failed):
                    del waiting[label]
                elif len(running) < processes and done.issuperset(job.needs):
                    running[pool.submit(_attempt_here, waiting.pop(label))] = job
            ended, _ = wait(running, HEARD_EVERY, FIRST_COMPLETED)
            for label, event in _heard(events):
                overall.on(jobs[label], event)
            for future in ended:
                job = running.pop(future)
                done.add(job.label)
                yield job, future.result()


def check_apart(jobs: Sequence[FlareJob]) -> None:
    """Check jobs as :func:`check_flare` does, on the CPU, in a process that ends and frees its memory.

    Raises BrokenProcessPool if the system ends that process.
    """
    with _workers(1) as (pool, _):
        pool.submit(check_flare, jobs, on_cpu=True).result()


@contextmanager
def _workers(processes: int) -> Iterator[tuple[ProcessPoolExecutor, Any]]:
    """Worker processes, which end with the block, and the queue of their events."""
    workers = context()
    events = workers.Queue()
    pool = ProcessPoolExecutor(processes, workers, initializer=_begin, initargs=(events,))
    try:
        yield pool, events
        pool.shutdown()
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)


def attempt(job: Job, on_event: OnEvent) -> JobOutcome:
    """Run a job, and return its outcome."""
    try:
        return JobOutcome(made=make(job, on_event))
    except LsloError as error:
        return JobOutcome(error=error)


def _blocked(jobs: Jobs, label: str, failed: dict[str, LsloError]) -> bool:
    """Whether a job failed, or one that it needs did."""
    return label in failed or any(_blocked(jobs, need, failed) for need in jobs[label].needs)


def _places(jobs: Jobs) -> set[str]:
    return {job.place for job in jobs.values()}


# In the worker processes.

_tell: Callable[[tuple[str, Event]], Any] = print


def _begin(events: Any) -> None:
    """Prepare a worker: send its events to the queue, and end it with its parent."""
    global _tell
    _tell = events.put
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    signal.signal(signal.SIGTERM, _end)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _end(*_: Any) -> None:
    """Exit through an exception, so that locks are released and half-written files removed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal would cut the cleanup short
    sys.exit(1)


def _attempt_here(job: Job) -> JobOutcome:
    return attempt(job, lambda event: _tell((job.label, event)))


def _heard(events: Any) -> Iterator[tuple[str, Event]]:
    """The events reported since the last call."""
    try:
        while True:
            yield events.get_nowait()
    except queue.Empty:
        return
