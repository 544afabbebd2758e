"""Gradual pruning beside a training run (paper, sections 3.2 and 4.2)."""

from __future__ import annotations

from typing import Any

from lslo_cli.method.schedule import GradualPruning
from lslo_cli.nn.pruning import Pruner
from lslo_cli.training.trainer import Callback


class PruneGradually(Callback):
    """Raises masks to P_e at the beginning of epoch e, and keeps masked entries at zero after each update."""

    def __init__(self, pruner: Pruner, schedule: GradualPruning):
        self._pruner = pruner
        self._schedule = schedule

    def before_epoch(self, epoch: int) -> None:
        self._pruner.prune_to(self._schedule.ratio_at(epoch))

    def after_update(self) -> None:
        self._pruner.apply()

    def target_ratio(self, epoch: int) -> float:
        return self._schedule.ratio_at(epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"masks": self._pruner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pruner.load_state_dict(state["masks"])
