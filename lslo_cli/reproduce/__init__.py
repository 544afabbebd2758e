"""Reproduce tables and figures of the paper by name: their jobs, and running those that are not done."""

from lslo_cli.reproduce.cluster import execute_on_slurm, outstanding, submissions
from lslo_cli.reproduce.execution import execute
from lslo_cli.reproduce.job import FlareJob, FlareStage, Job, JobKind, Jobs
from lslo_cli.reproduce.jobs import jobs_of, only, waves
from lslo_cli.reproduce.making import is_current
from lslo_cli.reproduce.targets import GROUPS, Target, find_targets

__all__ = [
    "GROUPS",
    "FlareJob",
    "FlareStage",
    "Job",
    "JobKind",
    "Jobs",
    "Target",
    "execute",
    "execute_on_slurm",
    "find_targets",
    "is_current",
    "jobs_of",
    "only",
    "outstanding",
    "submissions",
    "waves",
]
