"""The settings of ``lslo base train``."""

from __future__ import annotations

from pydantic import Field

from lslo_cli.recipe.section import Count, NonNegative, Positive, Probability, Section


class BaseSection(Section):
    """Training a base model from scratch (``lslo base train``): its vocabulary, shape and optimisation.

    An epoch here is ``updates`` optimiser steps, however large the corpus: the grain of validation and of
    resuming. ``held_out`` rows of each section are kept for validation.
    """

    vocabulary: Count = 8000
    encoder_layers: Count = 6
    decoder_layers: Count = 6
    d_model: Count = 512
    ffn_dim: Count = 2048
    heads: Count = 8
    dropout: Probability = 0.1
    epochs: Count = 40
    updates: Count = 500
    lr: Positive = 1e-3
    warmup: Count = 1000
    clip_norm: NonNegative = 1.0
    label_smoothing: Probability = 0.1
    max_tokens: Count = 4000
    accumulate: Count = 1
    temperature: Positive = 5.0
    max_length: Count = 128
    held_out: Count = 100
    dtype: str = Field(default="float16", pattern="^(float32|float16|bfloat16)$")
