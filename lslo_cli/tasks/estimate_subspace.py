"""Intrinsic subspace estimation: the rank each language needs (paper, sections 4.2, 6.2 and 7.3)."""

from __future__ import annotations

from dataclasses import replace

from lslo_cli.artifacts.results import PrunedTable, SpectrumTable, SubspaceResult
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.allocation import Estimate, allocate
from lslo_cli.method.importance import PrunedMatrix, scores_by_language
from lslo_cli.method.ranks import uniform_ranks
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.strategy import IndexStrategy
from lslo_cli.models.work import work_of
from lslo_cli.nn.attach import Adapters, attach
from lslo_cli.nn.pruning import estimation_pruner
from lslo_cli.nn.updates import overlaps, spectra
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.tasks.choices import choose_index, subspace_path
from lslo_cli.tasks.dev_gain import dev_gains, dev_text
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.job import experiment_job, is_kept
from lslo_cli.tasks.setup import Setup, optimisation
from lslo_cli.training.pruning import PruneGradually, sparsity_by_class
from lslo_cli.training.trainer import Callback
from lslo_cli.wording import several


def estimate_subspace(
    experiment: Experiment, *, resume: bool = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Estimate every language's subspace and write ``subspace.json``, or ``subspace-language.json``."""
    section = experiment.recipe.estimate_subspace
    # A schedule that does not fit and directions named twice are refused before a model is loaded.
    experiment.recipe.for_estimation().estimation_schedule()
    stage = f"estimate-{section.pool}"
    path, work = subspace_path(experiment), experiment.folder.checkpoint(stage)
    log = experiment.folder.metrics(stage)
    with experiment_job(experiment, path, work=work, log=log, resume=resume, on_event=on_event) as job:
        index = choose_index(experiment, section.index, job.setup.model_identity, job.setup.on_event)
        job.upstream += index.upstream
        if is_kept(job, reuse) and (current := job.up_to_date(SubspaceResult)):
            return current
        job.setup = resolve_batch_size(job.setup, work_of(experiment.recipe, "estimate-subspace"))
        return job.write(estimate(job.setup, index.value))


def estimate(setup: Setup, strategy: IndexStrategy) -> SubspaceResult:
    """Train equal ranks for all languages, prune their B against each other, and score what is left.

    Of what survived, the singular values are recorded too, how alike languages are and, on dev rows, what
    each language gains by it.
    """
    recipe = setup.recipe.for_estimation()
    setup = replace(setup, recipe=recipe)
    stage = recipe.estimate_subspace
    schedule = recipe.estimation_schedule()
    batches = setup.training_batches()
    adapters = attach(
        setup.base.model,
        strategy,
        uniform_ranks(setup.languages, stage.rank),
        setup.codes,
        kernel=recipe.run.adapter_kernel,
        initialisation=recipe.adapters.initialisation,
        span=recipe.adapters.span,
    )
    pruner = estimation_pruner(adapters, stage.pool)

    def matrices() -> list[tuple[PrunedMatrix, str]]:
        return [(matrix, name) for matrix, name in pruner.counts(adapters) if name == "B"]

    def sparsity() -> dict[str, float]:
        return sparsity_by_class((matrix for matrix, _ in matrices()), setup.languages)

    fit = setup.fit(
        [*adapters.parameters(), *setup.new_rows()],
        batches,
        optimisation(recipe.fit, schedule.epochs, recipe.fit.lr),
        task="subspace estimation",
        route=adapters.route,
        callbacks=[
            _NoteUntrained(adapters, schedule, setup.on_event),
            PruneGradually(pruner, schedule, sparsity),
        ],
        depends_on=[stage.model_dump(mode="json"), strategy.as_text()],
    )
    # Read before training, since it may be refused, but after ``fit``: a checkpoint does not depend on it.
    text = dev_text(setup)
    history = fit.run(setup.resume)
    left = matrices()
    pruned = [matrix for matrix, _ in left]
    gains = dev_gains(setup, adapters, text)
    found = Estimate(pruned, stage.target_ratio, list(spectra(adapters)), gains.by_language, gains.by_fold)
    return SubspaceResult(
        pool=stage.pool,
        rank=stage.rank,
        target_ratio=stage.target_ratio,
        pruned=PrunedTable.of(left),
        scores=scores_by_language(pruned, stage.target_ratio),
        mean_rank=stage.mean_rank,
        ranks=dict(allocate(found, round(stage.mean_rank * len(setup.codes))).ranks),
        history=history,
        spectra=SpectrumTable.of(found.spectra),
        gains=gains.by_language,
        gains_by_fold=gains.by_fold,
        overlaps=overlaps(adapters),
    )


class _NoteUntrained(Callback):
    """Notes that what is ranked has not been trained yet.

    The first update has a learning rate of 0, so all B may still be 0 at the first pruning. Their rank is
    then their position, for good, since what is pruned stays so. Some zeros are no such sign: units that
    never fire have no gradient.
    """

    def __init__(self, adapters: Adapters, schedule: GradualPruning, on_event: OnEvent):
        self._adapters = adapters
        self._schedule = schedule
        self._on_event = on_event

    def before_epoch(self, epoch: int) -> None:
        """Before the first pruning, name the languages of which all B are 0."""
        start = self._schedule.start_epoch
        if epoch != start + 1 or not self._schedule.target_ratio:
            return
        trained = {m.language for m in self._adapters.matrices() if m.name == "B" and m.weight.any()}
        if untrained := [code for code in self._adapters.languages if code not in trained]:
            epochs = max(self._schedule.epochs, start + 1 + self._schedule.duration)
            self._on_event(
                Noted(
                    f"pruning after epoch {start} ranks zeros: the adapters of {several(untrained)} have not "
                    f"been trained yet, so this estimate says nothing of them; prune later, with "
                    f"--start-epoch {start + 1} --epochs {epochs}, or train on more text"
                )
            )
