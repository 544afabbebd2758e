"""The loss over a large vocabulary, forward and backward: all logits at once, and by chunks of tokens.

python -m benchmarks.loss [--shape cpu|615M|world] [--dtype float32|bfloat16] [--json FILE]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks import measure
from benchmarks.models import precision
from lslo_cli.nn.loss import CHUNK_ENTRIES, projected_loss

SMOOTHING = 0.2
NAIVE = "all logits"
CHUNKS = (64, 128, 1024)


@dataclass(frozen=True)
class Projection:
    """Sizes of the hidden states and of the matrix they are projected with."""

    tokens: int
    d_model: int
    vocabulary: int


PROJECTIONS = {
    "cpu": Projection(tokens=512, d_model=1024, vocabulary=256_125),
    "615M": Projection(tokens=8192, d_model=1024, vocabulary=256_125),
    "world": Projection(tokens=1800, d_model=64, vocabulary=1000),
    "tiny": Projection(tokens=40, d_model=8, vocabulary=90),
}
"""M2M-124's vocabulary with few tokens for a CPU and many for a GPU; the built-in world's; one for tests."""


def run(shape: str, device: str, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Measure the plain formula, ours, and ours with other chunks, with a frozen projection.

    Memory excludes hidden states and weight; ``loss off by`` is the relative distance to the same formula in
    float64.
    """
    size = PROJECTIONS[shape]
    generator = torch.Generator(device).manual_seed(1)
    hidden = torch.randn(size.tokens, size.d_model, device=device, generator=generator)
    weight = torch.randn(size.vocabulary, size.d_model, device=device, generator=generator)
    weight *= size.d_model**-0.5
    labels = torch.randint(size.vocabulary, (size.tokens,), device=device, generator=generator)
    inputs = (hidden, weight, labels)
    ours = max(1, CHUNK_ENTRIES // size.vocabulary)
    chunks = {f"chunks of {min(ours, size.tokens)}, ours": ours}
    chunks |= {f"chunks of {chunk}": chunk for chunk in CHUNKS if chunk < size.tokens}
    calls: dict[str, Callable[[], torch.Tensor]] = {NAIVE: partial(_step, _naive, *inputs, dtype)}
    for name, chunk in chunks.items():
        calls[name] = partial(_step, partial(projected_loss, chunk=chunk), *inputs, dtype)
    exact = _exact(*inputs)
    values: dict[str, float] = {}
    memory = {
        name: measure.peak_bytes(lambda name=name, call=call: values.update({name: float(call())}), device)
        for name, call in calls.items()
    }
    timings = measure.alternate(calls, repeats, device, warm_up=0)
    return [
        {
            "variant": name,
            "seconds": timing.median,
            "spread": timing.spread,
            "over naive": timing.over(timings[NAIVE]),
            "MiB": memory[name] / 2**20,
            "memory over naive": memory[name] / memory[NAIVE],
            "loss off by": abs(values[name] - exact) / exact,
        }
        for name, timing in timings.items()
    ]


def label_smoothed_loss(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """The formula of ``projected_loss`` from all logits: (tokens, V), with ``labels`` (tokens,), in float32.

    torch's smoothing spreads s over all V tokens, hence ``s V / (V - 1)``.
    """
    vocabulary = logits.shape[-1]
    spread = smoothing * vocabulary / (vocabulary - 1)
    return torch.nn.functional.cross_entropy(logits.float(), labels, label_smoothing=spread, reduction="sum")


def _naive(
    hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, smoothing: float
) -> torch.Tensor:
    return label_smoothed_loss(torch.nn.functional.linear(hidden, weight), labels, smoothing)


def _step(
    loss: Callable[..., torch.Tensor],
    hidden: torch.Tensor,
    weight: torch.Tensor,
    labels: torch.Tensor,
    dtype: str,
) -> torch.Tensor:
    """Loss and gradient of the hidden states."""
    hidden = hidden.detach().requires_grad_()
    with precision(dtype, hidden.device.type):
        value = loss(hidden, weight, labels, SMOOTHING)
    value.backward()
    return value.detach()


def _exact(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> float:
    """The loss in double precision, by tokens so that it needs little memory."""
    weight = weight.double()
    f = SMOOTHING / (len(weight) - 1)
    total = 0.0
    for rows, own in zip(hidden.split(64), labels.split(64), strict=True):
        surprise = -(rows.double() @ weight.T).log_softmax(dim=-1)
        total += float((1 - SMOOTHING - f) * surprise.gather(1, own[:, None]).sum() + f * surprise.sum())
    return total


def main() -> None:
    given = measure.parse(measure.parser(__doc__, tuple(PROJECTIONS)))
    measure.report(run(given.shape, given.device, given.dtype, given.repeats or 3), given)


if __name__ == "__main__":
    main()
