"""Intrinsic subspace estimation: how much room each language needs (paper, sections 4.2, 6.2 and 7.3)."""

from __future__ import annotations

from lslo_cli.artifacts.results import PrunedTable, SubspaceResult
from lslo_cli.method.importance import scores_by_language
from lslo_cli.method.ranks import ranks_from_estimate, uniform_ranks
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.nn.attach import attach
from lslo_cli.nn.pruning import estimation_pruner
from lslo_cli.stages.pruning import PruneGradually
from lslo_cli.stages.setup import Setup, optimisation


def estimate_subspace(setup: Setup, strategy: IndexStrategy) -> SubspaceResult:
    """Train equal ranks for all languages, prune their B against each other, and score what is left."""
    recipe = setup.recipe
    stage = recipe.estimate_subspace
    schedule = recipe.estimation_schedule()
    batches = setup.training_batches()
    ranks, kernel = uniform_ranks(setup.languages, stage.rank), recipe.run.adapter_kernel
    adapters = attach(
        setup.base.model,
        strategy,
        ranks,
        setup.codes,
        kernel=kernel,
        initialisation=recipe.adapters.initialisation,
    )
    pruner = estimation_pruner(adapters, stage.pool)
    fit = setup.fit(
        [*adapters.parameters(), *setup.new_rows()],
        batches,
        optimisation(recipe.fit, schedule.epochs, recipe.fit.lr),
        task="subspace estimation",
        route=adapters.route,
        callbacks=[PruneGradually(pruner, schedule)],
        depends_on=[stage.model_dump(mode="json"), strategy.as_text()],
    )
    history = fit.run(setup.resume)
    matrices = [(matrix, name) for matrix, name in pruner.counts(adapters) if name == "B"]
    pruned = [matrix for matrix, _ in matrices]
    return SubspaceResult(
        pool=stage.pool,
        rank=stage.rank,
        target_ratio=stage.target_ratio,
        pruned=PrunedTable.of(matrices),
        scores=scores_by_language(pruned, stage.target_ratio),
        mean_rank=stage.mean_rank,
        ranks=dict(ranks_from_estimate(pruned, stage.mean_rank).by_language),
        history=history,
    )
