"""The loss on held-out text during training, and the weights of the epoch with the lowest loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol

import torch
from accelerate import Accelerator

from lslo_cli.errors import RunError
from lslo_cli.events import Noted, OnEvent
from lslo_cli.models.base import BaseModel
from lslo_cli.models.encoder import encode_once
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.nn.route import Route
from lslo_cli.training.batches import EpochBatches
from lslo_cli.training.trainer import Callback


class Validation(Callback):
    """Mean loss per token on the held-out rows after each epoch, without smoothing or dropout.

    Every sentence pair counts once: the temperature of training does not weight directions here.
    """

    def __init__(
        self,
        base: BaseModel,
        batches: EpochBatches,
        accelerator: Accelerator,
        on_event: OnEvent,
        route: Route | None = None,
    ):
        """``route`` is that of the adapters in training, None if there are none."""
        # Without dropout, a source that several rows share may be encoded once.
        self._objective = TranslationLoss(base.model, smoothing=0.0, encode=partial(encode_once, route=route))
        self._batches = batches.every_pair()
        self._accelerator = accelerator
        self._on_event = on_event
        self._route = route
        self.losses: list[float] = []

    def after_epoch(self, epoch: int) -> None:
        """Measure the loss. Raises RunError if it is not finite, as it may be where training's is."""
        loss = self.measure()
        if not math.isfinite(loss):
            raise RunError(
                f"training diverged: the loss on held-out rows is {loss} after epoch {epoch}",
                "lower the learning rate; where --precision is fp16, try bf16",
            )
        self.losses.append(loss)
        self._on_event(Noted(f"epoch {epoch}: validation loss {self.losses[-1]:.4f} per token"))

    def metrics(self) -> dict[str, float]:
        return {"dev/loss": self.losses[-1]} if self.losses else {}

    def measure(self) -> float:
        """The current mean loss per token."""
        loss, tokens = self.totals()
        return loss / tokens

    @torch.no_grad()
    def totals(self) -> tuple[float, int]:
        """The current loss, summed over tokens, and the number of tokens."""
        self._objective.eval()
        loss, tokens = 0.0, 0
        for batch in self._batches:
            batch = batch.to(self._accelerator.device)
            routed = (
                self._route.of(batch.source_language, batch.target_language) if self._route else nullcontext()
            )
            with self._accelerator.autocast(), routed:
                loss += float(self._objective(batch))
            tokens += batch.tokens
        return loss, tokens

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses[:] = state["losses"]


class Measured(Protocol):
    """A measure taken after every epoch; lower is better."""

    @property
    def losses(self) -> Sequence[float]: ...


class KeepBest(Callback):
    """Copies the parameters of the epoch with the lowest validation loss; ties go to the first.

    It comes after its ``validation`` among the callbacks. Only ``eligible`` epochs count, so that a run with
    pruning keeps weights that are fully pruned.
    """

    def __init__(
        self,
        validation: Measured,
        parameters: Sequence[torch.Tensor],
        eligible: Callable[[int], bool] = lambda epoch: True,
    ):
        self._validation = validation
        self._parameters = parameters
        self._eligible = eligible
        self._loss = math.inf
        self._weights: list[torch.Tensor] = []
        self.epoch: int | None = None

    def after_epoch(self, epoch: int) -> None:
        loss = self._validation.losses[-1]
        if self._eligible(epoch) and loss < self._loss:
            self.epoch, self._loss = epoch, loss
            self._weights = [parameter.detach().cpu().clone() for parameter in self._parameters]

    @torch.no_grad()
    def restore(self) -> None:
        """Restore the parameters of the best epoch."""
        for parameter, kept in zip(self._parameters, self._weights, strict=True):
            parameter.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "loss": self._loss, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self._loss, self._weights = state["epoch"], state["loss"], state["weights"]
