"""The storage format of a frozen base."""

from __future__ import annotations

from enum import StrEnum


class BaseDtype(StrEnum):
    """The storage format of a frozen base's matrices; ``run.precision`` is that of their products."""

    FLOAT32 = "float32"
    """As they were trained."""

    BFLOAT16 = "bfloat16"
    """Rounded to 8 bits of mantissa: half the memory."""

    FOUR_BIT = "4bit"
    """Quantised by bitsandbytes to NF4 with double quantisation, on CUDA: about an eighth of the memory."""
