"""Slurm's own commands: submitting jobs, and listing those in the queue."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.errors import InputError, RunError
from lslo_cli.recipe import SlurmResources

COMPLETED = "COMPLETED"
FAILED = (
    "BOOT_FAIL",
    "CANCELLED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
)
ENDED = frozenset((COMPLETED, *FAILED))
"""Slurm's names of final states; in any other a job is pending or running."""

OPTIONS = {
    "partition": "--partition",
    "account": "--account",
    "time": "--time",
    "cpus": "--cpus-per-task",
    "gpus": "--gpus",
    "memory": "--mem",
}
"""The option of sbatch for each key of resources."""


@dataclass(frozen=True)
class Submission:
    """A job for sbatch: a command, the log to append its output to, and options for its resources.

    It is found in the queue by its ``name``, so no other job of the user may have the same.
    """

    name: str
    log: Path
    command: Sequence[str]
    options: Sequence[str] = ()

    @property
    def words(self) -> list[str]:
        """The arguments of the command that submits it, without its dependencies.

        It is cancelled if a dependency fails, and the log of a killed job is kept.
        """
        log = str(self.log).replace("%", "%%")  # a single % would introduce a placeholder
        return [
            *("sbatch", "--parsable", f"--job-name={self.name}", f"--output={log}", "--open-mode=append"),
            *("--kill-on-invalid-dep=yes", *self.options, f"--wrap=exec {shlex.join(self.command)}"),
        ]


@dataclass(frozen=True)
class QueuedJob:
    """A job in Slurm's queue."""

    number: str
    state: str
    name: str


def sbatch_options(resources: SlurmResources, computes: bool) -> list[str]:
    """Resources as options of sbatch; jobs that only read and draw (not ``computes``) need no GPU."""
    values = {key: getattr(resources, key) for key in OPTIONS if computes or key != "gpus"}
    return [f"{OPTIONS[key]}={value}" for key, value in values.items() if value] + list(resources.extra)


def after(numbers: Sequence[str]) -> list[str]:
    """The option by which a job waits until others have succeeded."""
    return [f"--dependency=afterok:{':'.join(numbers)}"] if numbers else []


def submit(submission: Submission, needs: Sequence[str]) -> str:
    """Submit a job, to start once the jobs numbered ``needs`` have succeeded; returns its number.

    Raises InputError if there is no sbatch, and RunError if it refuses the job.
    """
    submission.log.parent.mkdir(parents=True, exist_ok=True)  # otherwise Slurm ends the job silently
    return _ask([*submission.words, *after(needs)]).partition(";")[0]


def queued_jobs() -> list[QueuedJob]:
    """The user's jobs that are pending, running, or ended in the last minutes.

    Raises InputError if there is no squeue, and RunError if Slurm does not answer.
    """
    said = _ask(["squeue", "--me", "--states=all", "--noheader", "--format=%i|%T|%j"])
    return [QueuedJob(*line.split("|", 2)) for line in said.splitlines()]


def _ask(words: Sequence[str]) -> str:
    """The output of one of Slurm's commands."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise InputError(
            f"{words[0]} is not on PATH, so no job can be submitted to Slurm",
            "run the line on a machine of the cluster, or leave out --on slurm",
        ) from None
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise RunError(f"{words[0]} failed: {reason}", "options of sbatch come from [slurm] of the recipe")
    return done.stdout.strip()
