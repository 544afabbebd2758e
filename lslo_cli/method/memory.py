"""A rough estimate of training memory, made before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Stack

BYTES = 4
"""Weights, adapters, optimiser state and logits are float32."""

LOGITS_AT_A_TIME = 2**26
"""Entries of the logits that the loss computes at once; it keeps none."""

MARGIN = 1.5
"""The factor within which an estimate holds."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by purpose. An estimate to plan with, right within a factor of ``MARGIN``."""

    weights: int
    training_state: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.weights + self.training_state + self.activations + self.logits


def estimate_memory(shape: ModelShape, extra: int, trainable: int, max_tokens: int) -> MemoryEstimate:
    """Estimate the memory of one training step.

    ``extra`` are parameters added to the base, ``trainable`` those with gradient and two Adam moments.
    A batch has up to ``max_tokens`` padded tokens on each side. A layer keeps about 12 vectors of width
    d_model per attention block and token (projections, attention, dropout, norm) and 3 of its ffn's width;
    of the logits a part is there at a time, with what becomes of it.
    """
    d = shape.d_model
    encoder = shape.encoder_layers * (12 * d + 3 * shape.ffn(Stack.ENCODER))
    decoder = shape.decoder_layers * (24 * d + 3 * shape.ffn(Stack.DECODER))
    return MemoryEstimate(
        weights=BYTES * (shape.parameters + extra),
        training_state=BYTES * 3 * trainable,
        activations=BYTES * max_tokens * (encoder + decoder),
        logits=BYTES * 2 * min(max_tokens * shape.vocab_size, LOGITS_AT_A_TIME),
    )
