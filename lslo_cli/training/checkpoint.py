"""Checkpoints, from which an interrupted training run is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError
from lslo_cli.nn.files import unreadable_reason

FORMAT = 2
"""The version of checkpoints' content and meaning: before 2, dropout depended on the number of processes."""


class CheckpointError(InputError):
    """A checkpoint that is damaged, or belongs to another run."""


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A run's checkpoint in a folder, with the fingerprint of the run's settings, data and base model."""

    folder: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        return self.folder / "state.pt"

    def save(self, state: dict[str, Any]) -> None:
        with writing(self.path) as file:
            torch.save({"format": FORMAT, "fingerprint": self.fingerprint, **state}, file)

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
