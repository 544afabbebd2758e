"""The log of a training run: a file that can be followed while it grows, and an optional tracker."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from accelerate import Accelerator

from lslo_cli.artifacts.lock import write_locked
from lslo_cli.artifacts.writing import unwritable
from lslo_cli.recipe import Recipe
from lslo_cli.training.device import peak_memory
from lslo_cli.training.trackers import RunTracker
from lslo_cli.training.trainer import Callback, Progress


class MetricsLog(Callback):
    """Writes JSON lines: one for every progress, and one for an epoch's metrics of other callbacks.

    Every line has ``epoch`` and ``update``. Those of progress have ``loss`` (per token), ``learning_rate``,
    ``tokens_per_second`` and ``memory_gib`` (the peak so far); the others have the values of
    :meth:`Callback.metrics`. A resumed run begins with the lines of its checkpoint, so that each is there
    once, whatever another attempt has written to the file since; lines that the tracker has from before the
    interruption are not logged to it again.

    It comes last among the callbacks of a run. Raises InputError if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        measuring: Sequence[Callback],
        device: torch.device,
        tracker: RunTracker | None = None,
    ):
        """``measuring`` are the callbacks whose metrics are logged."""
        self._path = path
        self._measuring = measuring
        self._device = device
        self._tracker = tracker
        self._file: TextIO | None = None
        self._update = 0
        self._lines: list[str] = []
        """The lines of the run so far."""
        self._told = 0
        """The number of lines that the tracker has."""

    def before_epoch(self, epoch: int) -> None:
        if self._file is None:
            self._open()
        if epoch == 1:
            self._write_measured(0)
        self._since = time.perf_counter()

    def on_progress(self, progress: Progress) -> None:
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        self._update = progress.update
        values = {
            "loss": progress.loss,
            "learning_rate": progress.learning_rate,
            "tokens_per_second": progress.size / seconds if seconds else math.nan,
            "memory_gib": peak_memory(self._device) / 2**30,
        }
        self._write(progress.epoch, values)

    def after_epoch(self, epoch: int) -> None:
        self._write_measured(epoch)

    def after_training(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
            if self._tracker:
                self._tracker.finish()

    def state_dict(self) -> dict[str, Any]:
        tracker = self._tracker.identity if self._tracker else {}
        return {"update": self._update, "lines": self._lines, "tracker": tracker}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._update = state["update"]
        self._lines = state["lines"]
        if self._tracker:
            self._tracker.identity = state["tracker"]

    def _open(self) -> None:
        """Write the lines of updates that are not repeated; the others are appended to them."""
        there, kept = _whole_lines(self._path), self._lines
        write_locked(self._path, "".join(kept))
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        if self._tracker:
            is_own = there[: len(kept)] == kept
            self._told = len(there if is_own else kept) if self._tracker.continues else 0
            self._tracker.start()
        self._lines = []
        for line in kept:
            self._keep(line)

    def _write_measured(self, epoch: int) -> None:
        values = {name: value for each in self._measuring for name, value in each.metrics().items()}
        if values:
            self._write(epoch, values)

    def _write(self, epoch: int, values: Mapping[str, float]) -> None:
        assert self._file
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        line = json.dumps({"epoch": epoch, "update": self._update, **finite}) + "\n"
        try:
            self._file.write(line)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._keep(line)

    def _keep(self, line: str) -> None:
        """Keep a line for checkpoints, and log it to the tracker, unless it has it from before."""
        self._lines.append(line)
        if self._tracker and len(self._lines) > self._told:
            known = {name: value for name, value in json.loads(line).items() if value is not None}
            self._tracker.log(known, known.pop("update"))


def logged(
    callbacks: Sequence[Callback], path: Path, recipe: Recipe, name: str, accelerator: Accelerator
) -> list[Callback]:
    """The callbacks of a run and, in the main process, its log at ``path`` after them.

    ``name`` is the run's name in the recipe's tracker.
    """
    if not accelerator.is_main_process:
        return [*callbacks, Callback()]  # checkpoints have a state for each callback, in every process
    tracker = None
    if recipe.run.track:
        settings = dict(_by_key(recipe.model_dump(mode="json")))
        tracker = RunTracker(recipe.run.track, recipe.experiment, name, settings, path.parent)
    return [*callbacks, MetricsLog(path, callbacks, accelerator.device, tracker)]


def _by_key(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float]]:
    """Values by dotted key, without unset ones; a list is joined to one string."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _by_key(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float):
            yield prefix + name, value
        elif value is not None:
            yield prefix + name, ",".join(map(str, value))


def _whole_lines(path: Path) -> list[str]:
    """The lines of a log, without the partial one of a killed process."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
