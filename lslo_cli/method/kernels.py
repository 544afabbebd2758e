"""Ways to compute the routed updates of a batch. All give the same numbers, up to rounding."""

from __future__ import annotations

from enum import StrEnum


class AdapterKernel(StrEnum):
    """How a routed linear map is computed."""

    AUTO = "auto"
    """The one that is fastest for device, format and size."""

    RUNS = "runs"
    """A pair of products for every run of rows with the same adapter, each of its exact rank."""

    SORTED = "sorted"
    """Rows sorted by adapter, and a pair of products for each adapter."""

    MASKED = "masked"
    """One pair of products with the adapters of all languages side by side, masked."""

    GROUPED = "grouped"
    """Rows sorted by adapter and torch's grouped matrix product, ranks padded."""

    EPILOGUE = "epilogue"
    """The frozen map by torch, the update by Triton kernels in which each row looks up its adapter."""

    TRITON = "triton"
    """The frozen map and its update in one Triton kernel."""
