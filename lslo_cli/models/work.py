"""The cost of training: parameters, updates and memory, as numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from lslo_cli.method.adapters import Span
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.languages import choose_directions
from lslo_cli.method.memory import MemoryEstimate, estimate_memory
from lslo_cli.method.ranks import SHARED, RankMap, uniform_ranks
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import Index, IndexStrategy
from lslo_cli.recipe import Recipe

FLORES_ROWS = 997
"""Sentences of FLORES-101's dev split."""
PAIR_TOKENS = 48
"""Average tokens of a FLORES sentence pair in a batch of M2M-124: its longer side with padding."""


@dataclass(frozen=True)
class Work:
    """The settings of one stage's training that determine its cost.

    ``ranks`` None is full fine-tuning; ``copies`` is 2 if adapters of both indices are trained;
    ``new_languages`` have a row of the embedding each. ``base_dtype`` is the format of the frozen base, and
    with ``recompute`` activations are computed again in backward.
    """

    epochs: int
    ranks: RankMap | None
    span: Span
    sites: SiteSet = SiteSet.ALL
    schedule: GradualPruning | None = None
    copies: int = 1
    new_languages: tuple[str, ...] = ()
    base_dtype: BaseDtype = BaseDtype.FLOAT32
    recompute: bool = False

    def trainable(self, shape: ModelShape) -> int:
        """Trainable parameters; weight learning adds two weights per layer."""
        if self.ranks is None:
            return shape.parameters
        mixing = 2 * len(shape.layers) if self.copies == 2 else 0
        rows = len(self.new_languages) * shape.d_model
        return self.copies * self.ranks.parameters(shape, self.sites, self.span) + mixing + rows

    def paper_style(self, shape: ModelShape) -> int | None:
        """The paper's count of the adapters' parameters, every matrix as d_model x d_model.

        None if that is the true one: adapters of the first d_model units, and whole models.
        """
        if self.ranks is None or self.span is Span.D_MODEL:
            return None
        return self.copies * self.ranks.parameters(shape, self.sites, Span.D_MODEL)

    def parameters_of(self, code: str, rank: int, shape: ModelShape) -> int:
        """Trainable parameters of one language's adapters, of ``rank``, and, if it is new, of its row."""
        ranks = RankMap({code: rank})
        row = shape.d_model * (code in self.new_languages)
        return self.copies * ranks.parameters(shape, self.sites, self.span) + row

    def memory(self, shape: ModelShape, max_tokens: int) -> MemoryEstimate:
        """The memory of a step on a batch of ``max_tokens`` tokens."""
        trainable = self.trainable(shape)
        if self.ranks is None:
            return estimate_memory(shape, 0, trainable, max_tokens, recompute=self.recompute)
        return estimate_memory(shape, trainable, trainable, max_tokens, self.base_dtype, self.recompute)


@dataclass(frozen=True)
class MemoryChoice:
    """The memory of a step with one choice of the base, with activations kept or recomputed."""

    choice: str
    kept: MemoryEstimate
    recomputed: MemoryEstimate


def memory_choices(work: Work, shape: ModelShape, max_tokens: int) -> tuple[MemoryChoice, ...]:
    """The memory of the same work on a base in every format, and of full fine-tuning."""
    others = {f"{dtype} base": replace(work, base_dtype=dtype) for dtype in BaseDtype} if work.ranks else {}
    others["full fine-tuning"] = Work(work.epochs, None, work.span)
    return tuple(
        MemoryChoice(
            name, *(replace(other, recompute=again).memory(shape, max_tokens) for again in (False, True))
        )
        for name, other in others.items()
    )


def work_of(recipe: Recipe, command: str, ranks: RankMap | None = None) -> Work:
    """The work of ``weight-learn``, ``estimate-subspace``, or ``train`` with ``ranks``."""
    languages = recipe.selected_languages()
    common: dict[str, Any] = {
        "new_languages": tuple(recipe.new_languages),
        "span": recipe.adapters.span,
        "base_dtype": recipe.run.base_dtype,
        "recompute": recipe.run.recompute,
    }
    if command == "weight-learn":
        stage = recipe.weight_learn
        ranks = uniform_ranks(languages, stage.rank)
        return Work(stage.epochs or recipe.fit.epochs, ranks, copies=2, **common)
    if command == "estimate-subspace":
        schedule = recipe.estimation_schedule()
        ranks = uniform_ranks(languages, recipe.estimate_subspace.rank)
        return Work(schedule.epochs, ranks, schedule=schedule, **common)
    schedule = recipe.training_schedule()
    return Work(recipe.fit.epochs, ranks, sites=recipe.train.sites, schedule=schedule, **common)


def batches_of_flores(recipe: Recipe) -> int:
    """Approximate batches of an epoch on FLORES-101's dev split, or its first rows."""
    data = recipe.data
    directions = choose_directions(data.directions, recipe.selected_languages())
    pairs = (data.train_rows or FLORES_ROWS) * len(directions)
    return ceil(pairs * PAIR_TOKENS / recipe.fit.batch_tokens)


def training_facts(recipe: Recipe, work: Work, shape: ModelShape, batches: int) -> list[tuple[str, str]]:
    """Steps, parameters, schedule and memory of one stage. ``batches`` are those of one epoch."""
    updates = ceil(batches / recipe.fit.accumulate)
    trainable = work.trainable(shape)
    size = f"{recipe.fit.accumulate} x {recipe.fit.batch_tokens:,} tokens"
    facts = [
        ("updates", f"{work.epochs} epochs of {updates:,}, each of up to {size}"),
        ("trainable", f"{trainable:,} parameters, {trainable / shape.parameters:.2%} of the base"),
    ]
    if counted := work.paper_style(shape):
        facts.append(("counted as the paper does", f"{counted:,}"))
    if work.ranks:
        facts.append(("sites", f"{work.sites} ({len(shape.sites(work.sites))} matrices)"))
    if work.schedule and work.schedule.target_ratio:
        ratios = ", ".join(f"{work.schedule.ratio_at(epoch):.2f}" for epoch in range(1, work.epochs + 1))
        facts.append(("pruned by epoch", ratios))
    tokens = recipe.fit.batch_tokens
    facts.append(("memory, roughly", describe_memory(work.memory(shape, tokens))))
    return [*facts, *(_described(choice) for choice in memory_choices(work, shape, tokens))]


def _described(choice: MemoryChoice) -> tuple[str, str]:
    """One choice as a fact of a plan."""
    kept, recomputed = (in_binary_units(memory.total) for memory in (choice.kept, choice.recomputed))
    return f"memory, {choice.choice}", f"{kept}, with run.recompute {recomputed}"


def parameters_by_language(
    recipe: Recipe, work: Work, shape: ModelShape
) -> tuple[tuple[str, str, int, int], ...]:
    """A row for every adapter; none for full fine-tuning."""
    if work.ranks is None:
        return ()
    resources = {language.code: str(language.resource) for language in recipe.selected_languages()}
    resources[SHARED] = "all languages"
    return tuple(
        (code, resources[code], rank, work.parameters_of(code, rank, shape))
        for code, rank in work.ranks.by_language.items()
    )


def describe_index(strategy: IndexStrategy, source: str) -> str:
    """The strategy's source, and the layers that are indexed by source."""
    by_source = [str(layer) for layer, index in strategy.by_layer.items() if index is Index.SOURCE]
    return f"{source}; by source: {', '.join(by_source) or 'none'}"


def describe_memory(memory: MemoryEstimate) -> str:
    """The total, and its parts."""
    return (
        f"{in_binary_units(memory.total)}: weights {in_binary_units(memory.weights)}, "
        f"training state {in_binary_units(memory.training_state)}, "
        f"activations {in_binary_units(memory.activations)}, logits {in_binary_units(memory.logits)}"
    )


def in_binary_units(size: int) -> str:
    """A number of bytes in GiB, or in MiB below one GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
