"""Measurement: interleaved repeats with median and spread, and a record of the machine."""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

PACKAGES = ("torch", "transformers", "numpy", "peft", "triton", "ctranslate2")
"""Versions written beside every result, where installed."""


Rows = Sequence[Mapping[str, object]]
"""A result."""


@dataclass(frozen=True)
class Timings:
    """Seconds of each repeat: on a CPU processor time of this process, on a GPU time between events."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a fraction of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median

    def over(self, other: Timings) -> float:
        """The median ratio to another's time in the same round, which is least sensitive to noise."""
        return statistics.median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


def alternate(
    calls: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu", warm_up: int = 1
) -> dict[str, Timings]:
    """Time every call ``repeats`` times, one of each in a round, after ``warm_up`` rounds that do not count.

    The order is reversed in every other round, so that no call always follows the same neighbour.
    """
    clock = _cuda_seconds if torch.device(device).type == "cuda" else _process_seconds
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(-warm_up, repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            taken = clock(calls[name])
            if turn >= 0:
                seconds[name].append(taken)
    return {name: Timings(tuple(taken)) for name, taken in seconds.items()}


def saved_bytes(forward: Callable[[], object], besides: Iterable[torch.Tensor] = ()) -> int:
    """Bytes of the tensors that ``forward`` saves for backward, except the weights in ``besides``.

    Tensors that share memory count once.
    """
    held = {tensor.untyped_storage().data_ptr() for tensor in besides}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            kept[storage.data_ptr()] = storage  # held, so that its address is not reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    del result
    return sum(storage.nbytes() for storage in kept.values())


def peak_bytes(call: Callable[[], object], device: str) -> int:
    """The peak memory of tensors during a call, beyond that before it."""
    release()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate((event.nbytes() for event in events), initial=0))


SQUARE = {"cuda": 8192, "cpu": 1024}
"""Rows of the matrices of :func:`peak_rate`."""


def peak_rate(dtype: str, device: str) -> float:
    """Floating point operations per second of a large square matrix product."""
    size = SQUARE[torch.device(device).type]
    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    return 2 * size**3 / alternate({"product": lambda: a @ b}, 5, device)["product"].median


def copy_rate(device: str) -> float:
    """Bytes read and written per second by a large copy on the device."""
    size = 2**30 if torch.device(device).type == "cuda" else 2**26
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / alternate({"copy": lambda: target.copy_(source)}, 5, device)["copy"].median


def graphed(call: Callable[[], object]) -> Callable[[], None]:
    """A call on a CUDA device as a graph: its kernels alone, without their launches."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def release() -> None:
    """Free unused memory, so that the next measurement starts clean."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def machine(device: str = "cpu") -> dict[str, Any]:
    """Where a result was measured: processor, device, threads, versions."""
    on_cuda = torch.device(device).type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_cuda else "cpu",
        "cuda": torch.version.cuda if on_cuda else None,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := installed(name))},
        "clock": "time between CUDA events" if on_cuda else "processor time of the process",
    }


def tables(result: Rows | Mapping[str, Rows]) -> str:
    """A table, or several separated by empty lines."""
    return "\n\n".join(map(table, result.values())) if isinstance(result, Mapping) else table(result)


def table(rows: Rows) -> str:
    """Rows as aligned text: words left, numbers right, and a dash for missing cells."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    is_text = [all(isinstance(row.get(name, ""), str) for row in rows) for name in names]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if text else cell.rjust(width)
            for cell, width, text in zip(line, widths, is_text, strict=True)
        ).rstrip()
        for line in cells
    )


def parser(description: str | None, shapes: Sequence[str], several: bool = False) -> argparse.ArgumentParser:
    """The flags that all benchmarks share; ``--shape`` may take ``several``."""
    flags = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    one_or_more = {"nargs": "+", "default": [shapes[0]]} if several else {"default": shapes[0]}
    flags.add_argument("--shape", choices=shapes, help="size of model and batch", **one_or_more)
    flags.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    flags.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: bfloat16 on CUDA")
    flags.add_argument("--repeats", type=int, help="measured rounds")
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    return flags


def parse(flags: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, and limit torch to one thread, whose processor time is measured."""
    given = flags.parse_args()
    given.dtype = given.dtype or ("bfloat16" if torch.device(given.device).type == "cuda" else "float32")
    torch.set_num_threads(1)
    return given


def report(result: Rows | Mapping[str, Rows], given: argparse.Namespace, **settings: object) -> None:
    """Print a result, and with ``--json`` write it with settings and machine."""
    print(tables(result))
    if given.json:
        of_all = {"shape": given.shape, "dtype": given.dtype}
        write_json(given.json, {"machine": machine(given.device), **of_all, **settings, "rows": result})


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result, its numbers to four digits; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(result), indent=2) + "\n", encoding="utf-8")


def _process_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _cuda_seconds(call: Callable[[], object]) -> float:
    start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) / 1000


def _processor() -> str:
    """The processor's model name, which Python only gives on some systems."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def reason(error: Exception) -> str:
    """The text of a failure."""
    return f"{type(error).__name__}: {error}"[:300]


def installed(package: str) -> str | None:
    """The version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}")
        case Mapping():
            return {key: _rounded(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_rounded(entry) for entry in value]
    return value


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
