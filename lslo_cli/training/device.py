"""The device and precision of a stage."""

from __future__ import annotations

import os
import resource
import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import AutocastKwargs

from lslo_cli.errors import UsageError
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.recipe import Device, Precision, Recipe
from lslo_cli.wording import counted


def open_device(recipe: Recipe, autocast: bool = True) -> Accelerator:
    """The device and precision of ``[run]``. Raises UsageError if they are not available here.

    Without ``autocast`` a model in training computes in the formats of its own weights.
    """
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    device, precision = recipe.run.device, recipe.run.precision
    if device is Device.CUDA and not torch.cuda.is_available():
        raise UsageError(
            "--device cuda was asked for, but torch sees no CUDA device", "use --device auto or cpu"
        )
    if precision is Precision.FP16 and (device is Device.CPU or not torch.cuda.is_available()):
        raise UsageError("fp16 needs a CUDA device", "use --precision fp32 or bf16")
    mixed = "no" if precision is Precision.FP32 else str(precision)
    AcceleratorState._reset_state()  # it refuses to change the precision of an earlier stage in this process
    accelerator = Accelerator(
        cpu=device is Device.CPU, mixed_precision=mixed, kwargs_handlers=[AutocastKwargs(enabled=autocast)]
    )
    tf32 = recipe.run.tf32 and accelerator.device.type == "cuda"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    return accelerator


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


def arithmetic_threads(accelerator: Accelerator) -> int | None:
    """The number of threads if results depend on it, as on a CPU, whose sums are split among them."""
    return torch.get_num_threads() if accelerator.device.type == "cpu" else None


def free_memory(device: torch.device) -> int:
    """Free bytes of a CUDA device, or of this machine's memory per process.

    The system's caches count as free if it reports them, as Linux does.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        free = int(fields["MemAvailable"].removesuffix("kB")) * 1024
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return free // int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def peak_memory(device: torch.device) -> int:
    """The peak memory of this process so far, in bytes: of a CUDA device, or of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def describe_device(device: torch.device) -> str:
    """The device in words, to judge a timing by: the GPU's name, or the CPU with its number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {counted(threads, 'thread')}"
