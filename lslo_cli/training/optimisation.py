"""How parameters are updated: optimiser and learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import nn

from lslo_cli.recipe import BaseSection, FitSection


class Optimiser(Protocol):
    """How parameters are updated. ``accumulate`` batches make one update; ``clip_norm`` 0: no clipping."""

    @property
    def epochs(self) -> int: ...

    @property
    def clip_norm(self) -> float: ...

    @property
    def accumulate(self) -> int: ...

    @property
    def advice(self) -> str:
        """The hint of the error if training diverges."""
        ...

    def optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer: ...

    def factor(self, step: int, updates: int) -> float:
        """Factor on the learning rate of update ``step`` (from 0) of ``updates``."""
        ...


@dataclass(frozen=True)
class Optimisation:
    """Adam with an inverse square root schedule, as in the authors' code.

    ``accumulate`` batches make one update, whose loss is the mean over all their target tokens.
    ``clip_norm`` 0 means no clipping, fairseq's default.
    """

    epochs: int
    lr: float
    warmup: int
    beta1: float
    beta2: float
    clip_norm: float
    label_smoothing: float
    accumulate: int

    section: ClassVar[str] = "fit"
    """The section of the recipe that has these values, for hints."""

    @classmethod
    def of(cls, section: FitSection | BaseSection, **others: Any) -> Self:
        """The optimisation of a section of the recipe, but for those values that are given as ``others``."""
        names = (value.name for value in fields(cls) if value.name not in others)
        return cls(**{name: getattr(section, name) for name in names}, **others)

    @property
    def advice(self) -> str:
        """The hint of the error if training diverges."""
        return f"lower the learning rate, now {self.lr:g}, or clip: --set {self.section}.clip_norm=1.0"

    def optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam without weight decay."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(parameters, lr=self.lr, betas=betas, eps=1e-8, fused=True)

    def factor(self, step: int, updates: int) -> float:
        """:func:`inverse_sqrt`, independent of the number of updates."""
        return inverse_sqrt(step, self.warmup)


def inverse_sqrt(step: int, warmup: int) -> float:
    """Factor on the learning rate of update ``step`` (from 0): linear to 1 at ``warmup``, then sqrt decay.

    Equal to fairseq's and transformers': with ``warmup`` 1 the first update has a rate of 0 and update n
    has lr / sqrt(n - 1).
    """
    return step / warmup if step < warmup else math.sqrt(warmup / step)
