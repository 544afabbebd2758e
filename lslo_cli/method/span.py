"""How much of fc1 and fc2 their adapters span. Those of attention span the whole matrix in any case."""

from __future__ import annotations

from enum import StrEnum

from lslo_cli.method.sites import Kind


class Span(StrEnum):
    """Which of the feed-forward units the adapters of fc1 write to, and those of fc2 read."""

    D_MODEL = "d_model"
    """The first d_model, as in the authors' code: every adapter is d_model x d_model."""

    ALL = "all"
    """All of them, ffn_dim, as the paper's text has it."""

    def of(self, kind: Kind, matrix: tuple[int, int], d_model: int) -> tuple[int, int]:
        """(d_out, d_in) of the adapter of a ``matrix`` (d_out, d_in): those of B A, in its upper left."""
        if self is Span.ALL or kind.is_attention:
            return matrix
        d_out, d_in = matrix
        return min(d_out, d_model), min(d_in, d_model)
