"""How an adapter's A begins. B begins at zero, so that an adapter that was just made changes nothing."""

from __future__ import annotations

from enum import StrEnum


class Initialisation(StrEnum):
    """The distribution of the entries of A, of mean zero."""

    GAUSSIAN = "gaussian"
    """Standard deviation 1/sqrt(d_in). The paper says Gaussian, and not how wide."""

    UNIFORM = "uniform"
    """Uniform in +-1/sqrt(r), as in the authors' code: the size of B A x does not depend on r."""
