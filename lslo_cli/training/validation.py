"""The loss on held-out text while a base model is trained."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator

from lslo_cli.events import Noted, OnEvent
from lslo_cli.models.base import BaseModel
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.training.batches import EpochBatches
from lslo_cli.training.trainer import Callback


class Validation(Callback):
    """Mean loss per token on the held-out rows after each epoch, without smoothing or dropout."""

    def __init__(self, base: BaseModel, batches: EpochBatches, accelerator: Accelerator, on_event: OnEvent):
        self._objective = TranslationLoss(base.model, smoothing=0.0)
        self._batches = batches.batches(1)
        self._accelerator = accelerator
        self._on_event = on_event
        self.losses: list[float] = []

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        self._objective.eval()
        loss = tokens = 0.0
        for batch in self._batches:
            with self._accelerator.autocast():
                loss += float(self._objective(batch.to(self._accelerator.device)))
            tokens += batch.tokens
        self.losses.append(loss / tokens)
        self._on_event(Noted(f"epoch {epoch}: validation loss {self.losses[-1]:.4f} per token"))

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses[:] = state["losses"]
