"""Routed linear maps by Triton kernels, with the sizes of their tiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import triton
from torch import Tensor

from lslo_cli.nn import kernels
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.routed import Saved


@dataclass(frozen=True)
class Tiles:
    """Tile sizes, warps and pipeline stages of the kernel of the large product."""

    tokens: int
    outputs: int
    inputs: int
    ranks: int
    warps: int
    stages: int


HALF = Tiles(tokens=128, outputs=128, inputs=64, ranks=32, warps=8, stages=3)
"""For bfloat16 and float16: compiles for an A100 and an H100 without register spills; not measured there."""

SINGLE = Tiles(tokens=64, outputs=64, inputs=32, ranks=32, warps=4, stages=2)
"""For float32."""

PROGRAMS = 132
"""The least number of programs of ``outer``, given enough tokens: the multiprocessors of an H100."""


@dataclass(frozen=True)
class Lookup:
    """The columns of the rank axis that each row owns, and the kernels that use them.

    Row i owns ``first[i] <= c < stop[i]``, int32; ``rank`` is the largest rank. ``h`` (tokens, rank) stores a
    token's own columns from the left; entries beyond a smaller rank are undefined. ``tiles`` are those of
    the kernel of the large product, by default those of the format.
    """

    first: Tensor
    stop: Tensor
    rank: int
    tiles: Tiles | None = None

    @classmethod
    def of(cls, languages: Tensor, slots: Slots) -> Lookup:
        """The look-up of a batch with ``languages`` (rows,)."""
        bounds = [(own.start, own.stop) for own in slots.columns]
        by_language = torch.tensor(
            [bounds[slot] for slot in slots.by_language], dtype=torch.int32, device=languages.device
        )
        first, stop = by_language[languages].T.contiguous()
        return cls(first, stop, max(slots.ranks))

    def forward(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, A: Tensor, B: Tensor
    ) -> tuple[Tensor, Saved]:
        """See :class:`~lslo_cli.nn.routed.Products`."""
        x = x.contiguous()
        hidden = self._project(x, A)
        return self._linear(x, weight, bias, hidden, B, len(B)), (hidden,)

    def backward(
        self, dy: Tensor, x: Tensor, weight: Tensor | None, A: Tensor, B: Tensor, saved: Saved, wants_dx: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """See :class:`~lslo_cli.nn.routed.Products`. The gradients of A and B are in float32."""
        dy, x = dy.contiguous(), x.contiguous()
        d_hidden = self._project(dy, B.T)
        weight = None if weight is None else weight.T
        dx = self._linear(dy, weight, None, d_hidden, A.T, x.shape[1]) if wants_dx else None
        (hidden,) = saved
        return dx, self._outer(d_hidden, x, A, 0), self._outer(hidden, dy, B, 1)

    def _project(self, x: Tensor, lora: Tensor) -> Tensor:
        """``x A_l^T``: (tokens, rank) of the first d columns of x, for ``lora`` (R, d)."""
        tokens, d = len(x), lora.shape[1]
        hidden = x.new_empty(tokens, self.rank)
        rows = 32  # few, since programs do little but read their rows
        kernels.project[(triton.cdiv(tokens, rows),)](
            x, lora, hidden, self.first, self.stop,
            tokens, self._length(x), d, len(lora), self.rank, x.stride(0), *lora.stride(),
            BLOCK_T=rows, BLOCK_R=_rank_block(len(lora)), BLOCK_D=128 if x.itemsize < 4 else 32,
            PRECISION=_precision(), num_warps=4, num_stages=3,
        )  # fmt: skip
        return hidden

    def _linear(
        self,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        hidden: Tensor,
        lora: Tensor,
        without: int,
    ) -> Tensor:
        """``x W^T + b + h B_l^T``, the last term in the first s_out outputs, for B (s_out, R).

        x is (tokens, d_in) and W (d_out, d_in); without a weight the output has width ``without``.
        """
        if weight is None:
            y, d_out = x.new_zeros(len(x), without), len(lora)
        else:
            y, d_out = x.new_empty(len(x), len(weight)), len(weight)
        tokens = len(y)
        tiles = self.tiles or (HALF if x.itemsize < 4 else SINGLE)
        # A kernel needs a tensor for each argument, and does not read x in place of a missing one.
        matrix = x if weight is None else weight
        vector = x if weight is None or bias is None else bias
        kernels.linear[(triton.cdiv(d_out, tiles.outputs), triton.cdiv(tokens, tiles.tokens))](
            x, matrix, vector, hidden, lora, y, self.first, self.stop,
            tokens, self._length(x), x.shape[1], d_out, len(lora), lora.shape[1], self.rank, y.stride(0),
            *matrix.stride(), *lora.stride(),
            HAS_WEIGHT=matrix is not x, HAS_BIAS=vector is not x,
            BLOCK_T=tiles.tokens, BLOCK_N=tiles.outputs, BLOCK_K=tiles.inputs,
            BLOCK_R=min(_rank_block(lora.shape[1]), tiles.ranks),
            PRECISION=_precision(), num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip
        return y

    def _outer(self, hidden: Tensor, z: Tensor, lora: Tensor, rank_dim: int) -> Tensor:
        """The sum of ``h_t z_t^T`` over the tokens of each adapter: float32, of the shape of ``lora``.

        ``rank_dim`` is the rank axis of ``lora``; the other axis covers the first columns of z.
        """
        tokens, d = len(z), lora.shape[1 - rank_dim]
        width = lora.shape[rank_dim]
        block_r, block_n, block_t = _rank_block(width), 64, 64 if z.itemsize < 4 else 32
        tiles = triton.cdiv(d, block_n), triton.cdiv(width, block_r)
        splits = min(triton.cdiv(PROGRAMS, tiles[0] * tiles[1]), triton.cdiv(tokens, block_t))
        sums = z.new_empty(splits, *lora.shape, dtype=torch.float32)
        kernels.outer[(*tiles, splits)](
            hidden, z, sums, self.first, self.stop,
            tokens, self._length(z), d, width, self.rank, z.stride(0),
            triton.cdiv(triton.cdiv(tokens, splits), block_t) * block_t,
            sums.stride(0), sums.stride(1 + rank_dim), sums.stride(2 - rank_dim),
            BLOCK_T=block_t, BLOCK_R=block_r, BLOCK_N=block_n, PRECISION=_precision(),
            num_warps=4, num_stages=3,
        )  # fmt: skip
        return sums.sum(dim=0)

    def _length(self, x: Tensor) -> int:
        """Tokens of a row."""
        return len(x) // len(self.first)


@cache
def _rank_block(width: int) -> int:
    """Columns of the rank axis in a tile: a power of 2 that ``tl.dot`` accepts."""
    return min(64, max(16, triton.next_power_of_2(width)))


def _precision() -> str:
    """The rounding of float32 factors; other formats are not rounded."""
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee"
