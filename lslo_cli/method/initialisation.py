"""Initialisation of an adapter's A. B is initialised to zero, so that a new adapter changes nothing."""

from __future__ import annotations

from enum import StrEnum


class Initialisation(StrEnum):
    """The distribution of the entries of A, of mean zero."""

    GAUSSIAN = "gaussian"
    """Standard deviation 1/sqrt(d_in). The paper says Gaussian, without the deviation."""

    UNIFORM = "uniform"
    """Uniform in +-1/sqrt(r), as in the authors' code: the size of B A x does not depend on r."""
