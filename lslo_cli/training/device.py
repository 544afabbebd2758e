"""The device and precision of a stage."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import AutocastKwargs

from lslo_cli.artifacts.provenance import peak_resident
from lslo_cli.errors import UsageError
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.recipe import Device, Precision, Recipe
from lslo_cli.training.memory import free_machine_memory
from lslo_cli.wording import counted

_alone = threading.RLock()
"""Held by the thread that computes: its stage has the process's state, and its batch the route of a model."""


class StageAccelerator(Accelerator):
    """The device and precision of one stage.

    accelerate, torch's threads and TF32 have one state in a process, and a notebook may have several stages
    at work in turn. So every stage has a state of its own, which is the process's from :meth:`enter` until
    another stage enters; it enters when it is made, prepares a model or computes under :meth:`autocast`.
    Other threads wait meanwhile.
    """

    def __init__(self, *, threads: int | None = None, tf32: bool = False, **settings: Any):
        """``threads`` None: torch's choice; ``settings`` are accelerate's."""
        self._states: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        self._threads, self._tf32 = threads, tf32
        with _alone:
            self._share()
            super().__init__(**settings)
            self.enter()

    def enter(self) -> None:
        """Make this stage's device, precision, threads and TF32 those of the process."""
        self._share()
        _set_threads(self._threads)
        tf32 = self._tf32 and self.device.type == "cuda"
        torch.set_float32_matmul_precision("high" if tf32 else "highest")

    def set_threads(self, number: int) -> None:
        """Compute with another number of threads from now on."""
        self._threads = number
        self.enter()

    def _share(self) -> None:
        AcceleratorState._shared_state, PartialState._shared_state = self._states

    @contextmanager
    def autocast(self, autocast_handler: AutocastKwargs | None = None) -> Iterator[None]:
        with _alone:
            self.enter()
            with super().autocast(autocast_handler):
                yield

    def prepare(self, *objects: Any, **settings: Any) -> Any:
        with _alone:
            self.enter()
            return super().prepare(*objects, **settings)


def seed_dropout(device: torch.device, seed: int) -> None:
    """Seed the generator of ``device``, from which dropout draws.

    On a CPU the numbers are those of torch.manual_seed, which costs half a millisecond more: it formats the
    call stack for each kind of device that is not there.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@contextmanager
def keeping_random_state() -> Iterator[None]:
    """Leave the random generators of the process as they were, whatever seeds or uses them meanwhile."""
    python, numpy = random.getstate(), np.random.get_state()
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # else nothing was drawn
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


_threads_before: int | None = None
"""The process's number of threads before a stage set its own; None if none has."""


def _set_threads(number: int | None) -> None:
    """Set the number of threads; None restores the process's own."""
    global _threads_before
    if number is None:
        number, _threads_before = _threads_before, None
    elif _threads_before is None:
        _threads_before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)


def open_device(recipe: Recipe, autocast: bool = True) -> StageAccelerator:
    """The device and precision of ``[run]``. Raises UsageError if they are not available here.

    Without ``autocast`` a model in training computes in the formats of its own weights.
    """
    device, precision = recipe.run.device, recipe.run.precision
    has_cuda = torch.cuda.is_available()
    if device is Device.CUDA and not has_cuda:
        raise UsageError(
            "--device cuda was asked for, but torch sees no CUDA device", "use --device auto or cpu"
        )
    if precision is Precision.FP16 and (device is Device.CPU or not has_cuda):
        raise UsageError("fp16 needs a CUDA device", "use --precision fp32 or bf16")
    return StageAccelerator(
        threads=recipe.run.threads,
        tf32=recipe.run.tf32,
        cpu=device is Device.CPU or not has_cuda,  # accelerate would prefer MPS and others
        mixed_precision="no" if precision is Precision.FP32 else str(precision),
        kwargs_handlers=[AutocastKwargs(enabled=autocast)],
    )


def check_base_dtype(base_dtype: BaseDtype, device: torch.device) -> None:
    """Raise UsageError if a base in 4 bits is not available: without CUDA or without bitsandbytes."""
    if base_dtype is not BaseDtype.FOUR_BIT:
        return
    lacking = [
        *(["a CUDA device"] if device.type != "cuda" else []),
        *(["bitsandbytes"] if find_spec("bitsandbytes") is None else []),
    ]
    if lacking:
        raise UsageError(
            f"run.base_dtype 4bit needs CUDA and bitsandbytes; here {' and '.join(lacking)} is missing",
            "pip install 'lslo[4bit]' on a machine with a CUDA device, or use run.base_dtype=bfloat16",
        )


def loss_scale(accelerator: Accelerator) -> float:
    """The factor on the loss by which fp16's gradients do not underflow; 1 without a scaler.

    The scaler lowers it with every update that it skips for an overflow. accelerate's own flag misses those
    of a fused optimiser, whose step is called and does the skipping.
    """
    return float(accelerator.scaler.get_scale()) if accelerator.scaler else 1.0


def attention_for(accelerator: Accelerator) -> str | None:
    """The attention implementation to train with, None for transformers' choice.

    On a CPU the backward pass of torch's flash attention in bfloat16 takes several times as long.
    """
    return "eager" if _is_bf16_on_cpu(accelerator) else None


def length_multiple(accelerator: Accelerator) -> int:
    """The multiple to which sentences are padded.

    On a CPU every new shape of a product in bfloat16 compiles a kernel, which takes longer than the product.
    """
    return 8 if _is_bf16_on_cpu(accelerator) else 1


def _is_bf16_on_cpu(accelerator: Accelerator) -> bool:
    return accelerator.device.type == "cpu" and accelerator.mixed_precision == "bf16"


class Machine(NamedTuple):
    """What a training's sums are split among, and so its rounding depends on.

    ``threads`` are those of each process on a CPU; None on a GPU, where results do not depend on them.
    """

    processes: int
    threads: int | None

    @classmethod
    def of(cls, accelerator: Accelerator) -> Machine:
        """That of a stage, now."""
        threads = torch.get_num_threads() if accelerator.device.type == "cpu" else None
        return cls(accelerator.num_processes, threads)

    def __str__(self) -> str:
        where = "on a GPU" if self.threads is None else f"with {counted(self.threads, 'thread')}"
        return f"{counted(self.processes, 'process', 'processes')} {where}"


def free_memory(device: torch.device) -> int:
    """Free bytes of a CUDA device, or of this machine's memory per process."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_machine_memory() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def peak_memory(device: torch.device) -> int:
    """The peak memory of this process so far, in bytes: of a CUDA device, or of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_resident()


def describe_device(device: torch.device) -> str:
    """The device in words, to judge a timing by: the GPU's name, or the CPU with its number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {counted(threads, 'thread')}"
