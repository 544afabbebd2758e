"""Cross-lingual transfer in two stages: tuning on English, then a fresh adapter for a target language."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lslo_cli.errors import RunError
from lslo_cli.events import Advanced, Finished, OnEvent, Started, ignore
from lslo_cli.flare.readings import Reading
from lslo_cli.flare.results import FlareEpoch
from lslo_cli.flare.task_model import Prepared
from lslo_cli.flare.texts import training_batches
from lslo_cli.recipe.flare import FlareSection

Score = Callable[[Sequence[int], Sequence[int]], float]


@dataclass(frozen=True)
class Trained:
    """How a training went; the reading's parameters are those of ``best_epoch``."""

    history: list[FlareEpoch]
    best_epoch: int
    seconds: float
    step_seconds: float


@dataclass(frozen=True)
class TaskFit:
    """Training of one reading: AdamW, warm-up and linear decay, the epoch that is best on ``dev`` kept.

    Order of the texts and dropout are drawn from ``seed``. Of equal epochs the first is kept.
    """

    reading: Reading
    train: Prepared
    dev: Prepared
    score: Score
    settings: FlareSection
    epochs: int
    lr: float
    seed: int
    task: str
    on_event: OnEvent = ignore

    def run(self) -> Trained:
        """Train. Raises RunError where the loss is not finite."""
        settings, parameters = self.settings, self.reading.parameters()
        optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=settings.weight_decay, fused=True)
        updates = self.epochs * -(-len(self.train.lengths) // settings.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: linear_schedule(step, updates, settings.warmup)
        )
        torch.manual_seed(self.seed)
        self.on_event(Started(self.task, updates, "updates"))
        started, steps, history = time.monotonic(), [], []
        best: tuple[float, int, list[Tensor]] = (-1.0, 0, [])
        for epoch in range(1, self.epochs + 1):
            losses = self._epoch(epoch, parameters, optimizer, schedule, steps)
            score = self.score(self.reading.predict(self.dev, settings.batch_size), self.dev.labels.tolist())
            history.append(FlareEpoch(epoch=epoch, loss=statistics.fmean(losses), dev_score=score))
            if score > best[0]:
                best = (score, epoch, [parameter.detach().clone() for parameter in parameters])
            self.on_event(Advanced(self.task, len(steps), f"epoch {epoch}, dev {score:.1f}"))
        with torch.no_grad():
            for parameter, kept in zip(parameters, best[2], strict=True):
                parameter.copy_(kept)
        self.on_event(Finished(self.task, f"dev {best[0]:.1f}"))
        return Trained(history, best[1], time.monotonic() - started, statistics.median(steps))

    def _epoch(
        self,
        epoch: int,
        parameters: list[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        steps: list[float],
    ) -> list[float]:
        """The loss of every update; ``steps`` gets their seconds."""
        self.reading.model.train(True)
        losses = []
        for rows in training_batches(self.train.lengths, self.settings.batch_size, self.seed, epoch):
            started = time.perf_counter()
            loss = self.reading.loss(self.train, rows)
            loss.backward()
            if self.settings.clip_norm:
                torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            steps.append(time.perf_counter() - started)
            if not torch.isfinite(loss):
                raise RunError(
                    f"{self.task} diverged: the loss is {losses[-1]} in epoch {epoch}",
                    f"lower the learning rate, now {self.lr:g}",
                )
        return losses


def linear_schedule(step: int, updates: int, warmup: float) -> float:
    """Factor on the learning rate of update ``step`` (from 0): up to 1 over the warm-up, then down to 0."""
    rise = max(1, round(warmup * updates))
    return min((step + 1) / rise, (updates - step) / max(1, updates - rise))
