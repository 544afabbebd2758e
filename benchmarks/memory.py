"""Memory of training against its estimate: full fine-tuning and LSLo, bases in two data types, recomputation.

    python -m benchmarks.memory [--shape deep|cpu] [--json FILE]

The measure is the peak memory of tensors in a whole step, forward, backward and update: weights, the
optimiser's moments, and temporary tensors. Memory outside of tensors does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from benchmarks import measure
from benchmarks.models import SHAPES, Shape, new_batch, new_model
from benchmarks.train_step import LANGUAGES, Variant, full, lslo
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.memory import estimate_memory
from lslo_cli.method.shapes import ModelShape
from lslo_cli.nn.compact import compact
from lslo_cli.nn.recompute import recompute
from lslo_cli.nn.route import Route

RANKS = (2, 2, 8)
DROPOUT = 0.1
FULL = "full fine-tuning"


def run(shape: str, device: str = "cpu") -> list[dict[str, Any]]:
    """A row for each case: bytes measured and estimated, their ratio, and the share of full fine-tuning."""
    rows = []
    for base_dtype in (None, BaseDtype.FLOAT32, BaseDtype.BFLOAT16):
        for again in (False, True):
            rows.append(_row(SHAPES[shape], device, base_dtype, again))
            measure.release()
    for row in rows:
        for kind in ("measured", "estimated"):
            row[f"{kind} over {FULL}"] = row[kind] / rows[0][kind]
    return rows


def _row(shape: Shape, device: str, base_dtype: BaseDtype | None, again: bool) -> dict[str, Any]:
    """One case; ``base_dtype`` None is full fine-tuning."""
    model = new_model(shape, device, dropout=DROPOUT)
    size, batch = model.num_parameters(), new_batch(shape, LANGUAGES, device)
    if base_dtype is BaseDtype.BFLOAT16:
        compact(model.bfloat16())
    variant = full(model, batch) if base_dtype is None else lslo(model, batch, RANKS)
    if again:
        recompute(model, _route(variant).recomputing)
    model.train()
    optimizer = torch.optim.Adam(variant.parameters, fused=True)

    def step() -> None:
        variant.forward("float32").backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    moments = [value for state in optimizer.state.values() for value in state.values()]
    held = _bytes([*variant.objective.parameters(), *variant.objective.buffers(), *moments])
    measured = held + measure.peak_bytes(step, device)
    trainable = sum(parameter.numel() for parameter in variant.parameters)
    estimate = estimate_memory(
        ModelShape(shape.layers, shape.layers, shape.d_model, shape.ffn_dim, shape.vocabulary, size),
        0 if base_dtype is None else trainable,
        trainable,
        shape.tokens,
        base_dtype or BaseDtype.FLOAT32,
        again,
    )
    return {
        "trained": FULL if base_dtype is None else f"LSLo on {base_dtype}",
        "recompute": again,
        "measured": measured,
        "estimated": estimate.total,
        "estimated over measured": estimate.total / measured,
    }


def _route(variant: Variant) -> Route:
    """The route of a variant's adapters; an unset one if it has none."""
    around: Any = variant.around
    return around.func.__self__ if hasattr(around, "func") else Route()


def _bytes(tensors: Iterable[Tensor]) -> int:
    """The memory of tensors; shared memory counts once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in tensors}
    return sum(storage.nbytes() for storage in storages.values())


def main() -> None:
    given = measure.parse(measure.parser(__doc__, ("deep", "cpu", "tiny")))
    measure.report(run(given.shape, given.device), given)


if __name__ == "__main__":
    main()
