"""How adapters begin, what they span, and how they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lslo_cli.method.sites import Kind, SiteSet


class Initialisation(StrEnum):
    """The distribution of A's entries, of mean zero. B is zero, so that a new adapter changes nothing."""

    GAUSSIAN = "gaussian"
    """Standard deviation 1/sqrt(d_in). The paper says Gaussian, without the deviation."""

    UNIFORM = "uniform"
    """Uniform in +-1/sqrt(r), as in the authors' code: the size of B A x does not depend on r."""


class AdapterKernel(StrEnum):
    """How the routed updates of a batch are computed. All give the same numbers, up to rounding."""

    AUTO = "auto"
    """The one that is fastest for device, format and size."""

    RUNS = "runs"
    """A pair of products for every run of rows with the same adapter, each of its exact rank."""

    SORTED = "sorted"
    """Rows sorted by adapter, and a pair of products for each adapter."""

    MASKED = "masked"
    """One pair of products with the adapters of all languages side by side, masked."""

    TRITON = "triton"
    """The frozen map and its update in one Triton kernel, in which each row looks up its adapter."""


class Span(StrEnum):
    """Which of the feed-forward units the adapters of fc1 write to, and those of fc2 read.

    Adapters of attention always span the whole matrix.
    """

    D_MODEL = "d_model"
    """The first d_model, as in the authors' code: every adapter is d_model x d_model."""

    ALL = "all"
    """All ffn_dim, as in the paper's text."""

    def of(self, kind: Kind, matrix: tuple[int, int], d_model: int) -> tuple[int, int]:
        """(d_out, d_in) of the adapter of a ``matrix`` (d_out, d_in): B A updates its upper left block."""
        if self is Span.ALL or kind.is_attention:
            return matrix
        d_out, d_in = matrix
        return min(d_out, d_model), min(d_in, d_model)


@dataclass(frozen=True)
class AdapterSettings:
    """Where adapters sit, how they are computed, how they begin and what they span."""

    sites: SiteSet
    kernel: AdapterKernel
    initialisation: Initialisation
    span: Span
