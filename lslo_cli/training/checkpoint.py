"""Checkpoints, from which an interrupted training run is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError
from lslo_cli.nn.files import unreadable_reason

FILE = "state.pt"

FORMAT = 2
"""The version of checkpoints' content and meaning: before 2, dropout depended on the number of processes."""


class CheckpointError(InputError):
    """A checkpoint that is damaged, or belongs to another run."""


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A run's checkpoint in a folder, with the fingerprint of the run's settings, data and base model.

    ``batch_size`` are the settings that the machine's memory may have chosen: see :meth:`batch_size_in`.
    """

    folder: Path
    fingerprint: str
    batch_size: Mapping[str, int] = field(default_factory=dict)

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
        try:
            state = torch.load(folder / FILE, map_location="cpu", mmap=True, weights_only=True)
            return dict(state["batch_size"])
        except Exception:  # load() tells what is wrong
            return {}

    def save(self, state: dict[str, Any]) -> None:
        with writing(self.path) as file:
            about = {"format": FORMAT, "fingerprint": self.fingerprint, "batch_size": dict(self.batch_size)}
            torch.save(about | state, file)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none.

        Raises CheckpointError if it is damaged, or of another version of lslo or another run.
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
            raise CheckpointError(
                f"checkpoint {self.path} belongs to a run with other settings, data or base model",
                "repeat the settings of the interrupted run, or start again without --resume",
            )
        return state
