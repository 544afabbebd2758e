"""Three Triton kernels for routed linear maps, in which every row looks up the columns that it owns.

One computes ``h = x A_l^T``, one adds ``h B_l^T`` to its tile of ``x W^T + b`` before writing it, and one
computes the gradients of A and B. At LSLo's ranks an update's cost is the memory traffic of x, y and their
gradients. Here forward reads x once more than the frozen map does, and backward reads x once and the
gradient of y twice; nothing as large is written twice.

Rows may have any order, and adapters any rank: a tile of rows visits the blocks of the rank axis in which one
of its rows owns columns. There are no atomic sums, so results do not change from run to run.

Importing this needs Triton, which comes with torch for CUDA. With TRITON_INTERPRET=1 in the environment, set
before Triton is imported, the kernels run on a CPU.
"""

from __future__ import annotations

import triton
import triton.language as tl

VARYING = ("tokens", "length")
"""Arguments that differ between batches: kernels are not recompiled if one is a multiple of 16."""


@triton.jit
def _owned(first, stop, t, tokens, length):
    """The columns ``first <= c < stop`` that the tokens ``t`` own; none beyond the last token."""
    sentence = t // length
    real = t < tokens
    return tl.load(first + sentence, mask=real, other=0), tl.load(stop + sentence, mask=real, other=0)


@triton.jit
def _is_visited(own_first, own_stop, block, BLOCK_R: tl.constexpr):
    """Whether one of these tokens owns one of the columns from ``block`` to ``block + BLOCK_R``."""
    return tl.max(((own_first < block + BLOCK_R) & (block < own_stop)).to(tl.int32), axis=0) > 0


@triton.jit(do_not_specialize=VARYING)
def project(
    x, lora, hidden, first, stop,
    tokens, length, d, width, hidden_row, x_row, lora_r, lora_d,
    BLOCK_T: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_D: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """``hidden[t, c - first_t] = sum_k x[t, k] lora[c, k]`` for the columns c that t owns."""
    t = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    own_first, own_stop = _owned(first, stop, t, tokens, length)
    row = t.to(tl.int64)[:, None]
    for block in range(0, width, BLOCK_R):
        if _is_visited(own_first, own_stop, block, BLOCK_R):
            c = block + tl.arange(0, BLOCK_R)
            total = tl.zeros((BLOCK_T, BLOCK_R), tl.float32)
            for start in range(0, d, BLOCK_D):
                k = start + tl.arange(0, BLOCK_D)
                of_x = tl.load(x + row * x_row + k, mask=(t < tokens)[:, None] & (k < d), other=0)
                of_lora = tl.load(
                    lora + c * lora_r + k[:, None] * lora_d, mask=(c < width) & (k < d)[:, None], other=0
                )
                total = tl.dot(of_x, of_lora, total, input_precision=PRECISION)
            owned = (own_first[:, None] <= c) & (c < own_stop[:, None])
            address = hidden + row * hidden_row + (c - own_first[:, None])
            tl.store(address, total.to(hidden.dtype.element_ty), mask=owned)


@triton.jit(do_not_specialize=VARYING)
def linear(
    x, weight, bias, hidden, lora, y, first, stop,
    tokens, length, d_in, d_out, span, width, hidden_row, y_row, weight_out, weight_in, lora_out, lora_r,
    HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_R: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """``y[t, n] = sum_k x[t, k] weight[n, k] + bias[n] + sum_c hidden[t, c - first_t] lora[n, c]``.

    For ``n < d_out``. The last sum is over the columns c that t owns, and for ``n < span`` only. Without a
    weight it is added to y.
    """
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    t = tl.program_id(1) * BLOCK_T + tl.arange(0, BLOCK_T)
    row = t.to(tl.int64)[:, None]
    inside = (t < tokens)[:, None] & (n < d_out)
    if HAS_WEIGHT:
        total = tl.zeros((BLOCK_T, BLOCK_N), tl.float32)
        for start in range(0, d_in, BLOCK_K):
            k = start + tl.arange(0, BLOCK_K)
            of_x = tl.load(x + row * d_in + k, mask=(t < tokens)[:, None] & (k < d_in), other=0)
            of_weight = tl.load(
                weight + n * weight_out + k[:, None] * weight_in,
                mask=(n < d_out) & (k < d_in)[:, None],
                other=0,
            )
            total = tl.dot(of_x, of_weight, total, input_precision=PRECISION)
        if HAS_BIAS:
            total += tl.load(bias + n, mask=n < d_out, other=0).to(tl.float32)
    else:
        total = tl.load(y + row * y_row + n, mask=inside, other=0).to(tl.float32)
    own_first, own_stop = _owned(first, stop, t, tokens, length)
    is_spanned = tl.program_id(0) * BLOCK_N < span
    for block in range(0, width if is_spanned else 0, BLOCK_R):
        if _is_visited(own_first, own_stop, block, BLOCK_R):
            c = block + tl.arange(0, BLOCK_R)
            owned = (own_first[:, None] <= c) & (c < own_stop[:, None])
            of_hidden = tl.load(hidden + row * hidden_row + (c - own_first[:, None]), mask=owned, other=0)
            of_lora = tl.load(
                lora + n * lora_out + c[:, None] * lora_r, mask=(n < span) & (c < width)[:, None], other=0
            )
            total = tl.dot(of_hidden, of_lora, total, input_precision=PRECISION)
    tl.store(y + row * y_row + n, total.to(y.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=VARYING)
def outer(
    hidden, z, sums, first, stop,
    tokens, length, d, width, hidden_row, z_row, per_split, sums_split, sums_r, sums_d,
    BLOCK_T: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_N: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """``sums[s, c, n] = sum_t hidden[t, c - first_t] z[t, n]`` over the tokens t of split s that own c."""
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    block = tl.program_id(1) * BLOCK_R
    split = tl.program_id(2)
    c = block + tl.arange(0, BLOCK_R)
    total = tl.zeros((BLOCK_R, BLOCK_N), tl.float32)
    for start in range(split * per_split, min(tokens, (split + 1) * per_split), BLOCK_T):
        t = start + tl.arange(0, BLOCK_T)
        own_first, own_stop = _owned(first, stop, t, tokens, length)
        if _is_visited(own_first, own_stop, block, BLOCK_R):
            row = t.to(tl.int64)[:, None]
            owned = (own_first[:, None] <= c) & (c < own_stop[:, None])
            of_hidden = tl.load(hidden + row * hidden_row + (c - own_first[:, None]), mask=owned, other=0)
            of_z = tl.load(z + row * z_row + n, mask=(t < tokens)[:, None] & (n < d), other=0)
            total = tl.dot(tl.trans(of_hidden), of_z, total, input_precision=PRECISION)
    address = sums + split * sums_split + c[:, None] * sums_r + n * sums_d
    tl.store(address, total, mask=(c < width)[:, None] & (n < d))
