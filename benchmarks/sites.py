"""One routed linear map, forward and backward, by every kernel: time over the frozen map, and errors.

    python -m benchmarks.sites [--shape cpu|world|615M] [--dtype float32|bfloat16] [--json FILE]

The sizes are those of a model's sites with all tokens of a batch. On CUDA, times are of a replayed graph, so
that they are the device's alone. Errors are relative distances to the definition in float64: output, then
the worst of the gradients. A third of the entries of A and B is pruned, one language is absent, and rows are
sorted by language, as on the target side of a training batch, or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import measure
from benchmarks.models import SHAPES, Shape
from benchmarks.train_step import kernels
from lslo_cli.method.adapters import AdapterKernel
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.products import products
from lslo_cli.nn.routed import Products, routed_linear

RANK_MAPS = {"2;2;8": ((2, 2, 8), 12), "2;2;64": ((2, 2, 64), 12), "2;2;8;8": ((2, 2, 8, 8), 30)}
"""By name: the ranks assigned to languages in turn, and the number of languages."""

FROZEN = "frozen map"

PLAYS = 20
"""Replays of a CUDA graph per measurement."""


@dataclass(frozen=True)
class Site:
    """The tensors of a site, in the data type of computation, and the language of each row."""

    x: Tensor
    dy: Tensor
    weight: Tensor
    bias: Tensor
    A: Tensor
    B: Tensor
    languages: Tensor
    slots: Slots

    def frozen(self) -> tuple[Tensor, ...]:
        """Output and gradient of the input, of the frozen map alone."""
        return self._with_gradients(partial(F.linear, self.x, self.weight, self.bias), self.x)

    def products(self, kernel: AdapterKernel) -> Products:
        return products(kernel, self.languages, self.slots, self.x.dtype, min(self.weight.shape))

    def routed(self, made_of: Products) -> tuple[Tensor, ...]:
        """Output and gradients of input, A and B."""
        forward = partial(routed_linear, self.x, self.weight, self.bias, self.A, self.B, made_of)
        return self._with_gradients(forward, self.x, self.A, self.B)

    def exact(self) -> tuple[Tensor, ...]:
        """The same by definition, language by language with its own matrix, in float64."""
        x, weight, bias, A, B = (
            tensor.detach().double().requires_grad_()
            for tensor in (self.x, self.weight, self.bias, self.A, self.B)
        )
        y = x.new_zeros(self.dy.shape)
        for language in self.languages.unique().tolist():
            own, rows = self.slots.columns[language], self.languages == language
            y = y.index_put((rows,), F.linear(x[rows], weight + B[:, own] @ A[own], bias))
        return self._with_gradients(lambda: y, x, A, B)

    def _with_gradients(self, forward: Callable[[], Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
        y = forward()
        return y.detach(), *torch.autograd.grad(y, inputs, self.dy.to(y.dtype))


def new_site(
    shape: Shape, sizes: tuple[int, int], rank_map: str, in_order: bool, device: str, dtype: str
) -> Site:
    """A random site; the last language has no row."""
    d_in, d_out = sizes
    ranks, count = RANK_MAPS[rank_map]
    slots = Slots(tuple(ranks[number % len(ranks)] for number in range(count)), tuple(range(count)))
    generator = torch.Generator(device).manual_seed(1)
    languages = torch.randint(count - 1, (shape.sentences,), generator=generator, device=device)

    def random(*size: int, pruned: bool = False) -> Tensor:
        values = torch.randn(size, generator=generator, device=device)
        if pruned:
            values *= torch.rand(size, generator=generator, device=device) > 1 / 3
        return values.to(getattr(torch, dtype))

    return Site(
        x=random(shape.sentences, shape.length, d_in).requires_grad_(),
        dy=random(shape.sentences, shape.length, d_out),
        weight=random(d_out, d_in),
        bias=random(d_out),
        A=random(slots.width, d_in, pruned=True).requires_grad_(),
        B=random(d_out, slots.width, pruned=True).requires_grad_(),
        languages=languages.sort().values if in_order else languages,
        slots=slots,
    )


def sites(shape: Shape, device: str, dtype: str) -> Iterator[tuple[dict[str, str], Site]]:
    """Every site with its description: attention and both feed-forward matrices, by ranks and order."""
    d, ffn = shape.d_model, shape.ffn_dim
    for rank_map in RANK_MAPS:
        for in_order in (True, False):
            for sizes in ((d, d), (d, ffn), (ffn, d)):
                name = {
                    "d_in, d_out": "{}, {}".format(*sizes),
                    "ranks": rank_map,
                    "rows": "sorted" if in_order else "mixed",
                }
                yield name, new_site(shape, sizes, rank_map, in_order, device, dtype)


def distance(one: Tensor, exact: Tensor) -> float:
    return float((one.double() - exact).norm() / exact.norm())


def run(shape: str, device: str, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Measure every kernel at every site; one that fails leaves its reason."""
    rows: list[dict[str, Any]] = []
    for name, site in sites(SHAPES[shape], device, dtype):
        made = {str(kernel): partial(site.products, kernel) for kernel in kernels(device)}
        rows += [name | row for row in compared(site, made, device, repeats)]
    return rows


def run_tiles(shape: str, device: str, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Measure the fused kernel with several sizes of its tiles, at sites whose rows are sorted."""
    from lslo_cli.nn.lookup import HALF, Tiles

    others = [
        Tiles(tokens=128, outputs=128, inputs=64, ranks=32, warps=4, stages=4),
        Tiles(tokens=128, outputs=256, inputs=64, ranks=32, warps=8, stages=3),
        Tiles(tokens=256, outputs=128, inputs=64, ranks=32, warps=8, stages=3),
        Tiles(tokens=64, outputs=256, inputs=64, ranks=32, warps=4, stages=4),
        Tiles(tokens=128, outputs=128, inputs=64, ranks=64, warps=8, stages=4),
    ]
    rows: list[dict[str, Any]] = []
    for name, site in sites(SHAPES[shape], device, dtype):
        if name["rows"] == "sorted":
            usual = site.products(AdapterKernel.TRITON)
            made = {str(tiles): partial(replace, usual, tiles=tiles) for tiles in (HALF, *others)}
            rows += [name | row for row in compared(site, made, device, repeats)]
    return rows


def compared(
    site: Site, ways: Mapping[str, Callable[[], Products]], device: str, repeats: int
) -> list[dict[str, Any]]:
    """One row for the frozen map, and one for each way to compute the routed one."""
    exact = site.exact()
    timed: dict[str, Callable[[], object]] = {FROZEN: _played(site.frozen, device)}
    rows: list[dict[str, Any]] = [{"products": FROZEN}]
    for name, make in ways.items():
        rows.append({"products": name})
        try:
            call = partial(site.routed, make())
            off = [distance(*pair) for pair in zip(call(), exact, strict=True)]
            timed[name] = _played(call, device)
            rows[-1] |= {"output off by": off[0], "gradients off by": max(off[1:])}
        except Exception as error:  # the others still run
            rows[-1]["failed"] = measure.reason(error)
    timings = measure.alternate(timed, repeats, device)
    for row in rows:
        if timing := timings.get(row["products"]):
            row["seconds"] = timing.median / (PLAYS if _is_cuda(device) else 1)
            row["over frozen"] = timing.over(timings[FROZEN])
    return rows


def _played(call: Callable[[], object], device: str) -> Callable[[], object]:
    """On CUDA, the call as a graph that is replayed several times."""
    if not _is_cuda(device):
        return call
    play = measure.graphed(call)

    def plays() -> None:
        for _ in range(PLAYS):
            play()

    return plays


def _is_cuda(device: str) -> bool:
    return torch.device(device).type == "cuda"


def main() -> None:
    given = measure.parse(measure.parser(__doc__, ("cpu", "world", "615M", "tiny")))
    measure.report(run(given.shape, given.device, given.dtype, given.repeats or 5), given)


if __name__ == "__main__":
    main()
