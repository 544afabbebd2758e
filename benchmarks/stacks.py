"""Encoder and decoder, forward and backward, without the loss: eager, as a CUDA graph, and compiled.

    python -m benchmarks.stacks [--shape cpu|615M] [--compiled] [--dtype float32|bfloat16] [--json FILE]

A graph's gain is the cost of kernel launches; the compiler's gain is the potential of fusing kernels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch

from benchmarks import measure
from benchmarks.models import SHAPES, new_batch, new_model, precision, twin
from benchmarks.train_step import LANGUAGES, Variant, frozen, lslo

WAYS = {"frozen base": frozen, "LSLo 2;2;8": partial(lslo, ranks=(2, 2, 8))}


def passes(variant: Variant, dtype: str, stacks: Callable[..., Any]) -> Callable[[], None]:
    """A call that runs forward and backward through ``stacks``, the model's own or compiled."""
    batch = variant.batch
    inputs = {"input_ids": batch.input_ids, "decoder_input_ids": batch.labels, "use_cache": False}

    def call() -> None:
        with precision(dtype, batch.labels.device.type):
            states = stacks(**inputs).last_hidden_state
        states.backward(torch.ones_like(states))
        for parameter in variant.parameters:
            parameter.grad = None

    return call


def run(shape: str, device: str, dtype: str, repeats: int, compiled: bool = False) -> list[dict[str, Any]]:
    """Measure the frozen base and LSLo: eager, on CUDA also as a graph, and if ``compiled`` also compiled.

    A way that fails leaves its reason. The seconds to prepare are those of the first calls.
    """
    base, batch = new_model(SHAPES[shape], device), new_batch(SHAPES[shape], LANGUAGES, device)
    calls: dict[str, Callable[[], object]] = {}
    rows: list[dict[str, Any]] = []
    with ExitStack() as open_routes:  # a batch's products must exist before its graph
        for name, make in WAYS.items():
            variant = make(twin(base), batch=batch)
            open_routes.enter_context(variant.around())
            stacks = variant.objective.model.model
            ways: dict[str, Callable[[], Callable[[], object]]] = {
                "eager": partial(passes, variant, dtype, stacks)
            }
            if torch.device(device).type == "cuda":
                ways["CUDA graph"] = lambda eager=ways["eager"]: measure.graphed(eager())
            if compiled:
                ways["compiled"] = partial(passes, variant, dtype, torch.compile(stacks.forward))
            for way, prepare in ways.items():
                rows.append({"variant": f"{name}, {way}"})
                start = time.perf_counter()
                try:
                    call = prepare()
                    call()
                    calls[rows[-1]["variant"]] = call
                    rows[-1]["seconds to prepare"] = time.perf_counter() - start
                except Exception as error:  # the others still run
                    rows[-1]["failed"] = measure.reason(error)
        timings = measure.alternate(calls, repeats, device)
    for row in rows:
        if timing := timings.get(row["variant"]):
            eager = timings[row["variant"].rpartition(", ")[0] + ", eager"]
            row |= {"seconds": timing.median, "spread": timing.spread, "over eager": timing.over(eager)}
    return rows


def main() -> None:
    flags = measure.parser(__doc__, ("cpu", "615M", "tiny"))
    flags.add_argument("--compiled", action="store_true", help="also through torch.compile")
    given = measure.parse(flags)
    rows = run(given.shape, given.device, given.dtype, given.repeats or 5, given.compiled)
    measure.report(rows, given)


if __name__ == "__main__":
    main()
