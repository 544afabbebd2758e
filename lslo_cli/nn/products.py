"""The choice of the kernel for the routed updates of a batch."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import inf

import torch
from torch import Tensor

from lslo_cli.errors import UsageError
from lslo_cli.method.adapters import AdapterKernel
from lslo_cli.nn.groups import Groups, Slots
from lslo_cli.nn.routed import Products, routed_linear
from lslo_cli.nn.sorting import in_order


@dataclass(frozen=True)
class Case:
    """When a kernel is chosen: by device, bits of the format, and size of the site.

    ``d`` is the site's smaller dimension, ``R`` the sum of its adapters' ranks.
    """

    kernel: AdapterKernel
    device: str
    most_bits: int = 64
    least_d: int = 0
    most_d: float = inf
    most_R: float = inf

    def holds(self, device: torch.device, dtype: torch.dtype, d: int, R: int) -> bool:
        """Whether a site is in this case."""
        fits = self.least_d <= d <= self.most_d and self.most_R >= R
        return fits and device.type == self.device and 8 * dtype.itemsize <= self.most_bits


CASES = (
    # Measured: in 16 bits, small products are hardly faster on a CPU than in float32, large ones by far.
    Case(AdapterKernel.MASKED, "cpu", most_bits=16, most_R=256),
    # Measured on rows in random order: sorting saves up to half of the time at d = 64, and costs more than it
    # saves from 512 on, where copies of x outweigh the number of products.
    Case(AdapterKernel.SORTED, "cpu", most_d=256),
    Case(AdapterKernel.RUNS, "cpu"),
    # By roofline, not measured: a step on an H100 takes 1.08 of the frozen base's time if updates are added
    # before the frozen map's output is written, 1.22 to 1.28 with masked products, and runs are thousands of
    # launches. Launches dominate at small sites; masks need the fewest.
    Case(AdapterKernel.TRITON, "cuda", most_bits=16, least_d=512),
    Case(AdapterKernel.MASKED, "cuda"),
)
"""The choice of ``auto``: the first case that holds."""


def products(kernel: AdapterKernel, languages: Tensor, slots: Slots, dtype: torch.dtype, d: int) -> Products:
    """The products of a batch with ``languages`` (rows,), in format ``dtype``, at sites with ``d`` or more.

    Raises UsageError for a kernel that does not run here.
    """
    if kernel is AdapterKernel.AUTO:
        kernel = choice(languages.device, dtype, d, slots.width)
    match kernel:
        case AdapterKernel.RUNS:
            return Groups.runs(languages, slots)
        case AdapterKernel.SORTED:
            return _sorted(languages, slots)
        case AdapterKernel.MASKED:
            return Groups.masked(languages, slots)
    return _lookup(languages, slots)


def choice(device: torch.device, dtype: torch.dtype, d: int, R: int) -> AdapterKernel:
    """The choice of ``auto`` at a site. Triton's kernels are not chosen if they fail or are wrong."""
    kernels = [case.kernel for case in CASES if case.holds(device, dtype, d, R)]
    if kernels[0] is AdapterKernel.TRITON and not _is_sound(device, dtype):
        return kernels[1]
    return kernels[0]


@cache
def _is_sound(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether Triton's kernels compile, run and agree with masked products, in value and in gradients."""
    if not find_spec("triton"):
        return False
    try:
        error = _disagreement(device, dtype)
    except Exception as failure:  # another kernel can always be used
        warnings.warn(f"Triton's kernels fail on this device, so they are not used: {failure}", stacklevel=2)
        return False
    if not error < 0.02:  # also if it is not a number
        warnings.warn(
            f"Triton's kernels are off by {error:.2g} on this device, so they are not used", stacklevel=2
        )
        return False
    return True


def _disagreement(device: torch.device, dtype: torch.dtype) -> float:
    """The largest relative distance, over output and gradients, of Triton's kernels to masked products.

    The adapters have fewer inputs and outputs than the frozen map, to cover every span.
    """
    slots = Slots(ranks=(2, 8, 64, 3), by_language=(0, 1, 2, 3))
    languages = torch.tensor([0, 0, 2, 1, 2], device=device)
    generator = torch.Generator(device).manual_seed(1)
    shapes = (5, 30, 256), (320, 256), (320,), (slots.width, 200), (280, slots.width), (5, 30, 320)
    x, weight, bias, A, B, dy = (
        torch.randn(shape, generator=generator, device=device).to(dtype) for shape in shapes
    )
    results = []
    with torch.enable_grad(), torch.autocast(device.type, enabled=False):
        for kernel in (AdapterKernel.TRITON, AdapterKernel.MASKED):
            inputs = [tensor.detach().requires_grad_() for tensor in (x, A, B)]
            made_of = products(kernel, languages, slots, dtype, d=256)
            y = routed_linear(inputs[0], weight, bias, inputs[1], inputs[2], made_of)
            results.append((y.detach(), *torch.autograd.grad(y, inputs, dy)))
    return max(
        float((one.float() - other.float()).norm() / other.float().norm())
        for one, other in zip(*results, strict=True)
    )


def _sorted(languages: Tensor, slots: Slots) -> Products:
    """Runs of the rows in their order if no adapter has two, else of sorted rows."""
    runs = Groups.runs(languages, slots)
    return runs if len(set(runs.parts)) == len(runs.parts) else in_order(languages, slots, Groups.runs)


def _lookup(languages: Tensor, slots: Slots) -> Products:
    is_interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if not find_spec("triton") or not (languages.is_cuda or is_interpreted):
        raise UsageError(
            f"run.adapter_kernel={AdapterKernel.TRITON} needs Triton and a CUDA device",
            f"choose {AdapterKernel.AUTO}",
        )
    from lslo_cli.nn.lookup import Lookup  # Triton comes with torch for CUDA only

    return Lookup.of(languages, slots)
