"""The part of fc1 and fc2 that their adapters span. Adapters of attention always span the whole matrix."""

from __future__ import annotations

from enum import StrEnum

from lslo_cli.method.sites import Kind


class Span(StrEnum):
    """Which of the feed-forward units the adapters of fc1 write to, and those of fc2 read."""

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
