"""Checkpoints, from which an interrupted training run is resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent
from lslo_cli.nn.files import unreadable_reason
from lslo_cli.recipe import Recipe
from lslo_cli.training.device import Machine, StageAccelerator
from lslo_cli.wording import counted

FILE = "state.pt"

FORMAT = 2
"""The version of checkpoints' content and meaning: before 2, dropout depended on the number of processes."""


class CheckpointError(InputError):
    """A checkpoint that is damaged, or belongs to another run."""


class OtherMachineError(InputError):
    """A checkpoint of the same run in other processes or threads: nothing in it is wrong, so it is kept."""


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A run's checkpoint in a folder, with the fingerprint of the run's settings, data and base model.

    The fingerprint also depends on the machine, so ``fingerprint_on`` returns that on another one.
    ``batch_size`` are the settings that the machine's memory may have chosen: see :meth:`batch_size_in`.
    """

    folder: Path
    fingerprint_on: Callable[[Machine], str]
    machine: Machine
    batch_size: Mapping[str, int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        return self.fingerprint_on(self.machine)

    @property
    def path(self) -> Path:
        return self.folder / FILE

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a folder has one."""
        return (folder / FILE).exists()

    @staticmethod
    def batch_size_in(folder: Path) -> dict[str, int]:
        """The ``batch_size`` of the checkpoint in a folder; empty if there is none or it cannot be read."""
        return _noted_in(folder, "batch_size")

    @staticmethod
    def machine_in(folder: Path) -> Machine | None:
        """The machine of the checkpoint in a folder; None if there is none or it does not say."""
        noted = _noted_in(folder, "machine")
        return Machine(**noted) if noted.keys() == {*Machine._fields} else None

    def save(self, state: dict[str, Any]) -> None:
        about = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "machine": self.machine._asdict(),
            "batch_size": dict(self.batch_size),
        }
        with writing(self.path) as file:
            torch.save(about | state, file)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none.

        Raises CheckpointError if it is damaged, or of another version of lslo or another run, and
        OtherMachineError if only processes or threads are others.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint = state["fingerprint"]
        except Exception as error:  # zip, pickle and torch each raise their own types
            raise CheckpointError(
                f"checkpoint {self.path} is damaged: {unreadable_reason(error)}",
                "start again without --resume",
            ) from None
        if state.get("format") != FORMAT:
            raise CheckpointError(
                f"checkpoint {self.path} was written by another version of lslo",
                "continue with that version, or start again without --resume",
            )
        if fingerprint != self.fingerprint:
            was = self.machine_in(self.folder)
            if was and fingerprint == self.fingerprint_on(was):
                raise OtherMachineError(
                    f"checkpoint {self.path} was written by {was}, and this is {self.machine}",
                    f"continue {_as(was)}, or delete the checkpoint to start again",
                )
            raise CheckpointError(
                f"checkpoint {self.path} belongs to a run with other settings, data or base model"
                + self._apart(was),
                "repeat the settings of the interrupted run, or start again without --resume",
            )
        return state

    def _apart(self, was: Machine | None) -> str:
        """The machine and the batches of the checkpoint, where they are others; "" if they are the same."""
        noted = self.batch_size_in(self.folder).items()
        other = [f"fit.{key} = {value}" for key, value in noted if self.batch_size.get(key) != value]
        made = [f"by {was}"] if was and was != self.machine else []
        made += [f"with {' and '.join(other)}"] if other else []
        return f"; it was made {', '.join(made)}" if made else ""


def continue_with_threads(
    recipe: Recipe, accelerator: StageAccelerator, folder: Path, on_event: OnEvent
) -> None:
    """Compute with as many threads as the checkpoint in ``folder``, if the recipe leaves their number open.

    Machines differ in cores, and with another number the weights would be others. A note says so.
    """
    was, now = TrainingCheckpoint.machine_in(folder), Machine.of(accelerator)
    if recipe.run.threads is not None or not (was and was.threads and now.threads):
        return
    if was.threads != now.threads:
        accelerator.set_threads(was.threads)
        threads = counted(was.threads, "thread")
        on_event(Noted(f"with {threads} as before, not {now.threads}, for the same weights"))


def _as(machine: Machine) -> str:
    """How to continue on such a machine."""
    where = "on a GPU" if machine.threads is None else f"with --threads {machine.threads}"
    return f"in {counted(machine.processes, 'process', 'processes')} {where}"


def _noted_in(folder: Path, name: str) -> dict[str, Any]:
    """What the checkpoint in a folder says under a name; empty if there is none or it cannot be read."""
    try:
        state = torch.load(folder / FILE, map_location="cpu", mmap=True, weights_only=True)
        return dict(state[name])
    except Exception:  # load() tells what is wrong
        return {}
