"""Layer norms whose output is not saved for backward, but recomputed from their saved input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

_NOTE = "_normalised"
"""The attribute of a tensor that holds its origin."""


@dataclass(frozen=True)
class Normalised:
    """The origin of a tensor: ``norm(input)``."""

    norm: nn.LayerNorm
    input: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Normalised | None:
        """The origin of ``x``, or None if it is unknown."""
        return getattr(x, _NOTE, None)


def note_inputs(layers: nn.Module) -> None:
    """Let every layer norm in layers of a model attach its origin to its output.

    Norms outside of ``layers``, such as the encoder's last, are left out: their output is saved once for all
    its readers, and a recomputed layer gets a tensor without the attribute.
    """
    for module in layers.modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(_note)


def _note(norm: nn.LayerNorm, inputs: tuple[Tensor], output: Tensor) -> None:
    setattr(output, _NOTE, Normalised(norm, *inputs))
