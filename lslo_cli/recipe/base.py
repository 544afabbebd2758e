"""The settings of ``lslo base train``."""

from __future__ import annotations

from pydantic import Field

from lslo_cli.recipe.section import Count, NonNegative, Positive, Probability, Section


class BaseSection(Section):
    """Training a base model from scratch (``lslo base train``): its vocabulary, shape and optimisation.

    An epoch here is ``updates`` optimiser steps, independent of the corpus; validation and checkpoints come
    after each. ``held_out`` rows of each section are for validation, or the dev rows if
    there are any.
    """

    vocabulary: Count = 8000
    """Vocabulary size of the sentencepiece model, which is trained first."""
    encoder_layers: Count = 6
    """Layers of the encoder."""
    decoder_layers: Count = 6
    """Layers of the decoder."""
    d_model: Count = 512
    """Width of the model."""
    ffn_dim: Count = 2048
    """Width inside feed-forward sublayers."""
    heads: Count = 8
    """Heads of every attention."""
    dropout: Probability = 0.1
    """Dropout of embeddings and of sublayer outputs."""
    epochs: Count = 40
    """Epochs of ``updates`` updates each."""
    updates: Count = 500
    """Updates of an epoch."""
    lr: Positive = 1e-3
    """Peak learning rate."""
    warmup: Count = 1000
    """Warm-up of the learning rate in updates."""
    clip_norm: NonNegative = 1.0
    """Gradient clipping: largest norm in an update; 0 does not clip."""
    label_smoothing: Probability = 0.1
    """Label smoothing: probability mass spread over all tokens."""
    max_tokens: Count = 4000
    """Batch size in tokens, padding included."""
    accumulate: Count = 1
    """Gradient accumulation: batches per update."""
    temperature: Positive = 5.0
    """Sampling temperature T: directions are drawn by the T-th root of their number of sentences."""
    max_length: Count = 128
    """Most tokens of a sentence to train on."""
    cut_to_bitext: bool = False
    """Only the first ``bitext`` sentences of each language; the others become gaps."""
    held_out: Count = 100
    """Rows of each section that are held out for validation; with data.dev_rows these are."""
    dtype: str = Field(default="float16", pattern="^(float32|float16|bfloat16)$")
    """Data type of the written weights."""
