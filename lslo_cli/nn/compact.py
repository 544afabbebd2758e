"""Frozen matrices that are stored in fewer bits than they are multiplied in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Quantised = Any
"""A parameter of bitsandbytes: bytes, with their scales in ``quant_state``."""


def decoded(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """A frozen matrix in the format ``dtype``: itself if that is its own, else a copy."""
    if hasattr(matrix, "quant_state"):
        from bitsandbytes.functional import dequantize_4bit

        quantised: Quantised = matrix
        matrix = dequantize_4bit(quantised.data, quantised.quant_state)
    return matrix.to(dtype)


def product_format(x: Tensor) -> torch.dtype:
    """The format of matrix products with ``x``: autocast's if it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class CompactLinear(nn.Module):
    """A frozen linear map whose matrix is stored in fewer bits.

    Equal, bit for bit, to the map with the same values in float32. Saves neither its input nor a copy of its
    matrix for backward.
    """

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.in_features, self.out_features = base.in_features, base.out_features

    @property
    def weight(self) -> Tensor:
        """The matrix's shape in float32 without values, so that asking for its format decodes nothing.

        :func:`frozen_matrix` returns it as stored.
        """
        return torch.empty(self.out_features, self.in_features, device="meta")

    @property
    def bias(self) -> nn.Parameter | None:
        return self.base.bias

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, _FrozenLinear.apply(x, self.base.weight, self.base.bias, product_format(x)))


class CompactEmbedding(nn.Module):
    """A frozen embedding, stored in fewer bits, whose rows are read in float32, times its scale, if any."""

    def __init__(self, base: nn.Embedding):
        super().__init__()
        self.base = base
        self.num_embeddings = base.num_embeddings

    @property
    def weight(self) -> Tensor:
        """The table as stored."""
        return self.base.weight

    def forward(self, ids: Tensor) -> Tensor:
        rows = F.embedding(ids, self.base.weight).float()
        return rows * getattr(self.base, "embed_scale", 1.0)


class _FrozenLinear(torch.autograd.Function):
    """``x W^T + b`` in a given format, of which backward needs W alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        ctx.matrix = matrix  # not as a saved tensor, which loses the scales of a quantised one
        return F.linear(x.to(dtype), decoded(matrix, dtype), None if bias is None else bias.to(dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        dx = None
        if ctx.needs_input_grad[0]:
            flat = grad.reshape(-1, grad.shape[-1]) @ decoded(ctx.matrix, grad.dtype)
            dx = flat.view(*grad.shape[:-1], flat.shape[-1])
        return dx, None, None, None


def frozen_matrix(module: nn.Module) -> Tensor:
    """The matrix of a linear map as stored."""
    linear = module.base if isinstance(module, CompactLinear) else module
    return cast(nn.Linear, linear).weight


def compact(model: nn.Module) -> None:
    """Freeze a model with matrices in bfloat16 or 4 bits, and let it compute in float32.

    Linear maps and the embedding stay as stored; the small rest (norms, biases, positions) becomes float32,
    and so do hidden states.
    """
    model.requires_grad_(False)
    embedding = cast(Any, model).get_input_embeddings().weight
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    for parameter in model.parameters():
        if id(parameter) not in linear and parameter is not embedding and parameter.is_floating_point():
            parameter.data = parameter.data.float()
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(module, name, buffer.float())

    def smaller(module: nn.Module) -> nn.Module | None:
        if isinstance(module, nn.Linear):
            return CompactLinear(module)
        if isinstance(module, nn.Embedding) and module.weight is embedding:
            return CompactEmbedding(module)
        return None

    _replace_all(model, smaller)


def restore(model: nn.Module) -> None:
    """Undo :func:`compact`: the same values in float32, in the original modules."""
    tied: dict[int, nn.Parameter] = {}

    def larger(module: nn.Module) -> nn.Module | None:
        if not isinstance(module, CompactLinear | CompactEmbedding):
            return None
        stored = module.base.weight
        if id(stored) not in tied:
            tied[id(stored)] = nn.Parameter(decoded(stored, torch.float32), requires_grad=False)
        base: nn.Module = module.base
        if hasattr(stored, "quant_state"):
            quantised: Quantised = module.base
            base = nn.Linear(quantised.in_features, quantised.out_features, device="meta")
            base.bias = quantised.bias
        base.weight = tied[id(stored)]
        return base

    _replace_all(model, larger)


def _replace_all(model: nn.Module, other: Callable[[nn.Module], nn.Module | None]) -> None:
    """Replace every module below ``model`` by ``other(module)``, unless that is None."""
    made: dict[nn.Module, nn.Module] = {}
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            new = made.get(child) or other(child)
            if new is not None:
                made[child] = new
                setattr(module, name, new)
