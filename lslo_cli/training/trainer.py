"""One training loop for everything that trains. It emits events and prints nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import nn

from lslo_cli.artifacts.results import EpochRecord
from lslo_cli.errors import RunError
from lslo_cli.events import Advanced, Finished, Noted, OnEvent, Started, Warned, ignore
from lslo_cli.nn.route import Route
from lslo_cli.nn.tally import LossTally
from lslo_cli.training.checkpoint import TrainingCheckpoint
from lslo_cli.training.device import loss_scale, seed_dropout
from lslo_cli.training.optimisation import Optimiser
from lslo_cli.training.prefetch import made_ahead
from lslo_cli.wording import counted

READ_EVERY = {"cuda": 10}
"""Updates between readings of the loss, by kind of device: reading waits for a GPU."""


class EpochSource(Protocol):
    """Batches by epoch, a pure function of seed and epoch.

    A batch has ``tokens``, the divisor of its summed loss, ``size``, its tokens for measuring speed, and
    ``to(device)``; for a GPU ``pinned()``.
    """

    def batches(self, epoch: int) -> Sized: ...

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[Any]]: ...


@dataclass(frozen=True)
class Progress:
    """The updates since the last progress: number of the latest, mean loss per token, and ``size``.

    ``learning_rate`` is that of the latest.
    """

    epoch: int
    update: int
    loss: float
    learning_rate: float
    size: int


class Callback:
    """Hooks of a training run. ``state_dict`` is saved in checkpoints."""

    def before_epoch(self, epoch: int) -> None: ...

    def after_update(self) -> None: ...

    def on_progress(self, progress: Progress) -> None:
        """Called when the loss is known: after every update, on a GPU after several."""

    def after_epoch(self, epoch: int) -> None: ...

    def after_training(self) -> None:
        """Called when training ends, also by an error."""

    def metrics(self) -> Mapping[str, float]:
        """The latest measurements by name, for the log."""
        return {}

    def target_ratio(self, epoch: int) -> float:
        """The fraction pruned in ``epoch``, for the record."""
        return 0.0

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class Trainer:
    """A training run: objective, parameters, batches, settings and callbacks.

    ``objective`` is a module that contains all trained parameters and returns the loss of a batch, summed
    over its tokens. The batches of an epoch are a function of seed and epoch, and the dropout of a batch one
    of seed, update and its number in the update. So a resumed run needs no state of a random number
    generator, and several processes draw the same dropout as one.
    """

    objective: nn.Module
    parameters: list[nn.Parameter]
    batches: EpochSource
    settings: Optimiser
    accelerator: Accelerator
    seed: int
    route: Route | None = None
    callbacks: Sequence[Callback] = ()
    checkpoint: TrainingCheckpoint | None = None
    task: str = "training"
    on_event: OnEvent = ignore
    history: list[EpochRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        optimizer = self.settings.optimizer(self.parameters)
        self.objective, self.optimizer = self.accelerator.prepare(self.objective, optimizer)
        self._updates = math.ceil(len(self.batches.batches(1)) / self._micro_batches)
        factor = partial(self.settings.factor, updates=self._updates * self.settings.epochs)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer.optimizer, factor)
        self._rate = 0.0
        self._size = 0

    def run(self, resume: bool = False) -> list[EpochRecord]:
        """Train all epochs and return one record for each.

        A checkpoint is written after every epoch; with ``resume`` the run continues after the last one, to
        the same weights bit for bit on the same machine. Raises RunError if the loss or a weight is not
        finite.
        """
        if resume:
            self._restore()
        total, done = (self._updates * epochs for epochs in (self.settings.epochs, len(self.history)))
        self.on_event(Started(self.task, total, "updates", done))
        try:
            for epoch in range(len(self.history) + 1, self.settings.epochs + 1):
                for callback in self.callbacks:
                    callback.before_epoch(epoch)
                self.history.append(self._epoch(epoch))
                self._check_weights(epoch)
                for callback in self.callbacks:
                    callback.after_epoch(epoch)
                self._save()
        finally:
            for callback in self.callbacks:
                callback.after_training()
        self.on_event(Finished(self.task, f"loss {self.history[-1].loss:.3f}"))
        if not any(self.settings.factor(step, total) for step in range(total)):
            self.on_event(
                Warned(
                    f"{self.task} changed nothing: {counted(total, 'update')} had a learning rate of 0; "
                    "train on more text, for more epochs, or with a smaller accumulate"
                )
            )
        return self.history

    @property
    def _micro_batches(self) -> int:
        """Batches that make one update, over all processes."""
        return self.settings.accumulate * self.accelerator.num_processes

    def _epoch(self, epoch: int) -> EpochRecord:
        """Train one epoch; the loss of an update is the mean over its target tokens, in all processes."""
        self.objective.train()
        self._size = 0
        tally = LossTally(READ_EVERY.get(self.accelerator.device.type, 1))
        done = sum(record.updates for record in self.history)
        with closing(self._groups(epoch)) as groups:
            for update, batches in enumerate(groups, start=done + 1):
                tokens = sum(batch.tokens for batch in batches)
                summed = torch.zeros((), device=self.accelerator.device)
                for number, batch, weight in self._shares(batches):
                    seed_dropout(self.accelerator.device, self._dropout_seed(update, number))
                    with self._routed(batch):
                        loss = self.objective(batch) * weight
                    self.accelerator.backward(loss * (self.accelerator.num_processes / tokens))
                    summed += loss.detach()
                self._step()
                self._size += sum(batch.size for batch in batches)
                tally.add(self.accelerator.reduce(summed, "sum"), tokens)
                self._check(tally, epoch)
                self._tell(tally, epoch, update)
                so_far = f"  loss {tally.mean:.3f}" if tally.tokens else ""
                self.on_event(Advanced(self.task, update, f"epoch {epoch}/{self.settings.epochs}{so_far}"))
        tally.read()
        self._check(tally, epoch)
        self._tell(tally, epoch, done + len(tally.losses))
        ratio = max((callback.target_ratio(epoch) for callback in self.callbacks), default=0.0)
        return EpochRecord(
            epoch=epoch, loss=tally.mean, updates=len(tally.losses), tokens=tally.tokens, target_ratio=ratio
        )

    def _groups(self, epoch: int) -> Generator[list[Any], None, None]:
        """The batches of every update; for a GPU, prefetched into page-locked memory."""
        groups = self.batches.updates(epoch, self._micro_batches)
        if self.accelerator.device.type == "cuda":
            groups = made_ahead([batch.pinned() for batch in group] for group in groups)
        yield from groups

    def _tell(self, tally: LossTally, epoch: int, update: int) -> None:
        """Call ``on_progress`` with the losses up to ``update`` that were read since the last call."""
        loss = tally.news()
        if loss is None:
            return
        progress = Progress(epoch, update, loss, self._rate, self._size)
        self._size = 0
        for callback in self.callbacks:
            callback.on_progress(progress)

    def _check(self, tally: LossTally, epoch: int) -> None:
        """Raise RunError if a loss is not finite."""
        if update := tally.diverged:
            raise RunError(
                f"{self.task} diverged: the loss is {tally.losses[update - 1]} in epoch {epoch}, "
                f"update {update}",
                self.settings.advice,
            )

    def _check_weights(self, epoch: int) -> None:
        """Raise RunError if a trained weight is not finite, which a finite loss does not rule out."""
        if all(torch.isfinite(parameter).all() for parameter in self.parameters):
            return
        updates = sum(record.updates for record in self.history)
        kept = f"; the checkpoint of epoch {epoch - 1} is kept" if epoch > 1 and self.checkpoint else ""
        raise RunError(
            f"{self.task} diverged: weights are not finite after epoch {epoch}, update {updates}{kept}",
            self.settings.advice,
        )

    def _dropout_seed(self, update: int, number: int) -> int:
        """The seed of a batch's dropout, the same in any process."""
        return random.Random(f"{self.seed} {update} {number}").getrandbits(63)

    def _shares(self, batches: Sequence[Any]) -> Iterator[tuple[int, Any, float]]:
        """This process's batches of one update, each with its number in the update and its loss weight.

        Every process takes part in every backward pass; one without a batch repeats the first of the group
        with weight 0.
        """
        processes = self.accelerator.num_processes
        for first in range(0, len(batches), processes):
            mine = first + self.accelerator.process_index
            weight = 1.0 if mine < len(batches) else 0.0
            number = mine if weight else first
            yield number, batches[number].to(self.accelerator.device), weight

    def _step(self) -> None:
        """Update the parameters with the accumulated gradients, then advance the schedule."""
        if self.settings.clip_norm:
            self.accelerator.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        scale = loss_scale(self.accelerator)
        self.optimizer.step()
        self._rate = float(self.schedule.get_last_lr()[0])
        if loss_scale(self.accelerator) >= scale:  # else it was skipped by fp16's scaler
            self.schedule.step()
        self.optimizer.zero_grad()
        for callback in self.callbacks:
            callback.after_update()

    def _routed(self, batch: Any) -> AbstractContextManager[None]:
        return self.route.of(batch.source_language, batch.target_language) if self.route else nullcontext()

    def _save(self) -> None:
        if self.checkpoint is None or not self.accelerator.is_main_process:
            return
        self.checkpoint.save(
            {
                "history": [record.model_dump() for record in self.history],
                "parameters": [parameter.detach().cpu() for parameter in self.parameters],
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
                "callbacks": [callback.state_dict() for callback in self.callbacks],
            }
        )

    def _restore(self) -> None:
        state = self.checkpoint.load() if self.checkpoint else None
        if state is None:
            self.on_event(Noted(f"no {self.task} to resume: starting from the beginning"))
            return
        self.history[:] = [EpochRecord.model_validate(record) for record in state["history"]]
        with torch.no_grad():
            for parameter, saved in zip(self.parameters, state["parameters"], strict=True):
                parameter.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        for callback, saved in zip(self.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(saved)
        done, wanted = len(self.history), self.settings.epochs
        more = f", more than the {wanted} asked for: all are kept" if done > wanted else f" of {wanted}"
        self.on_event(Noted(f"resuming {self.task} after epoch {done}{more}"))
