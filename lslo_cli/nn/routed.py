"""A frozen linear map with routed updates as one differentiable operation, for any kernel."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from lslo_cli.nn.compact import decoded, product_format
from lslo_cli.nn.norms import Normalised

Saved = tuple[Tensor, ...]
"""The tensors that forward keeps for backward."""


class Products(Protocol):
    """The products of a routed linear map for one batch, with each row's part of A and B."""

    def forward(
        self, x: Tensor, weight: Tensor | None, bias: Tensor | None, A: Tensor, B: Tensor
    ) -> tuple[Tensor, Saved]:
        """``y = x W^T + b + x A_l^T B_l^T``, without a weight the last term, and tensors for backward.

        x is (tokens, d_in), all rows having the same number of tokens; all tensors are in one format. A
        (R, s_in) and B (s_out, R) may be narrower than W: the update reads the first s_in inputs and is added
        to the first s_out outputs. Without a weight y is (tokens, s_out).
        """

    def backward(
        self, dy: Tensor, x: Tensor, weight: Tensor | None, A: Tensor, B: Tensor, saved: Saved, wants_dx: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """The gradients of x (if ``wants_dx``), A and B, given ``dy``, of y's shape."""


def routed_linear(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, lora_A: Tensor, lora_B: Tensor, products: Products
) -> Tensor:
    """``x W^T + b + x A_l^T B_l^T`` with l the adapter of each row; without ``weight`` the update alone.

    x is (rows, length, d_in), weight (d_out, d_in); the result (rows, length, d_out). lora_A (R, s_in) reads
    the first s_in <= d_in inputs, and the output of lora_B (s_out, R) is added to the first s_out <= d_out
    outputs; the update alone is (rows, length, s_out). Computed in x's format, or autocast's. Weight and
    bias are frozen and have no gradient. Of the inputs only x is saved for backward, or the input of the
    layer norm that computed x.
    """
    return _RoutedLinear.apply(x, weight, bias, lora_A, lora_B, products)


class _RoutedLinear(torch.autograd.Function):
    """See :func:`routed_linear`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        lora_A: Tensor,
        lora_B: Tensor,
        products: Products,
    ) -> Tensor:
        dtype = product_format(x)
        y, saved = products.forward(
            _flat(x).to(dtype), _cast(weight, dtype), _cast(bias, dtype), lora_A.to(dtype), lora_B.to(dtype)
        )
        made_by = Normalised.of(x)
        ctx.norm = made_by and made_by.norm
        ctx.save_for_backward(made_by.input if made_by else x, lora_A, lora_B, *saved)
        ctx.weight, ctx.products = weight, products
        return y.unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, lora_A, lora_B, *saved = ctx.saved_tensors
        x = ctx.norm(x) if ctx.norm else x
        dtype = grad.dtype
        dx, dA, dB = ctx.products.backward(
            _flat(grad),
            _flat(x).to(dtype),
            _cast(ctx.weight, dtype),
            lora_A.to(dtype),
            lora_B.to(dtype),
            tuple(saved),
            ctx.needs_input_grad[0],
        )
        return dx if dx is None else dx.view(x.shape), None, None, dA, dB, None


def _cast(matrix: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if matrix is None else decoded(matrix, dtype)


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])
