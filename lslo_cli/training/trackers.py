"""Experiment trackers for a run's metrics during training, through accelerate."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker

from lslo_cli.errors import LsloError, RunError, UsageError
from lslo_cli.recipe import Tracker

PACKAGES = {
    Tracker.TENSORBOARD: ("tensorboard", "tensorboardX"),
    Tracker.WANDB: ("wandb",),
    Tracker.MLFLOW: ("mlflow",),
}
"""The packages of each tracker; one of them is enough."""


WITHOUT = "leave out --track: metrics.jsonl is written anyway"


def check_tracker(tracker: Tracker | None) -> None:
    """Raise UsageError if a tracker's package is not installed."""
    if tracker and not any(map(find_spec, PACKAGES[tracker])):
        raise UsageError(
            f"--track {tracker} needs the package {PACKAGES[tracker][0]}, which is not installed",
            f"pip install 'lslo[{tracker}]', or {WITHOUT}",
        )


@dataclass
class RunTracker:
    """One run in a tracker: its experiment, its name there, and its settings by dotted key.

    ``folder`` receives the files of a tracker that writes any. ``identity`` is the tracker's id of the run:
    with that of an interrupted run it is continued, else a new run begins.
    """

    tracker: Tracker
    experiment: str
    name: str
    settings: Mapping[str, Any]
    folder: Path
    identity: dict[str, str] = field(default_factory=dict)
    _open: GeneralTracker | None = field(default=None, init=False)

    @property
    def continues(self) -> bool:
        """Whether the tracker has this run from before an interruption."""
        return self.identity.get("tracker") == self.tracker

    def start(self) -> None:
        """Open the run. Raises UsageError if the tracker does not, as where nobody is logged in."""
        is_new = not self.continues
        opening, identify = SERVICES[self.tracker]
        given = opening(self, "" if is_new else self.identity["id"])
        with self._saying_why(UsageError):
            run = LOGGER_TYPE_TO_CLASS[str(self.tracker)](**given)
            run.start()
            self._open = run
            self.identity = {"tracker": str(self.tracker), "id": str(identify(run.tracker))}
            if is_new:
                run.store_init_configuration(dict(self.settings))

    def log(self, values: Mapping[str, float], update: int) -> None:
        """Log values at an update. Raises RunError if the tracker fails."""
        assert self._open
        with self._saying_why(RunError):
            self._open.log(dict(values), step=update)

    def finish(self) -> None:
        """Close the run, if it is open. Raises RunError if the tracker fails."""
        if self._open:
            with self._saying_why(RunError):
                self._open.finish()

    @contextmanager
    def _saying_why(self, kind: type[LsloError]) -> Iterator[None]:
        """Raise the tracker's errors, of which each has its own, as one of this ``kind`` in its words."""
        try:
            yield
        except Exception as error:
            why = " ".join(str(error).split()) or repr(error)
            raise kind(f"--track {self.tracker}: {why}", f"set up {self.tracker}, or {WITHOUT}") from error


def _tensorboard(run: RunTracker, identity: str) -> dict[str, Any]:
    folder = run.folder / "tensorboard"
    if not identity:
        shutil.rmtree(folder, ignore_errors=True)  # a run that was started again would be drawn twice
    return {"run_name": folder.name, "logging_dir": run.folder}


def _wandb(run: RunTracker, identity: str) -> dict[str, Any]:
    continued = {"id": identity, "resume": "allow"} if identity else {}
    return {"run_name": run.experiment, "name": run.name, "dir": str(run.folder), **continued}


def _mlflow(run: RunTracker, identity: str) -> dict[str, Any]:
    return {"experiment_name": run.experiment, "run_name": run.name, "run_id": identity or None}


Opening = Callable[[RunTracker, str], dict[str, Any]]
SERVICES: Mapping[Tracker, tuple[Opening, Callable[[Any], object]]] = {
    Tracker.TENSORBOARD: (_tensorboard, lambda writer: writer.log_dir),
    Tracker.WANDB: (_wandb, lambda run: run.id),
    Tracker.MLFLOW: (_mlflow, lambda run: run.info.run_id),
}
"""By tracker, the arguments that open a run, given its identity there if any, and the run's id."""
