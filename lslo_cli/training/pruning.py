"""Gradual pruning during a training run (paper, sections 3.2 and 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lslo_cli.method.importance import PrunedMatrix
from lslo_cli.method.languages import Language
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.nn.pruning import Pruner
from lslo_cli.training.trainer import Callback


class PruneGradually(Callback):
    """Extends masks to P_e at the beginning of epoch e, and zeroes masked entries after each update."""

    def __init__(
        self, pruner: Pruner, schedule: GradualPruning, sparsity: Callable[[], Mapping[str, float]] = dict
    ):
        """``sparsity`` returns the pruned fraction of the adapters of each class."""
        self._pruner = pruner
        self._schedule = schedule
        self._sparsity = sparsity

    def before_epoch(self, epoch: int) -> None:
        self._pruner.prune_to(self._schedule.ratio_at(epoch))

    def after_update(self) -> None:
        self._pruner.apply()

    def target_ratio(self, epoch: int) -> float:
        return self._schedule.ratio_at(epoch)

    def metrics(self) -> dict[str, float]:
        return {f"sparsity/{name}": ratio for name, ratio in self._sparsity().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"masks": self._pruner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pruner.load_state_dict(state["masks"])


def sparsity_by_class(matrices: Iterable[PrunedMatrix], languages: Iterable[Language]) -> dict[str, float]:
    """The pruned fraction of all entries in the adapters of the languages of each class.

    An adapter without a language, as a shared one, is listed under its own name.
    """
    classes = {language.code: str(language.resource) for language in languages}
    counted: dict[str, tuple[int, int]] = {}
    for matrix in matrices:
        name = classes.get(matrix.language, matrix.language)
        pruned, size = counted.get(name, (0, 0))
        counted[name] = pruned + matrix.pruned, size + matrix.size
    return {name: pruned / size for name, (pruned, size) in counted.items()}
