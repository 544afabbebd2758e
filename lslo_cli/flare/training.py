"""Train one method: tuning on English, or a fresh adapter for a target language."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lslo_cli.events import Noted, OnEvent
from lslo_cli.flare.results import FlareEpoch
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.flare.task_model import Prepared
from lslo_cli.flare.texts import training_batches
from lslo_cli.flare.transfer_methods import TransferMethod
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.training.metrics import logged
from lslo_cli.training.trainer import Callback, Trainer
from lslo_cli.training.validation import KeepBest

Score = Callable[[Sequence[Any], Sequence[Any]], float]


@dataclass(frozen=True)
class LinearDecay:
    """AdamW with warm-up over a share of all updates and linear decay to 0, as in FLARE."""

    epochs: int
    lr: float
    warmup: float
    weight_decay: float
    clip_norm: float
    accumulate: int = 1

    @classmethod
    def of(cls, settings: FlareSection, epochs: int, lr: float) -> LinearDecay:
        """The recipe's schedule, with the epochs and the learning rate of one kind of training."""
        return cls(epochs, lr, settings.warmup, settings.weight_decay, settings.clip_norm)

    @property
    def advice(self) -> str:
        """The advice if training diverges."""
        return f"lower the learning rate, now {self.lr:g}"

    def optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW with torch's betas."""
        return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)

    def factor(self, step: int, updates: int) -> float:
        """The factor of the learning rate: up to 1 over the warm-up, then down to 0 after the last update."""
        rise = max(1, round(self.warmup * updates))
        return min((step + 1) / rise, (updates - step) / max(1, updates - rise))


@dataclass(frozen=True)
class Trained:
    """The outcome of a training; the method's parameters are those of ``best_epoch``."""

    history: list[FlareEpoch]
    best_epoch: int
    seconds: float
    step_seconds: float


def fit_method(
    setup: FlareSetup,
    method: TransferMethod,
    train: Prepared,
    dev: Prepared,
    schedule: LinearDecay,
    task: str,
    log: Path,
) -> Trained:
    """Train one method, and restore the epoch with the best score on ``dev``; of equal ones, the first.

    The order of texts and dropout are drawn from the setup's seed. ``task`` is the name in events and in the
    recipe's tracker. Raises RunError if the loss or a weight is not finite.
    """
    started, parameters, size = time.monotonic(), method.parameters(), setup.settings.batch_size
    accelerator = setup.accelerator
    dev_score = DevScore(method, dev, setup.task.score, size, task, setup.on_event)
    best, times = KeepBest(dev_score, parameters), StepTimes(accelerator.device)
    fit = Trainer(
        TaskObjective(method),
        parameters,
        TaskBatches(train, size, setup.seed),
        schedule,
        accelerator,
        setup.seed,
        callbacks=logged([times, dev_score, best], log, setup.recipe, task, accelerator),
        task=task,
        on_event=setup.on_event,
    )
    try:
        records = fit.run()
    finally:
        accelerator.free_memory()  # else it holds every model and optimizer it has prepared
    best.restore()
    history = [
        FlareEpoch(epoch=record.epoch, loss=record.loss, dev_score=found)
        for record, found in zip(records, dev_score.scores, strict=True)
    ]
    seconds = time.monotonic() - started
    return Trained(history, best.epoch or 0, seconds, statistics.median(times.seconds))


@dataclass(frozen=True)
class TaskBatch:
    """Rows of a split. Their loss is a mean already, so it is divided by 1."""

    split: Prepared
    rows: Sequence[int]
    tokens: int = 1

    @property
    def size(self) -> int:
        """The number of tokens, for the speed."""
        return sum(self.split.lengths[row] for row in self.rows)

    def to(self, device: torch.device) -> TaskBatch:
        """Unchanged: a method moves its inputs itself."""
        return self

    def pinned(self) -> TaskBatch:
        """Unchanged."""
        return self


class TaskBatches:
    """A split's batches, a function of ``seed`` and epoch."""

    def __init__(self, split: Prepared, size: int, seed: int):
        """``size`` is the number of rows of a batch."""
        self._split = split
        self._size = size
        self._seed = seed

    def batches(self, epoch: int) -> list[TaskBatch]:
        rows = training_batches(self._split.lengths, self._size, self._seed, epoch)
        return [TaskBatch(self._split, batch) for batch in rows]

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[TaskBatch]]:
        batches = self.batches(epoch)
        for start in range(0, len(batches), accumulate):
            yield batches[start : start + accumulate]


class TaskObjective(nn.Module):
    """The loss of a method on a batch, with all its trained modules as submodules."""

    def __init__(self, method: TransferMethod):
        super().__init__()
        self.method = method
        self.parts = nn.ModuleList([method.model.backbone, *method.modules().values()])

    def forward(self, batch: TaskBatch) -> Tensor:
        return self.method.loss(batch.split, batch.rows)

    def train(self, mode: bool = True) -> TaskObjective:
        self.method.model.train(mode)
        return self


class DevScore(Callback):
    """The score on the development set after each epoch of a ``task``; ``losses`` are the negated scores."""

    def __init__(
        self, method: TransferMethod, dev: Prepared, score: Score, size: int, task: str, on_event: OnEvent
    ):
        self._method = method
        self._dev = dev
        self._score = score
        self._size = size
        self._task = task
        self._on_event = on_event
        self.scores: list[float] = []

    @property
    def losses(self) -> list[float]:
        return [-score for score in self.scores]

    def after_epoch(self, epoch: int) -> None:
        answers = self._method.predict(self._dev, self._size)
        self.scores.append(self._score(answers, self._dev.labels.tolist()))
        self._on_event(Noted(f"{self._task}: epoch {epoch}, dev {self.scores[-1]:.1f}"))

    def metrics(self) -> dict[str, float]:
        return {"dev/score": self.scores[-1]} if self.scores else {}


class StepTimes(Callback):
    """The seconds of every update."""

    def __init__(self, device: torch.device):
        self._device = device
        self.seconds: list[float] = []

    def before_epoch(self, epoch: int) -> None:
        self._started = time.perf_counter()

    def after_update(self) -> None:
        if self._device.type == "cuda":  # kernels run after their launch returns
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.seconds.append(now - self._started)
        self._started = now
