"""Intrinsic subspace estimation: the rank each language needs (paper, sections 4.2, 6.2 and 7.3)."""

from __future__ import annotations

from dataclasses import replace

from lslo_cli.artifacts.results import PrunedTable, SpectrumTable, SubspaceResult
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.allocation import Estimate, allocate
from lslo_cli.method.importance import scores_by_language
from lslo_cli.method.ranks import uniform_ranks
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.models.work import work_of
from lslo_cli.nn.attach import attach
from lslo_cli.nn.pruning import estimation_pruner
from lslo_cli.nn.updates import overlaps, spectra
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.tasks.choices import choose_index, subspace_path
from lslo_cli.tasks.dev_gain import dev_gains, dev_text
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.job import experiment_job, is_kept
from lslo_cli.tasks.setup import Setup
from lslo_cli.tasks.trained_text import check_selected
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.pruning import PruneGradually, sparsity_by_class

KEYS_OF_TRAINING = {"rank", "target_ratio", "start_epoch", "duration", "pool"}
"""The keys of [estimate-subspace] that training depends on, beside epochs, index and directions."""


def estimate_subspace(
    experiment: Experiment, *, resume: bool | None = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Estimate every language's subspace and write ``subspace.json``, or ``subspace-language.json``."""
    section = experiment.recipe.estimate_subspace
    # A schedule that does not fit and directions named twice are refused before a model is loaded.
    experiment.recipe.for_estimation().estimation_schedule()
    stage = f"estimate-{section.pool}"
    path, work = subspace_path(experiment), experiment.folder.checkpoint(stage)
    log = experiment.folder.metrics(stage)

    def check(setup: Setup) -> None:
        choose_index(experiment, section.index, setup.model_identity)

    with experiment_job(
        experiment, path, work=work, log=log, resume=resume, check=check, on_event=on_event
    ) as job:
        index = choose_index(experiment, section.index, job.setup.model_identity, job.setup.on_event)
        job.upstream += index.upstream
        if is_kept(job, reuse) and (current := job.up_to_date(SubspaceResult)):
            return current
        job.setup = resolve_batch_size(job.setup, work_of(experiment.recipe, "estimate-subspace"))
        return job.write(estimate(job.setup, index.value))


def estimate(setup: Setup, strategy: IndexStrategy) -> SubspaceResult:
    """Train equal ranks for all languages, prune their B against each other, and score what is left.

    Of what survived, the singular values are recorded too, how alike languages are and, on dev rows, what
    each language gains by it. Adapters that no sentence selects are left out of pools and measures: they stay
    zero, and would tell of the directions to train on and not of need.
    """
    recipe = setup.recipe.for_estimation()
    setup = replace(setup, recipe=recipe)
    stage = recipe.estimate_subspace
    schedule = recipe.estimation_schedule()
    batches = setup.training_batches()
    ranks, settings = uniform_ranks(setup.languages, stage.rank), recipe.adapter_settings(SiteSet.ALL)
    adapters = attach(setup.base.model, strategy, ranks, setup.codes, settings)
    idle = check_selected(strategy, setup.codes, batches, setup.on_event, compared=True)
    used = adapters.used_b(idle)
    pruner = estimation_pruner(used, stage.pool)

    def sparsity() -> dict[str, float]:
        return sparsity_by_class((matrix for matrix, _ in pruner.counts(used)), setup.languages)

    fit = setup.fit(
        [*adapters.parameters(), *setup.new_rows()],
        batches,
        Optimisation.of(recipe.fit, epochs=schedule.epochs),
        task="subspace estimation",
        route=adapters.route,
        callbacks=[
            PruneGradually(pruner, schedule, sparsity, "this estimate says nothing of them", setup.on_event)
        ],
        depends_on=[stage.model_dump(mode="json", include=KEYS_OF_TRAINING), strategy.as_text()],
    )
    # Read before training, since it may be refused, but after ``fit``: a checkpoint does not depend on it.
    text = dev_text(setup)
    history = fit.run(setup.resume)
    left = pruner.counts(used)
    pruned = [matrix for matrix, _ in left]
    gains = dev_gains(setup, adapters, text, batches.with_pairs)
    sites = {(matrix.site, matrix.language) for matrix in used}
    measured = [each for each in spectra(adapters) if (each.site, each.language) in sites]
    found = Estimate(pruned, stage.target_ratio, measured, gains.by_language, gains.by_fold, setup.codes)
    return SubspaceResult(
        pool=stage.pool,
        rank=stage.rank,
        target_ratio=stage.target_ratio,
        pruned=PrunedTable.of(left),
        scores=scores_by_language(pruned, stage.target_ratio),
        mean_rank=stage.mean_rank,
        ranks=dict(allocate(found, recipe.estimation_budget()).ranks),
        history=history,
        spectra=SpectrumTable.of(found.spectra),
        gains=gains.by_language,
        gains_by_fold=gains.by_fold,
        overlaps=overlaps(adapters),
    )
