"""All benchmarks, one after the other, into one file.

    python -m benchmarks --shape cpu world --json results/benchmarks/cpu.json

On a GPU, ``python -m benchmarks.gpu`` measures more, within a given time. The file is written after every
benchmark, so an interruption loses nothing measured before. A benchmark that fails, for example out of
memory, leaves its message in place of its rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import batches, decode, loss, measure, pipeline, train_step
from benchmarks.models import SHAPES
from benchmarks.targets import projection


def suite(shape: str, device: str, dtype: str, repeats: int) -> dict[str, Callable[[], Any]]:
    """The benchmarks of a shape by name."""
    text = shape if shape in batches.TEXTS else "lang12"
    return {
        "train_step": partial(train_step.run, shape, device, dtype, repeats),
        "loss": partial(loss.run, shape, device, dtype, repeats),
        "batches": partial(batches.run, text),
        "pipeline": partial(pipeline.run, shape, device, dtype),
        "decode": partial(decode.run, shape, device, dtype, min(3, repeats)),
    }


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Run, print and write every benchmark of every shape."""
    written: dict[str, Any] = {"machine": measure.machine(given.device), "dtype": given.dtype}
    for shape in given.shape:
        results = written[shape] = {}
        for name, call in suite(shape, given.device, given.dtype, given.repeats or 5).items():
            print(f"\n{name}, {shape}", flush=True)
            try:
                results[name] = call()
                print(measure.tables(results[name]), flush=True)
            except Exception as error:  # the others still run
                results[name] = {"failed": measure.reason(error)}
                print(f"failed: {error}", flush=True)
            measure.release()
            if given.json:
                measure.write_json(given.json, written)
        if shape == "615M" and not any("failed" in results[name] for name in ("pipeline", "decode")):
            results["lang12 study"] = projection(results)
            print(measure.table([results["lang12 study"]]))
    if given.json:
        measure.write_json(given.json, written)
    return written


def main() -> None:
    run(measure.parse(measure.parser(__doc__, tuple(SHAPES), several=True)))


if __name__ == "__main__":
    main()
