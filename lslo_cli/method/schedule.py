"""The gradual pruning schedule (paper, section 3.2, eq. 4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Resource

PAPER_PRUNED = (Resource.HIGH, Resource.MEDIUM)
"""The classes of languages whose adapters the paper's runs prune (section 6.3)."""


@dataclass(frozen=True)
class GradualPruning:
    """How much is pruned in each epoch: nothing, then a cubic rise, then the target.

    ::

        P_e = 0                               e <= E
        P_e = P - P (1 - (e - E) / k)^3       E < e <= E + k
        P_e = P                               E + k < e <= T

    ``target_ratio`` is P in [0, 1), ``start_epoch`` is E >= 0, ``duration`` is k >= 1, ``epochs`` is T.
    Epochs count from 1, and P_e holds from the beginning of epoch e. The fraction (e - E) / k follows
    Zhu and Gupta (2017), the paper's source; the paper prints it without parentheses.

    Raises UsageError if a value is out of range or the rise would not end by epoch T. Messages name ``flag``,
    which sets P, and ``start_flag``, which sets E.
    """

    target_ratio: float
    start_epoch: int
    duration: int
    epochs: int
    flag: str = field(default="--gps", compare=False)
    start_flag: str = field(default="--gps-start", compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.target_ratio < 1:
            raise UsageError(
                f"pruning ratio {self.target_ratio:g} is outside [0, 1)",
                f"give the fraction of parameters to prune, such as {self.flag} 0.9",
            )
        if self.start_epoch < 0 or self.duration < 1:
            raise UsageError(
                f"pruning cannot start after epoch {self.start_epoch} and rise for {self.duration} epochs",
                "the start epoch is at least 0 and the duration at least 1",
            )
        if self.target_ratio > 0 and self.start_epoch + self.duration > self.epochs:
            end = self.start_epoch + self.duration
            raise UsageError(
                f"the pruning schedule does not fit: it starts after epoch {self.start_epoch} and rises for "
                f"{self.duration}, so it would end at epoch {end} of {self.epochs}",
                f"train for at least {end} epochs, start earlier, rise faster, or give {self.flag} 0",
            )

    def ratio_at(self, epoch: int) -> float:
        """P_e, the fraction that is pruned during ``epoch`` (counted from 1)."""
        if epoch <= self.start_epoch:
            return 0.0
        if epoch >= self.start_epoch + self.duration:
            return self.target_ratio
        remaining = 1 - (epoch - self.start_epoch) / self.duration
        return self.target_ratio * (1 - remaining**3)
