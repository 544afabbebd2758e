"""One training step, forward and backward: ours, the frozen base, full fine-tuning and other adapters.

    python -m benchmarks.train_step [--shape cpu|world|615M] [--dtype float32|bfloat16] [--json FILE]

The reference is the frozen base with a gradient through its activations: the least cost of any adapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks import measure
from benchmarks.models import ADAPTERS, SHAPES, Shape, new_batch, new_model, precision, twin
from lslo_cli.method.adapters import AdapterKernel, Span
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import paper
from lslo_cli.nn.attach import attach, model_sites, site_module
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.nn.lslo import LSLo
from lslo_cli.training.batches import Batch

LANGUAGES = 12
SMOOTHING = 0.2
FROZEN = "frozen base"


@dataclass(frozen=True)
class Variant:
    """A model in training: its loss, trained weights, batch, and the context of a forward pass."""

    objective: TranslationLoss
    parameters: list[nn.Parameter]
    batch: Batch
    around: Callable[[], AbstractContextManager[Any]] = nullcontext

    def forward(self, dtype: str) -> torch.Tensor:
        with precision(dtype, self.batch.labels.device.type), self.around():
            return self.objective(self.batch)

    def step(self, dtype: str) -> None:
        """Forward and backward; gradients are dropped, so that they do not accumulate in memory."""
        self.forward(dtype).backward()
        self.objective.zero_grad(set_to_none=True)


def frozen(model: nn.Module, batch: Batch) -> Variant:
    """No trainable weight, but a gradient back to the embeddings."""
    for stack in (model.get_encoder(), model.get_decoder()):
        stack.embed_tokens.register_forward_hook(lambda module, inputs, output: output.requires_grad_())
    return Variant(TranslationLoss(model, SMOOTHING), [], batch)


def full(model: nn.Module, batch: Batch) -> Variant:
    """Every weight trains."""
    model.requires_grad_(True)
    return Variant(TranslationLoss(model, SMOOTHING), list(model.parameters()), batch)


def lslo(
    model: nn.Module,
    batch: Batch,
    ranks: Sequence[int],
    languages: int = LANGUAGES,
    kernel: AdapterKernel = AdapterKernel.AUTO,
    span: Span = Span.D_MODEL,
) -> Variant:
    """Ours, with the paper's strategy; ``ranks`` are assigned to the languages in turn."""
    names = [f"l{number}" for number in range(languages)]
    rank_map = RankMap({name: ranks[number % len(ranks)] for number, name in enumerate(names)})
    strategy = paper(model.config.encoder_layers, model.config.decoder_layers)
    adapters = attach(model, strategy, rank_map, names, replace(ADAPTERS, kernel=kernel, span=span))
    for parameter in adapters.parameters():
        nn.init.normal_(parameter, std=0.02)
    around = partial(adapters.route.of, batch.source_language, batch.target_language)
    return Variant(TranslationLoss(model, SMOOTHING), adapters.parameters(), batch, around)


class Merged(nn.Module):
    """Sentence by sentence with its language's own matrix, ``x (W + B_l A_l)^T``: the definition."""

    def __init__(self, site: LSLo):
        super().__init__()
        self.base, self.adapter = site.base, site.adapter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        adapter = self.adapter
        slots = adapter.slots
        rows = []
        for row, language in zip(x, adapter.route.languages(adapter.index, len(x)).tolist(), strict=True):
            columns = slots.columns[slots.by_language[language]]
            update = adapter.lora_B[:, columns] @ adapter.lora_A[columns]
            rest = (0, self.base.in_features - update.shape[1], 0, self.base.out_features - len(update))
            weight = self.base.weight + nn.functional.pad(update, rest)
            rows.append(nn.functional.linear(row, weight, self.base.bias))
        return torch.stack(rows)


def merged(model: nn.Module, batch: Batch, ranks: Sequence[int]) -> Variant:
    """LSLo by its definition."""
    variant = lslo(model, batch, ranks)
    for name, module in list(model.named_modules()):
        if isinstance(module, LSLo):
            model.set_submodule(name, Merged(module))
    return variant


def peft_single(model: nn.Module, batch: Batch, rank: int) -> Variant:
    """PEFT with one LoRA for all languages."""
    import peft

    peft.get_peft_model(model, _peft_config(model, rank))
    return Variant(TranslationLoss(model, SMOOTHING), _trainable(model), batch)


def peft_mixed(model: nn.Module, batch: Batch, ranks: Sequence[int]) -> Variant:
    """PEFT with an adapter for each language, selected for each row of a batch by its target."""
    import peft

    names = [f"l{number}" for number in range(LANGUAGES)]
    configs = [_peft_config(model, ranks[number % len(ranks)]) for number in range(LANGUAGES)]
    wrapped = peft.get_peft_model(model, configs[0], adapter_name=names[0])
    for name, config in zip(names[1:], configs[1:], strict=True):
        wrapped.add_adapter(name, config)
    wrapped.base_model.set_adapter(names)
    wrapped.eval()  # PEFT refuses rows with different adapters in training mode; dropout is 0 here anyway
    chosen = [names[language] for language in batch.target_language.tolist()]
    around = partial(wrapped.base_model._enable_peft_forward_hooks, adapter_names=chosen)
    return Variant(TranslationLoss(model, SMOOTHING), _trainable(model), batch, around)


def _peft_config(model: nn.Module, rank: int) -> Any:
    import peft

    sites = {id(site_module(model, site)) for site in model_sites(model, SiteSet.ALL)}
    names = [name for name, module in model.named_modules() if id(module) in sites]
    return peft.LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=names)


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def kernels(device: str) -> list[AdapterKernel]:
    """The kernels that run on a device, without ``runs`` on CUDA, which takes thousands of launches."""
    if torch.device(device).type == "cpu":
        return [AdapterKernel.RUNS, AdapterKernel.SORTED, AdapterKernel.MASKED]
    return [AdapterKernel.MASKED, *([AdapterKernel.TRITON] if measure.installed("triton") else [])]


def variants(shape: Shape, device: str) -> dict[str, Callable[[nn.Module], Variant]]:
    """The variants by name, each to be attached to a fresh copy of the base."""
    batch, lang30, many = (new_batch(shape, languages, device) for languages in (LANGUAGES, 30, 100))
    small, large = (2, 2, 8), (2, 2, 64)
    compared = {
        FROZEN: partial(frozen, batch=batch),
        "LSLo 2;2;8": partial(lslo, batch=batch, ranks=small),
        "LSLo 2;2;8, all units": partial(lslo, batch=batch, ranks=small, span=Span.ALL),
        "LSLo 2;2;64": partial(lslo, batch=batch, ranks=large),
        "LSLo 2;2;64, all units": partial(lslo, batch=batch, ranks=large, span=Span.ALL),
        "LSLo 2;2;8;8, 30 languages": partial(lslo, batch=lang30, ranks=(2, 2, 8, 8), languages=30),
        "LSLo 2;2;8, 100 languages": partial(lslo, batch=many, ranks=small, languages=100),
        "full fine-tuning": partial(full, batch=batch),
    }
    if shape.d_model < 256:  # a matrix for every sentence and site is kept for backward
        compared["LSLo 2;2;8, merged by sentence"] = partial(merged, batch=batch, ranks=small)
    if measure.installed("peft"):
        compared["PEFT one LoRA r=8"] = partial(peft_single, batch=batch, rank=8)
        compared["PEFT by language 2;2;8"] = partial(peft_mixed, batch=batch, ranks=small)
    for kernel in kernels(device):
        compared[f"LSLo 2;2;8, {kernel}"] = partial(lslo, batch=batch, ranks=small, kernel=kernel)
        if torch.device(device).type == "cuda":
            compared[f"LSLo 2;2;64, {kernel}"] = partial(lslo, batch=batch, ranks=large, kernel=kernel)
    return compared


def run(shape: str, device: str, dtype: str, repeats: int, only: str = "") -> list[dict[str, Any]]:
    """Measure every variant whose name matches ``only``, a regular expression; the frozen base always.

    A variant that fails leaves its reason.
    """
    size = SHAPES[shape]
    base = new_model(size, device)
    chosen = {
        name: make for name, make in variants(size, device).items() if name == FROZEN or re.search(only, name)
    }
    alone, built, failed = {}, {}, {}
    for name, make in chosen.items():
        try:
            alone[name] = _measure_alone(make, base, device, dtype)
            built[name] = make(twin(base))
        except Exception as error:  # the others still run
            if name == FROZEN:
                raise
            failed[name] = measure.reason(error)
            measure.release()
    steps = {name: partial(variant.step, dtype) for name, variant in built.items()}
    timings = measure.alternate(steps, repeats, device, warm_up=0 if device == "cpu" else 3)
    peak = measure.peak_rate(dtype, device)
    rows = []
    for name, timing in timings.items():
        passes = 3 if name == "full fine-tuning" else 2  # forward, by activations, by weights
        rows.append(
            {
                "variant": name,
                "seconds": timing.median,
                "spread": timing.spread,
                "over frozen": timing.over(timings[FROZEN]),
                "tokens/s": round(2 * size.tokens / timing.median),
                "of peak": passes * size.products / timing.median / peak,
                **alone[name],
                "saved over frozen": alone[name]["saved MiB"] / alone[FROZEN]["saved MiB"],
            }
        )
    return rows + [{"variant": name, "failed": reason} for name, reason in failed.items()]


def _measure_alone(
    make: Callable[[nn.Module], Variant], base: nn.Module, device: str, dtype: str
) -> dict[str, Any]:
    """The trained parameters, their update by Adam and the memory, without other variants in memory.

    ``training MiB`` is the peak of a step and its update: weights, moments, gradients and activations.
    """
    variant = make(twin(base))
    weights = list(variant.objective.parameters())
    trained = sum(parameter.numel() for parameter in variant.parameters)
    saved = measure.saved_bytes(lambda: variant.forward(dtype), weights)
    # A learning rate of 0 leaves the weights, which all variants share, as they are.
    optimizer = torch.optim.Adam(variant.parameters or [torch.zeros(1, device=device)], lr=0.0, fused=True)

    def step_and_update() -> None:
        optimizer.zero_grad()
        variant.forward(dtype).backward()
        optimizer.step()

    step_and_update()
    optimizer.zero_grad()
    moments = [tensor for state in optimizer.state.values() for tensor in state.values()]
    held = sum(tensor.nbytes for tensor in (*weights, *moments))
    training = held + measure.peak_bytes(step_and_update, device)
    update = measure.alternate({"update": optimizer.step}, 3, device, warm_up=0)["update"].median
    variant.objective.zero_grad(set_to_none=True)
    return {
        "trained": trained,
        "update seconds": update if trained else 0.0,
        "saved MiB": saved / 2**20,
        "training MiB": training / 2**20,
    }


def main() -> None:
    flags = measure.parser(__doc__, ("cpu", "world", "615M", "tiny"))
    flags.add_argument("--only", default="", metavar="REGEX", help="variants to compare with the frozen base")
    given = measure.parse(flags)
    rows = run(given.shape, given.device, given.dtype, given.repeats or 5, given.only)
    measure.report(rows, given)
    if not measure.installed("peft"):
        print("PEFT is not installed and was left out: pip install peft")


if __name__ == "__main__":
    main()
