"""Reproduce tables and figures of the paper by name: their jobs, and running those that are not done."""

from lslo_cli.reproduce.cluster import execute_on_slurm, outstanding, submissions
from lslo_cli.reproduce.execution import execute
from lslo_cli.reproduce.job import Job, JobKind, Jobs
from lslo_cli.reproduce.jobs import jobs_of, only, waves
from lslo_cli.reproduce.targets import Target, find_targets

__all__ = [
    "Job",
    "JobKind",
    "Jobs",
    "Target",
    "execute",
    "execute_on_slurm",
    "find_targets",
    "jobs_of",
    "only",
    "outstanding",
    "submissions",
    "waves",
]
