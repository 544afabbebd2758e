"""Layer norms whose output need not be kept for backward, since their input is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

_NOTE = "_normalised"
"""The attribute of a tensor that holds where it comes from."""


@dataclass(frozen=True)
class Normalised:
    """The origin of a tensor: ``norm(input)``."""

    norm: nn.LayerNorm
    input: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Normalised | None:
        """The origin of ``x``, or None where it is unknown."""
        return getattr(x, _NOTE, None)


def note_inputs(layers: nn.Module) -> None:
    """Let every layer norm in layers of a model write on its output what it was made from.

    Not one whose output leaves its layer, such as the encoder's last: many read that output and keep it
    once, and a layer that is computed a second time is given a tensor without what was written on it.
    """
    for module in layers.modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(_note)


def _note(norm: nn.LayerNorm, inputs: tuple[Tensor], output: Tensor) -> None:
    setattr(output, _NOTE, Normalised(norm, *inputs))
