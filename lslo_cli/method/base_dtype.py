"""Formats in which the matrices of a frozen base model may lie in memory."""

from __future__ import annotations

from enum import StrEnum


class BaseDtype(StrEnum):
    """How the matrices of a frozen base lie in memory; ``run.precision`` says how they are multiplied."""

    FLOAT32 = "float32"
    """As they were trained."""

    BFLOAT16 = "bfloat16"
    """Rounded to 8 bits of mantissa: half the memory."""

    FOUR_BIT = "4bit"
    """Quantised by bitsandbytes to NF4 with double quantisation, on CUDA: about an eighth of the memory."""
