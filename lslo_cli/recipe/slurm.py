"""The resources that ``lslo reproduce --on slurm`` requests."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lslo_cli.recipe.section import Count, Section


def _as_typed(value: Any) -> Any:
    """The text of an unquoted ``02:00:00``, which TOML reads as a time of day."""
    return value.isoformat() if isinstance(value, time) else value


class SlurmResources(Section):
    """The resources of a job. A key without a value is left to the cluster."""

    partition: str | None = None
    """Partition to run in; default: the cluster's."""
    account: str | None = None
    """Account to charge; default: the user's."""
    time: Annotated[str | None, BeforeValidator(_as_typed)] = None
    """Time limit of a job: 90 (minutes), 2:00:00 or 1-12 (days-hours); default: the partition's."""
    cpus: Count | None = None
    """CPUs of a job; default: the cluster's, usually 1."""
    gpus: str | None = None
    """GPUs of a job that trains or translates: 1, or a100:1; default: none."""
    memory: str | None = None
    """Memory of a job: 32G; default: the partition's."""
    extra: tuple[str, ...] = ()
    """Any other options of sbatch: --qos=long, --constraint=a100."""


class SlurmSection(SlurmResources):
    """The resources that ``lslo reproduce --on slurm`` requests for each of its jobs.

    A key without a value is left to the cluster. ``jobs`` overrides values for single jobs, by name:
    ``[slurm.jobs.full]`` for the run ``full``, ``[slurm.jobs."2-2-8-gps0.9"]``.
    """

    jobs: dict[str, SlurmResources] = Field(default_factory=dict)
    """Other values for single jobs, by the name of the run, stage or figure."""

    def of(self, name: str) -> SlurmResources:
        """The resources of the job ``name``: its own values, else those of all jobs."""
        own = dict(self.jobs.get(name, SlurmResources()))
        return SlurmResources(**{key: own[key] or getattr(self, key) for key in own})
