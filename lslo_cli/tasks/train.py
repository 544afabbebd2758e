"""The final fine-tuning run: routed adapters with gradual pruning, or one of two baselines (section 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import RunFolder
from lslo_cli.artifacts.pending import adopt, pending
from lslo_cli.artifacts.results import PrunedTable, TrainingResult
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, Warned, ignore
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.languages import Direction
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.strategy import Index, IndexStrategy, uniform
from lslo_cli.models.base import check_can_be_known
from lslo_cli.models.work import work_of
from lslo_cli.nn.attach import Adapters, attach, depths
from lslo_cli.nn.pruning import Pruner, gradual_pruner
from lslo_cli.recipe import Keep, Method, PruneTargets, Recipe, TrainSection
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.tasks.choices import Choices, languages_to_prune, note_replaced, run_folder
from lslo_cli.tasks.decoding import note_untested
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.job import ArtifactJob, experiment_job, is_kept
from lslo_cli.tasks.model_card import write_card
from lslo_cli.tasks.quality_curve import QualityCurve
from lslo_cli.tasks.setup import Setup
from lslo_cli.tasks.trained_text import check_selected
from lslo_cli.tasks.weights import save_weights
from lslo_cli.tasks.without_effect import check_effects
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.pruning import PruneGradually, sparsity_by_class
from lslo_cli.training.validation import KeepBest, Validation

PRUNED_MATRICES = {PruneTargets.BOTH: ("A", "B"), PruneTargets.B: ("B",)}


def train(
    experiment: Experiment,
    *,
    run: str | None = None,
    resume: bool | None = False,
    reuse: bool = False,
    on_event: OnEvent = ignore,
) -> Written:
    """Fine-tune and write ``runs/<run>/training.json`` with its weights."""
    experiment.recipe.training_schedule()
    check_run(experiment)
    folder = run_folder(experiment, run)
    work = folder.checkpoint

    choices: Choices

    def check(setup: Setup) -> None:
        nonlocal choices
        run_folder(experiment, run)  # again: it may have waited for another command that trained a run there
        choices = Choices(experiment, setup.model_identity, setup.on_event)
        choices.check()
        trained_directions(setup, choices.ranks.value)

    with experiment_job(
        experiment,
        folder.training,
        work=work,
        log=folder.metrics,
        resume=resume,
        check=check,
        on_event=on_event,
    ) as job:
        index, ranks = choices.index, choices.ranks.value
        job.upstream += choices.upstream
        job.setup.on_main(lambda: _adopt(folder))
        current = _trained(job) if is_kept(job, reuse) else None
        if current:
            job.setup.on_main(lambda: write_card(folder))
            return current
        note_replaced(folder, job.setup)
        note_untested(job.setup)
        note_without_export(job.setup)
        job.setup = resolve_batch_size(job.setup, work_of(experiment.recipe, "train", ranks))
        new = pending(folder.path)
        result = fine_tune(
            job.setup, folder.name, new, ranks, index.value, index.source, choices.pruned.value
        )
        written = job.write(result)
        job.setup.on_main(lambda: _adopt(folder))
        job.setup.on_main(lambda: write_card(folder))
        return written


def note_without_export(setup: Setup) -> None:
    """Tell before a training if its added languages keep the run from being exported as a model."""
    try:
        check_can_be_known(setup.base, setup.recipe.new_languages)
    except UsageError as error:
        setup.on_event(Noted(f"this run will have no merged export: {error.message}; {error.advice}"))


def _adopt(folder: RunFolder) -> None:
    """Move new weights to their place if the run's artifact names them, else remove them."""
    try:
        weights = store.read(folder.training, TrainingResult).result.weights
    except InputError:
        weights = None
    adopt(folder.path, weights)


def _trained(job: ArtifactJob) -> Written | None:
    """The existing run, if it is up to date and its weights are intact."""
    current = job.up_to_date(TrainingResult)
    try:
        if current:
            store.read_tensor_path(job.path, current.artifact.result.weights)
    except InputError:
        return None
    return current


def fine_tune(
    setup: Setup,
    run: str,
    folder: Path,
    ranks: RankMap | None,
    strategy: IndexStrategy | None,
    index_source: str,
    pruned_languages: Sequence[str] | None = None,
) -> TrainingResult:
    """Train one run and write its weights below ``folder``.

    ``ranks`` are by language, the rank of one shared adapter for ``lora``, and None for ``full``; directions
    between languages without adapters have nothing to train and are left out. ``strategy`` is None for
    methods that do not route, and ``index_source`` says where it comes from. ``pruned_languages`` are those
    that an estimate chose for pruning, None if their classes decide.
    """
    recipe, model = setup.recipe, setup.base.model
    section = recipe.train
    check_method(recipe)
    directions = trained_directions(setup, ranks)
    batches = setup.training_batches(directions, adapted_languages(ranks))
    # A shared adapter is the same whichever side selects it.
    strategy = strategy or uniform(Index.SOURCE, *depths(model))
    check_selected(strategy, adapted_languages(ranks), batches, setup.on_event)
    adapters = _attached(setup, strategy, ranks) if ranks else None
    parameters = [*adapters.parameters(), *setup.new_rows()] if adapters else unfrozen(model)
    chosen = languages_to_prune(recipe, ranks, pruned_languages)
    pruner = pruner_of(setup, adapters, chosen)
    route = adapters.route if adapters else None
    dev_loss = setup.dev_loss(route, directions)
    schedule = replace(recipe.training_schedule(), target_ratio=section.ratio if chosen else 0.0)
    if section.ratio and not chosen:
        setup.on_event(Warned(_nobody_note(section, pruned_languages)))
    keep = _keep_best(recipe, dev_loss, parameters, schedule)
    curve = QualityCurve(setup, route) if section.curve_rows else None
    sparsity = partial(_sparsity, setup, pruner, adapters)
    pruning = PruneGradually(pruner, schedule, sparsity, on_event=setup.on_event)
    fit = setup.fit(
        parameters,
        batches,
        Optimisation.of(recipe.fit, lr=recipe.fit.lr if adapters else recipe.fit.lr_full),
        task=f"training {run}",
        route=route,
        callbacks=[each for each in (pruning, dev_loss, keep, curve) if each],
        depends_on=[
            # What ranks and chosen are says more than the file that they are from.
            TrainingResult.as_read(recipe).train.model_dump(mode="json", exclude={"subspace"}),
            strategy.as_text(),
            ranks.by_language if ranks else {},
            chosen,
            recipe.evaluate.model_dump(mode="json") if curve else {},
        ],
    )
    history = fit.run(setup.resume)
    if keep:
        keep.restore()
    pruned = PrunedTable.of(pruner.counts(adapters.matrices()) if adapters else [])
    work = work_of(recipe, "train", ranks)
    by_layer = strategy.by_layer.items() if section.method is Method.LSLO else ()
    trainable = sum(parameter.numel() for parameter in parameters)
    return TrainingResult(
        run=run,
        index={str(layer): side for layer, side in by_layer},
        index_source=index_source,
        ranks=dict(ranks.by_language) if ranks else {},
        new_languages=recipe.new_languages,
        **_settings(setup, chosen, schedule.target_ratio),
        trainable_parameters=trainable,
        trainable_parameters_paper_style=work.paper_style(setup.model_identity.shape),
        nonzero_parameters=trainable - sum(matrix.pruned for matrix in pruned.matrices()),
        pruned=pruned,
        history=history,
        dev_losses=dev_loss.losses if dev_loss else [],
        kept_epoch=keep.epoch if keep else None,
        curve=curve.result() if curve else None,
        weights=save_weights(setup, folder, adapters, strategy, ranks),
        skipped_sentences=batches.skipped,
    )


def _attached(setup: Setup, strategy: IndexStrategy, ranks: RankMap) -> Adapters:
    """The adapters of a run on its base model."""
    settings = setup.recipe.adapter_settings(setup.recipe.train.sites)
    return attach(setup.base.model, strategy, ranks, setup.codes, settings)


def _keep_best(
    recipe: Recipe, dev_loss: Validation | None, parameters: list[nn.Parameter], schedule: GradualPruning
) -> KeepBest | None:
    """What keeps the epoch of the lowest loss among those pruned to the end; None if the last is kept."""
    if recipe.train.keep is not Keep.BEST or dev_loss is None:
        return None
    final = schedule.ratio_at(recipe.fit.epochs)
    return KeepBest(dev_loss, parameters, lambda epoch: schedule.ratio_at(epoch) == final)


def _sparsity(setup: Setup, pruner: Pruner, adapters: Adapters | None) -> dict[str, float]:
    """The pruned fraction of the prunable matrices of each class."""
    prunable = PRUNED_MATRICES[setup.recipe.train.prune_targets]
    counts = pruner.counts(adapters.matrices()) if adapters else []
    return sparsity_by_class((each for each, name in counts if name in prunable), setup.languages)


def check_run(experiment: Experiment) -> None:
    """Raise UsageError for settings that the method does not support, and for typed ones without effect."""
    check_method(experiment.recipe)
    check_effects(experiment)


def check_method(recipe: Recipe) -> None:
    """Raise UsageError for settings that the method does not support.

    Pruning by language needs language-specific adapters, choosing an epoch needs dev rows, a base model in
    fewer bits has to stay frozen, and a new language needs adapters of any kind, since only its embedding row
    is saved.
    """
    if recipe.train.ratio > 0 and recipe.train.method is not Method.LSLO:
        raise UsageError(
            f"--gps {recipe.train.ratio:g} prunes by language, which --method {recipe.train.method} has no "
            "adapters for",
            "leave out --gps, or use --method lslo",
        )
    if recipe.train.method is Method.FULL and recipe.run.base_dtype is not BaseDtype.FLOAT32:
        raise UsageError(
            f"run.base_dtype {recipe.run.base_dtype} is for a base model that stays frozen, and "
            "--method full trains all of it",
            "leave out run.base_dtype, or use --method lslo or lora",
        )
    if recipe.train.keep is Keep.BEST and not recipe.data.dev_rows:
        raise UsageError(
            "--keep best chooses the epoch by the loss on dev rows, but there are none",
            "hold some out of the training text: --dev-rows 20",
        )
    if recipe.new_languages and recipe.train.method is Method.FULL:
        raise UsageError(
            f"--add-lang {','.join(recipe.new_languages)} leaves the base model unchanged, and --method full "
            "trains all of it",
            "use --method lslo, which leaves the other languages alone, or --method lora",
        )


def adapted_languages(ranks: RankMap | None) -> tuple[str, ...]:
    """The languages with adapters of their own: none if one adapter is shared, or without adapters."""
    return () if ranks is None or SHARED in ranks.by_language else tuple(ranks.by_language)


def trained_directions(setup: Setup, ranks: RankMap | None) -> list[Direction]:
    """The directions to train on: only those from or to a language with an adapter.

    Raises UsageError if a language with an adapter is in none.
    """
    adapted = set(adapted_languages(ranks))
    if not adapted:
        return list(setup.training_directions)
    chosen = [each for each in setup.training_directions if adapted & {each.src, each.tgt}]
    if idle := adapted - {code for each in chosen for code in (each.src, each.tgt)}:
        raise UsageError(
            f"no direction to train on is from or to {', '.join(sorted(idle))}",
            "leave these languages out of --langs, or add directions to --directions",
        )
    return chosen


def unfrozen(model: nn.Module) -> list[nn.Parameter]:
    """All parameters of a model, made trainable."""
    return list(model.requires_grad_(True).parameters())


def pruner_of(setup: Setup, adapters: Adapters | None, languages: Sequence[str]) -> Pruner:
    """Gradual pruning by the recipe; without pools if nothing is to be pruned."""
    if adapters is None:
        return Pruner(())
    return gradual_pruner(adapters, languages, PRUNED_MATRICES[setup.recipe.train.prune_targets])


def _nobody_note(section: TrainSection, by_estimate: Sequence[str] | None) -> str:
    """A note that a run with a ratio prunes nobody, and why."""
    if by_estimate is None:
        return (
            "nobody is pruned: no language with adapters is in --gps-classes "
            f"{','.join(section.gps_classes) or 'none'}"
        )
    return "nobody is pruned: by the estimate no language with adapters needs less than the others"


def _settings(setup: Setup, pruned_languages: Sequence[str], target_ratio: float) -> dict[str, Any]:
    """The settings that the artifact repeats from the recipe, so that it can be read alone."""
    section = setup.recipe.train
    return {
        "method": section.method,
        "sites": section.sites,
        "span": setup.recipe.adapters.span,
        "target_ratio": target_ratio,
        "start_epoch": section.gps_start,
        "duration": section.gps_duration,
        "pruned_languages": list(pruned_languages),
        "prune_targets": section.prune_targets,
    }
