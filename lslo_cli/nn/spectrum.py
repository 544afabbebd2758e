"""The spectrum of adapters: the singular values of B A."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lslo_cli.method.allocation import Spectrum
from lslo_cli.nn.attach import Adapters


@torch.no_grad()
def spectra(adapters: Adapters) -> Iterator[Spectrum]:
    """The r singular values of every B A, with B (d_out, r) and A (r, d_in), without forming B A.

    With B = Q R and A^T = P S they are those of R S^T (r, r).
    """
    for site, adapter in adapters.by_site.items():
        for slot, language in enumerate(adapters.languages):
            matrices = adapter.matrices(slot)
            A, B = matrices["A"].double(), matrices["B"].double()
            values = torch.linalg.svdvals(torch.linalg.qr(B).R @ torch.linalg.qr(A.T).R.T)
            yield Spectrum(site, language, A.shape[1] + B.shape[0], values.tolist())
