"""The update of one language with most of its entries pruned: dense, and by the entries that are left.

    python -m benchmarks.pruned [--dtype float32|bfloat16] [--json FILE]

Forward of ``y += x A^T B^T`` with x (tokens, d) of one language in a batch. ``entries in use`` leaves out the
inputs and outputs that no entry of A and B uses; 19 % of them are left at rank 2 with 90 % of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks import measure

D, SPARSITY = 1024, 0.9
RANKS, TOKENS = (2, 8, 64), (160, 680)
DENSE = "as it is"
CALLS = 20
"""Repeats of an update per measurement, since one is too short for the clock."""


def updates(x: Tensor, y: Tensor, A: Tensor, B: Tensor) -> Iterator[tuple[str, Callable[[], object]]]:
    """Ways to add the update to y, by name."""
    yield DENSE, lambda: y.addmm_(x @ A.T, B.T)
    inputs, outputs = A.any(dim=0).nonzero()[:, 0], B.any(dim=1).nonzero()[:, 0]
    A_used, B_used = A[:, inputs].contiguous(), B[outputs].contiguous()
    yield (
        "entries in use",
        lambda: y.index_add_(1, outputs, x.index_select(1, inputs) @ A_used.T @ B_used.T),
    )
    if x.dtype is torch.float32:  # torch has no other sparse products on a CPU
        A_sparse, B_sparse = A.to_sparse_csr(), B.to_sparse_csr()
        yield "sparse matrices", lambda: y.add_((B_sparse @ (A_sparse @ x.T)).T)


def run(device: str, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Measure all ways at every rank. Raises AssertionError if their results differ."""
    generator = torch.Generator(device).manual_seed(1)
    rows = []
    for tokens in TOKENS:
        for rank in RANKS:
            x, A, B = (
                torch.randn(size, generator=generator, device=device)
                for size in ((tokens, D), (rank, D), (D, rank))
            )
            for matrix in (A, B):
                matrix *= torch.rand(matrix.shape, generator=generator, device=device) > SPARSITY
            x, A, B = (tensor.to(getattr(torch, dtype)) for tensor in (x, A, B))
            y = torch.zeros_like(x)
            ways = dict(updates(x, y, A, B))
            for way in ways.values():
                way()
            wanted = len(ways) * (x.double() @ A.double().T @ B.double().T)
            torch.testing.assert_close(y.double(), wanted, rtol=0.02, atol=0.02 * float(wanted.abs().max()))
            calls = {name: partial(_times, way) for name, way in ways.items()}
            timings = measure.alternate(calls, repeats, device)
            for name, timing in timings.items():
                rows.append(
                    {
                        "tokens": tokens,
                        "rank": rank,
                        "update": name,
                        "microseconds": timing.median / CALLS * 1e6,
                        "over as it is": timing.over(timings[DENSE]),
                    }
                )
    return rows


def _times(call: Callable[[], object]) -> None:
    for _ in range(CALLS):
        call()


def main() -> None:
    given = measure.parse(measure.parser(__doc__, ("any",)))
    measure.report(run(given.device, given.dtype, given.repeats or 9), given)


if __name__ == "__main__":
    main()
