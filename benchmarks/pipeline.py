"""The time of a training update by part of the model, and the speed of the whole training loop.

    python -m benchmarks.pipeline [--shape world|cpu|615M] [--dtype float32|bfloat16] [--json FILE]

The profile attributes each update's milliseconds to parts of the model, for the frozen base, LSLo 2;2;8 and
full fine-tuning. The loop is that of ``lslo train``; ``world`` trains on the text that comes with lslo, the
other shapes on random ids.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from benchmarks import measure
from benchmarks.batches import TEXTS, tokenized
from benchmarks.models import ADAPTERS, SHAPES, new_batch, new_model, twin
from benchmarks.train_step import LANGUAGES, SMOOTHING, Variant, frozen, full, lslo
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.models.base import load_base
from lslo_cli.nn.attach import attach
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.training.batches import Batch, EpochBatches
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.trainer import Callback, Trainer

RANKS = (2, 2, 8)
UPDATES = 10
REST = "rest: residuals, dropout, ReLU, embeddings, masks"

PARTS = {
    "vocabulary loss": ("_ProjectedLoss",),
    "attention": ("scaled_dot_product", "softmax", "aten::bmm", "ScaledDotProduct", "Softmax", "Bmm"),
    "linear maps and updates": ("_RoutedLinear", "aten::linear", "AddmmBackward", "MmBackward"),
    "layer norms": ("layer_norm", "LayerNorm"),
    "optimiser": ("Optimizer.step",),
    REST: ("",),
}
"""The parts of an update by name, and the names of their events; the first match counts."""


def part_of(event: FunctionEvent) -> str:
    """The part of an event, or of its nearest enclosing event with one."""
    around: FunctionEvent | None = event
    while around is not None:
        for part, names in PARTS.items():
            if part != REST and any(name in around.name for name in names):
                return part
        around = around.cpu_parent
    return REST


def profiled(variant: Variant, dtype: str, device: str) -> Counter[str]:
    """Milliseconds of one update by part: processor time, or on CUDA time of the kernels."""
    on_cuda = torch.device(device).type == "cuda"
    optimizer = torch.optim.Adam(variant.parameters, lr=0.0, fused=True) if variant.parameters else None

    def update() -> None:
        variant.forward(dtype).backward()
        if optimizer:
            optimizer.step()
            optimizer.zero_grad()

    update()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    with profile(activities=activities) as profiler:
        update()
    spent: Counter[str] = Counter()
    for event in profiler.events():
        if event.device_type == torch.autograd.DeviceType.CPU:
            own = event.self_device_time_total if on_cuda else event.self_cpu_time_total
            spent[part_of(event)] += own / 1000
    return spent


def profile_rows(shape: str, device: str, dtype: str) -> list[dict[str, Any]]:
    """One row for each part of an update, one column for each way to train."""
    base, batch = new_model(SHAPES[shape], device), new_batch(SHAPES[shape], LANGUAGES, device)
    ways = {"frozen ms": frozen, "LSLo 2;2;8 ms": partial(lslo, ranks=RANKS), "full ms": full}
    spent = {name: profiled(make(twin(base), batch), dtype, device) for name, make in ways.items()}
    parts = [{"part": part, **{name: spent[name][part] for name in ways}} for part in PARTS]
    return [*parts, {"part": "sum", **{name: spent[name].total() for name in ways}}]


@dataclass(frozen=True)
class First:
    """The first ``count`` batches of a sequence, in every epoch."""

    items: Sequence[Batch]
    count: int

    def batches(self, epoch: int) -> range:
        return range(self.count)

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[Batch]]:
        return ([self.items[number]] for number in range(self.count))


@dataclass
class Clock(Callback):
    """Measures the seconds of the last epoch: processor time on a CPU, else wall time."""

    device: str
    seconds: float = 0.0

    def before_epoch(self, epoch: int) -> None:
        self._start = self._now()

    def after_epoch(self, epoch: int) -> None:
        self.seconds = self._now() - self._start

    def _now(self) -> float:
        return time.process_time() if self.device == "cpu" else time.perf_counter()


def loop_rows(shape: str, device: str, dtype: str) -> list[dict[str, Any]]:
    """Tokens per second of the training loop with LSLo 2;2;8, from building batches to logging."""
    model, batches, codes = world_task() if shape == "world" else random_task(shape, device)
    ranks = RankMap({code: RANKS[number % len(RANKS)] for number, code in enumerate(codes)})
    model.to(device)
    strategy = paper(model.config.encoder_layers, model.config.decoder_layers)
    adapters = attach(model, strategy, ranks, codes, ADAPTERS)
    AcceleratorState._reset_state()  # else it has the precision of an earlier benchmark
    mixed = "bf16" if dtype == "bfloat16" else "no"
    clock = Clock(device)
    settings = Optimisation(
        epochs=2,  # the first warms up
        lr=1e-4,
        warmup=1,
        beta1=0.9,
        beta2=0.98,
        clip_norm=0.0,
        label_smoothing=SMOOTHING,
        accumulate=1,
    )
    Trainer(
        objective=TranslationLoss(model, SMOOTHING),
        parameters=adapters.parameters(),
        batches=First(batches, UPDATES),
        settings=settings,
        accelerator=Accelerator(cpu=device == "cpu", mixed_precision=mixed),
        seed=1,
        route=adapters.route,
        callbacks=[clock],
    ).run()
    tokens = sum(int(batches[n].attention_mask.sum()) + batches[n].tokens for n in range(UPDATES))
    return [
        {"loop": f"{UPDATES} updates", "seconds": clock.seconds, "tokens/s": round(tokens / clock.seconds)}
    ]


def world_task() -> tuple[nn.Module, Sequence[Batch], Sequence[str]]:
    """The model that comes with lslo, batches of its training text, and the languages."""
    corpus = tokenized(TEXTS["world"])
    codes = corpus.corpus.languages
    directions = [Direction(src, tgt) for src in codes for tgt in codes if src != tgt]
    source = EpochBatches(corpus, directions, codes, max_tokens=2000, max_length=256, temperature=1.0, seed=1)
    return load_base("world").model, source.batches(1), codes


def random_task(shape: str, device: str) -> tuple[nn.Module, Sequence[Batch], Sequence[str]]:
    """A random model, batches of random ids in host memory, and languages without a name."""
    batches = [new_batch(SHAPES[shape], LANGUAGES, "cpu", seed) for seed in range(UPDATES)]
    return new_model(SHAPES[shape], device), batches, [f"l{number}" for number in range(LANGUAGES)]


def run(shape: str, device: str, dtype: str) -> dict[str, list[dict[str, Any]]]:
    """The profile and the loop of a shape."""
    return {"profile": profile_rows(shape, device, dtype), "loop": loop_rows(shape, device, dtype)}


def main() -> None:
    given = measure.parse(measure.parser(__doc__, ("world", "cpu", "615M", "tiny")))
    measure.report(run(given.shape, given.device, given.dtype), given)


if __name__ == "__main__":
    main()
