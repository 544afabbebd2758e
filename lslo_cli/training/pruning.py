"""Gradual pruning during a training run (paper, sections 3.2 and 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lslo_cli.errors import UsageError
from lslo_cli.events import OnEvent, Warned, ignore
from lslo_cli.method.importance import PrunedMatrix
from lslo_cli.method.languages import Language
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.nn.pruning import Pruner
from lslo_cli.training.trainer import Callback
from lslo_cli.wording import several


class PruneGradually(Callback):
    """Extends masks to P_e at the beginning of epoch e, and zeroes masked entries after each update.

    A note says before the first pruning which languages it ranks zeros of. The first update has a learning
    rate of 0, so all B of a language may still be 0. Their rank is then their position, for good, since what
    is pruned stays so. Some zeros are no such sign: units that never fire have no gradient.
    """

    def __init__(
        self,
        pruner: Pruner,
        schedule: GradualPruning,
        sparsity: Callable[[], Mapping[str, float]] = dict,
        meaning: str = "only their order decides what is pruned",
        on_event: OnEvent = ignore,
    ):
        """``sparsity`` returns the pruned fraction of the adapters of each class.

        ``meaning`` is what follows, in the note, from ranking zeros. Raises UsageError if the last ratio
        leaves nothing of a pool.
        """
        self._pruner = pruner
        self._schedule = schedule
        self._sparsity = sparsity
        self._meaning = meaning
        self._on_event = on_event
        if size := pruner.emptied(schedule.target_ratio):
            most = int(1e4 * (size - 1) / size) / 1e4
            raise UsageError(
                f"{schedule.flag} {schedule.target_ratio:g} prunes all of {size:,} entries that are ranked "
                "together, which leaves nothing of them",
                f"give {schedule.flag} {most:g} or less",
            )

    def before_epoch(self, epoch: int) -> None:
        ratio = self._schedule.ratio_at(epoch)
        if ratio and epoch == self._schedule.start_epoch + 1:
            self._note_untrained(epoch)
        self._pruner.prune_to(ratio)

    def _note_untrained(self, epoch: int) -> None:
        if untrained := self._pruner.untrained():
            epochs = max(self._schedule.epochs, epoch + self._schedule.duration)
            self._on_event(
                Warned(
                    f"pruning after epoch {epoch - 1} ranks zeros: the adapters of {several(untrained)} have "
                    f"not been trained yet, so {self._meaning}; prune later, with "
                    f"{self._schedule.start_flag} {epoch} --epochs {epochs}, or train on more text"
                )
            )

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
