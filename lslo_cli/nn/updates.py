"""What adapters learned, from B A without forming it: singular values, and languages' similarity."""

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


@torch.no_grad()
def overlaps(adapters: Adapters) -> dict[str, list[float]]:
    """The cosine of the updates of two languages, over all sites together, from -1 to 1.

        cos(l, m) = sum_s <B_sl A_sl, B_sm A_sm> / sqrt(sum_s |B_sl A_sl|^2  sum_s |B_sm A_sm|^2)

    with Frobenius products and s the sites. B A is never formed, since <B A, B' A'> is the sum of the entries
    of (B^T B') * (A A'^T). By language, with a value for every language in the same order; 0 if an update is
    zero.
    """
    languages = len(adapters.languages)
    products = torch.zeros(languages, languages, dtype=torch.double)
    for adapter in adapters.by_site.values():
        A, B = adapter.lora_A.detach().double(), adapter.lora_B.detach().double()
        ranks = torch.tensor(adapter.slots.ranks[:languages])
        slot = torch.arange(languages).repeat_interleave(ranks)
        entries = ((B.T @ B) * (A @ A.T)).cpu()[: len(slot), : len(slot)]
        rows = torch.zeros(languages, len(slot), dtype=torch.double).index_add_(0, slot, entries)
        products.index_add_(1, slot, rows)
    lengths = products.diagonal().clamp_min(0).sqrt()
    cosines = products / (lengths[:, None] * lengths).clamp_min(torch.finfo(torch.double).tiny)
    return dict(zip(adapters.languages, cosines.tolist(), strict=True))
