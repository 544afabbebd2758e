"""Training memory, estimated before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import Stack

BYTES = 4
"""Adapters, gradients, optimiser state, activations and logits are float32."""

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""A 4-bit weight: 64 weights share a scale of one byte, and 256 scales a float32 scale."""

LOGITS_AT_A_TIME = 2**26
"""Logits that the loss computes at a time; it stores none."""

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


def base_bytes(shape: ModelShape, base_dtype: BaseDtype = BaseDtype.FLOAT32) -> int:
    """Bytes of a base model: 4, 2 or ``NF4_BYTES`` a parameter; in 4 bits the V x d embedding has 2."""
    if base_dtype is BaseDtype.FOUR_BIT:
        embedding = shape.vocab_size * shape.d_model
        return round(2 * embedding + NF4_BYTES * (shape.parameters - embedding))
    return (2 if base_dtype is BaseDtype.BFLOAT16 else 4) * shape.parameters


def estimate_memory(
    shape: ModelShape,
    extra: int,
    trainable: int,
    max_tokens: int,
    base_dtype: BaseDtype = BaseDtype.FLOAT32,
    recompute: bool = False,
) -> MemoryEstimate:
    """Estimate the peak memory of one training step in bytes, with float32 arithmetic.

    With P parameters in the base and T = ``max_tokens`` padded tokens of source and of target:

    - weights: 4 P in float32, see :func:`base_bytes`, and 4 ``extra`` for parameters added to the base;
    - training state: 12 ``trainable``, for a gradient and Adam's two moments;
    - activations: 4 T (L_enc a_enc + L_dec a_dec), where a layer stores about a_enc = c d + 3 f and a_dec =
      2 c d + 3 f floats a token: c vectors of width d for every attention (projections, dropout, norm) and 3
      of the feed-forward block's width f. c is 12 if all weights are trained, and 8 if the base is frozen:
      then neither norms' outputs nor the inputs of matrices without adapters are stored. With ``recompute``
      4 T (d (L_enc + L_dec + 2) + max(a_enc, a_dec)): the inputs of every layer and of the loss, and the
      activations of one layer;
    - logits: 8 min(T V, 2^26), for a chunk of logits and its gradient; and, for a base in fewer bits, 4 V d
      for the loss's float32 copy of the output projection.
    """
    d, layers = shape.d_model, shape.encoder_layers + shape.decoder_layers
    vectors = 12 if trainable >= shape.parameters else 8
    encoder = vectors * d + 3 * shape.ffn(Stack.ENCODER)
    decoder = 2 * vectors * d + 3 * shape.ffn(Stack.DECODER)
    kept = shape.encoder_layers * encoder + shape.decoder_layers * decoder
    if recompute:
        kept = min(kept, d * (layers + 2) + max(encoder, decoder))
    is_compact = base_dtype is not BaseDtype.FLOAT32
    return MemoryEstimate(
        weights=base_bytes(shape, base_dtype) + BYTES * extra,
        training_state=BYTES * 3 * trainable,
        activations=BYTES * max_tokens * kept,
        logits=BYTES * 2 * min(max_tokens * shape.vocab_size, LOGITS_AT_A_TIME)
        + (BYTES * shape.vocab_size * d if is_compact else 0),
    )
