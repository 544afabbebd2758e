"""What a command would do: everything checked, nothing written (``--dry-run``)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lslo_cli.method.memory import estimate_memory
from lslo_cli.method.ranks import SHARED, RankMap, uniform_ranks
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.recipe import Method, Recipe


@dataclass(frozen=True)
class Plan:
    """What would happen: facts as (label, value), parameters as (language, resource, rank, trainable), files."""

    title: str
    facts: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str, int, int], ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Work:
    """One stage's training, as far as its cost depends on it. ``copies`` is 2 where both indices are trained."""

    method: Method
    ranks: RankMap
    sites: SiteSet
    epochs: int
    schedule: GradualPruning | None = None
    copies: int = 1

    def trainable(self, shape: ModelShape) -> int:
        """Trainable parameters; weight learning adds two weights per layer."""
        if self.method is Method.FULL:
            return shape.parameters
        mixing = 2 * len(shape.layers) if self.copies == 2 else 0
        return self.copies * self.ranks.parameters(shape, self.sites) + mixing


def work_of(recipe: Recipe, command: str, ranks: RankMap | None) -> Work | None:
    """What ``command`` would train, or None where it trains nothing. ``ranks`` are those of ``train``."""
    languages = recipe.selected_languages()
    if command == "weight-learn":
        stage = recipe.weight_learn
        epochs = stage.epochs or recipe.fit.epochs
        return Work(Method.LSLO, uniform_ranks(languages, stage.rank), SiteSet.ALL, epochs, copies=2)
    if command == "estimate-subspace":
        schedule = recipe.estimation_schedule()
        ranks = uniform_ranks(languages, recipe.estimate_subspace.rank)
        return Work(Method.LSLO, ranks, SiteSet.ALL, schedule.epochs, schedule)
    if command == "train" and ranks:
        return Work(recipe.train.method, ranks, recipe.train.sites, recipe.fit.epochs, recipe.training_schedule())
    return None


def training_facts(recipe: Recipe, work: Work, shape: ModelShape, batches: int) -> tuple[tuple[str, str], ...]:
    """Steps, parameters, schedule and memory of one stage. ``batches`` are those of one epoch."""
    updates = ceil(batches / recipe.fit.accumulate)
    trainable = work.trainable(shape)
    extra = 0 if work.method is Method.FULL else trainable
    memory = estimate_memory(shape, extra, trainable, recipe.fit.max_tokens)
    facts = [
        ("updates", f"{work.epochs} epochs of {updates:,}, each of up to {recipe.fit.accumulate} x "
                    f"{recipe.fit.max_tokens:,} tokens"),
        ("trainable", f"{trainable:,} parameters, {trainable / shape.parameters:.2%} of the base"),
    ]
    if work.method is not Method.FULL:
        counted = work.copies * work.ranks.parameters_paper_style(shape, work.sites)
        facts.append(("counted as the paper does", f"{counted:,}"))
        facts.append(("sites", f"{work.sites} ({len(shape.sites(work.sites))} matrices)"))
    if work.schedule and work.schedule.target_ratio:
        ratios = ", ".join(f"{work.schedule.ratio_at(epoch):.2f}" for epoch in range(1, work.epochs + 1))
        facts.append(("pruned by epoch", ratios))
    facts.append(("memory, roughly", f"{memory.total / 2**30:.1f} GiB: weights {memory.weights / 2**30:.1f}, training "
                                     f"state {memory.training_state / 2**30:.1f}, activations "
                                     f"{memory.activations / 2**30:.1f}, logits {memory.logits / 2**30:.1f}"))
    return tuple(facts)


def parameters_by_language(recipe: Recipe, work: Work, shape: ModelShape) -> tuple[tuple[str, str, int, int], ...]:
    """A row for every adapter; none for full fine-tuning."""
    if work.method is Method.FULL:
        return ()
    resources = {language.code: str(language.resource) for language in recipe.selected_languages()}
    return tuple(
        (code, resources.get(code, "all languages" if code == SHARED else ""), rank,
         work.copies * RankMap({code: rank}).parameters(shape, work.sites))
        for code, rank in work.ranks.by_language.items()
    )


def describe_index(strategy: IndexStrategy, source: str) -> str:
    """The layers that are indexed by source, and where the strategy comes from."""
    by_source = [str(layer) for layer, index in strategy.by_layer.items() if index == "source"]
    return f"{source}; by source: {', '.join(by_source) or 'none'}"
