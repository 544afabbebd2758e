"""The final fine-tuning run: routed adapters with gradual pruning, or one of two baselines (section 6.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lslo_cli.artifacts.provenance import digest_of_file
from lslo_cli.artifacts.schema import Curve, CurvePoint, PrunedTable, TensorFile, TrainingResult
from lslo_cli.artifacts.store import replacing
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import ignore
from lslo_cli.fit import Callback
from lslo_cli.method.languages import Direction, Resource, group
from lslo_cli.method.ranks import SHARED, RankMap
from lslo_cli.method.sites import Layer, SiteSet
from lslo_cli.method.statistics import group_means
from lslo_cli.method.strategy import Index, IndexStrategy, uniform
from lslo_cli.mt.base import save_base
from lslo_cli.nn.attach import Adapters, attach
from lslo_cli.nn.pruning import gradual_pruner
from lslo_cli.nn.route import Route
from lslo_cli.recipe import Method, PruneTargets, Recipe
from lslo_cli.stages.pruning import PruneGradually
from lslo_cli.stages.setup import Setup, optimisation
from lslo_cli.stages.translation import open_metric, score_directions, sources_and_references, translate_all

PRUNED_MATRICES = {PruneTargets.BOTH: ("A", "B"), PruneTargets.B: ("B",)}


def train(
    setup: Setup, run: str, strategy: IndexStrategy | None, index_source: str, ranks: RankMap, folder: Path
) -> TrainingResult:
    """Train one run and write its weights below ``folder``: an adapter, or a whole model for ``full``.

    ``strategy`` is None for the methods that do not route; ``ranks`` are those of :func:`trained_ranks`. Raises UsageError for settings that exclude each other.
    """
    recipe = setup.recipe
    section = recipe.train
    schedule = recipe.training_schedule()
    check_method(recipe)
    batches = setup.training_batches()
    model = setup.base.model
    shape = setup.model_identity.shape
    callbacks: list[Callback] = []
    adapters, pruner = None, None
    pruned_languages = pruned_codes(setup)
    # One LoRA for all languages is the same whichever side would select it.
    strategy = strategy or uniform(Index.SOURCE, shape.encoder_layers, shape.decoder_layers)
    if section.method is Method.FULL:
        model.requires_grad_(True)
        parameters, lr = list(model.parameters()), recipe.fit.lr_full
    else:
        adapters = attach(model, strategy, ranks, setup.codes, section.sites)
        pruner = gradual_pruner(adapters, pruned_languages, PRUNED_MATRICES[section.prune_targets])
        parameters, lr = adapters.parameters(), recipe.fit.lr
        callbacks.append(PruneGradually(pruner, schedule))
    route = adapters.route if adapters else None
    curve = QualityCurve(setup, route) if section.curve_rows else None
    if curve:
        callbacks.append(curve)
    fit = setup.fit(
        parameters,
        batches,
        optimisation(recipe.fit, recipe.fit.epochs, lr),
        task=f"training {run}",
        route=route,
        callbacks=callbacks,
        depends_on=[section.model_dump(mode="json"), strategy.as_text(), dict(ranks.by_language)],
    )
    history = fit.run(setup.resume)
    pruned = PrunedTable.of(pruner.counts(adapters)) if adapters and pruner else PrunedTable(rows=[])
    trainable = sum(parameter.numel() for parameter in parameters)
    return TrainingResult(
        run=run,
        method=section.method,
        index=strategy.as_text() if adapters else {},
        index_source=index_source,
        ranks=dict(ranks.by_language) if adapters else {},
        sites=section.sites,
        target_ratio=schedule.target_ratio,
        start_epoch=schedule.start_epoch,
        duration=schedule.duration,
        pruned_languages=pruned_languages,
        prune_targets=section.prune_targets,
        trainable_parameters=trainable,
        trainable_parameters_paper_style=ranks.parameters_paper_style(shape, section.sites) if adapters else None,
        nonzero_parameters=trainable - sum(matrix.pruned for matrix in pruned.matrices()),
        pruned=pruned,
        history=history,
        curve=curve.result() if curve else None,
        weights=_save(setup, adapters, folder, strategy, ranks),
        skipped_sentences=batches.skipped,
    )


def trained_ranks(recipe: Recipe, ranks: RankMap) -> RankMap:
    """The ranks that a method uses: by language for LSLo, one shared adapter for LoRA."""
    if recipe.train.method is Method.LORA:
        sizes = set(ranks.by_language.values())
        if len(sizes) != 1:
            raise UsageError(
                "one LoRA for all languages has one rank, but --ranks gives several", "give one, such as --ranks 8"
            )
        return RankMap({SHARED: sizes.pop()})
    return ranks


def check_method(recipe: Recipe) -> None:
    """Raise UsageError where pruning by language is asked of a method that has no adapters by language."""
    if recipe.train.gps > 0 and recipe.train.method is not Method.LSLO:
        raise UsageError(
            f"--gps {recipe.train.gps:g} prunes by language, which --method {recipe.train.method} has no adapters for",
            "leave out --gps, or use --method lslo",
        )


def pruned_codes(setup: Setup) -> list[str]:
    """The languages that gradual pruning prunes: those of the classes in ``gps_classes``; none at ratio 0."""
    section = setup.recipe.train
    classes: tuple[Resource, ...] = section.gps_classes if section.gps > 0 else ()
    return [language.code for language in setup.languages if language.resource in classes]


def load_run(setup: Setup, result: TrainingResult, weights: Path) -> Route | None:
    """Put a trained run on the freshly loaded base of ``setup``; returns its route, None after full fine-tuning.

    Raises InputError where the weights do not fit what the result describes.
    """
    state = load_file(weights)
    if result.method == Method.FULL:
        _load_full(setup.base.model, state, weights)
        return None
    adapters = attach(
        setup.base.model, strategy_of(result), RankMap(result.ranks), setup.codes, SiteSet(result.sites)
    )
    try:
        adapters.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{weights} does not fit its training artifact: {error}", "train the run again") from None
    return adapters.route


def strategy_of(result: TrainingResult) -> IndexStrategy:
    """The index strategy that a run was trained with."""
    return IndexStrategy({Layer.parse(layer): index for layer, index in result.index.items()})


def _load_full(model: nn.Module, state: Mapping[str, torch.Tensor], weights: Path) -> None:
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = {name for name in missing if name.endswith(("embed_tokens.weight", "lm_head.weight"))}
    if set(missing) - tied or unexpected:
        raise InputError(f"{weights} holds another model than its training artifact says", "train the run again")


def _save(
    setup: Setup, adapters: Adapters | None, folder: Path, strategy: IndexStrategy, ranks: RankMap
) -> TensorFile:
    if adapters is None:
        path = save_base(setup.base, folder / "model").folder / "model.safetensors"
    else:
        path = folder / "adapter" / "adapter_model.safetensors"
        with replacing(path) as temporary:
            save_file({name: tensor.cpu().contiguous() for name, tensor in adapters.state_dict().items()}, temporary)
        config = _adapter_config(setup, strategy, ranks)
        with replacing(path.with_name("adapter_config.json")) as temporary:
            temporary.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return TensorFile(path=path.relative_to(folder).as_posix(), digest=digest_of_file(path))


def _adapter_config(setup: Setup, strategy: IndexStrategy, ranks: RankMap) -> dict[str, Any]:
    """What a reader of the adapter folder alone needs to use it."""
    return {
        "base_model_name_or_path": setup.base.identity.name,
        "base_model_digest": setup.base.identity.digest,
        "languages": list(setup.codes),
        "ranks": dict(ranks.by_language),
        "index": strategy.as_text(),
        "sites": str(setup.recipe.train.sites),
    }


class QualityCurve(Callback):
    """spBLEU of some groups on a fixed sample of the test split, before training and after each epoch (figure 3)."""

    def __init__(self, setup: Setup, route: Route | None):
        recipe = setup.recipe
        groups = recipe.train.curve_groups
        corpus = setup.corpus(recipe.data.test, recipe.train.curve_rows)
        directions: list[Direction] = [d for d in setup.directions if group(d, setup.languages) in groups]
        if not directions:
            raise UsageError(
                f"no direction lies in the groups {', '.join(groups)}", "name others with --set train.curve_groups"
            )
        self._sources, self._references = sources_and_references(corpus, directions)
        self._setup = setup
        self._route = route
        self._metric = open_metric(setup)
        self._signature = ""
        self._points: list[CurvePoint] = []

    def before_epoch(self, epoch: int) -> None:
        if epoch == 1 and not self._points:
            self._measure(0)

    def after_epoch(self, epoch: int) -> None:
        self._measure(epoch)

    def result(self) -> Curve:
        return Curve(rows=self._setup.recipe.train.curve_rows, signature=self._signature, points=self._points)

    def state_dict(self) -> dict[str, Any]:
        return {"points": [point.model_dump() for point in self._points], "signature": self._signature}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._points[:] = [CurvePoint.model_validate(point) for point in state["points"]]
        self._signature = state["signature"]

    def _measure(self, epoch: int) -> None:
        hypotheses = translate_all(self._setup, self._sources, self._route, "quality curve", ignore)
        scores = score_directions(self._metric, hypotheses, self._references)
        self._signature = next(iter(scores.values())).signature
        spbleu = {direction: score.spbleu for direction, score in scores.items()}
        self._points.append(CurvePoint(epoch=epoch, spbleu=group_means(spbleu, self._setup.languages)))
