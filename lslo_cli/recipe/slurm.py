"""What ``lslo reproduce --on slurm`` asks Slurm for."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lslo_cli.recipe.section import Count, Section


def _as_typed(value: Any) -> Any:
    """``02:00:00`` without quotes, which TOML reads as a time of day, as the text that it was."""
    return value.isoformat() if isinstance(value, time) else value


class SlurmResources(Section):
    """What a job asks for. A key without a value is left to the cluster."""

    partition: str | None = None
    """Partition to run in; without it the cluster's own choice."""
    account: str | None = None
    """Account that pays; without it the user's own."""
    time: Annotated[str | None, BeforeValidator(_as_typed)] = None
    """Longest that a job may take: 90 (minutes), 2:00:00 or 1-12 (days-hours); without it the partition's."""
    cpus: Count | None = None
    """CPUs of a job; without it the cluster's own choice, mostly 1."""
    gpus: str | None = None
    """GPUs of a job that trains or translates: 1, or a100:1; without it none."""
    memory: str | None = None
    """Memory of a job: 32G; without it the partition's."""
    extra: tuple[str, ...] = ()
    """Any other options of sbatch: --qos=long, --constraint=a100."""


class SlurmSection(SlurmResources):
    """What ``lslo reproduce --on slurm`` asks Slurm for, for each of its jobs.

    A key without a value is left to the cluster. ``jobs`` has other values for some, by name:
    ``[slurm.jobs.full]`` for the run ``full``, ``[slurm.jobs."2-2-8-gps0.9"]``.
    """

    jobs: dict[str, SlurmResources] = Field(default_factory=dict)
    """Other values for single jobs, by the name of the run, stage or figure."""

    def of(self, name: str) -> SlurmResources:
        """What the job ``name`` asks for: what is said of it alone, and else of all."""
        own = dict(self.jobs.get(name, SlurmResources()))
        return SlurmResources(**{key: own[key] or getattr(self, key) for key in own})
