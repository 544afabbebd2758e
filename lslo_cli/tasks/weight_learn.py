"""Weight learning: which side selects the adapters of each layer (paper, sections 4.1 and 6.1)."""

from __future__ import annotations

from typing import Any

from lslo_cli.artifacts.results import IndexStrategyResult, LearnedWeights
from lslo_cli.errors import RunError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.sites import Layer, SiteSet
from lslo_cli.method.strategy import LayerWeights
from lslo_cli.models.work import work_of
from lslo_cli.nn.attach import MixedAdapters, attach_mixture
from lslo_cli.tasks.batch_size import resolve_batch_size
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.job import experiment_job, is_kept
from lslo_cli.tasks.setup import Setup
from lslo_cli.training.optimisation import Optimisation
from lslo_cli.training.trainer import Callback
from lslo_cli.wording import counted


def weight_learn(
    experiment: Experiment, *, resume: bool | None = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Learn the index strategy and write ``index-strategy.json``.

    An artifact that is up to date is returned as it is with ``reuse``, and with ``resume`` unless there is an
    interrupted training to continue.
    """
    path, work = experiment.folder.index_strategy, experiment.folder.checkpoint("weight-learn")
    log = experiment.folder.metrics("weight-learn")
    with experiment_job(experiment, path, work=work, log=log, resume=resume, on_event=on_event) as job:
        if is_kept(job, reuse) and (current := job.up_to_date(IndexStrategyResult)):
            return current
        job.setup = resolve_batch_size(job.setup, work_of(experiment.recipe, "weight-learn"))
        return job.write(learn_weights(job.setup))


def learn_weights(setup: Setup) -> IndexStrategyResult:
    """Train both adapters of every site with eq. 5, and take the side of larger weight in each layer."""
    recipe = setup.recipe
    batches = setup.training_batches()
    settings = recipe.adapter_settings(SiteSet.ALL)
    adapters = attach_mixture(setup.base.model, recipe.weight_learn.rank, setup.codes, settings)
    trajectory = _Trajectory(adapters)
    epochs = recipe.weight_learn.epochs or recipe.fit.epochs
    fit = setup.fit(
        [*adapters.parameters(), *setup.new_rows()],
        batches,
        Optimisation.of(recipe.fit, epochs=epochs),
        task="weight learning",
        route=adapters.route,
        callbacks=[trajectory],
        depends_on=recipe.weight_learn.rank,
    )
    history = fit.run(setup.resume)
    if all(pair.source_weight == pair.target_weight for pair in read_weights(adapters).values()):
        updates = sum(epoch.updates for epoch in history)
        raise RunError(
            f"weight learning learned nothing: after {counted(updates, 'update')} "
            "source and target have the same weight in every layer",
            "train on more text or for more epochs; without it, training takes the paper's index",
        )
    return IndexStrategyResult(
        rank=recipe.weight_learn.rank,
        layers=[
            LearnedWeights(
                layer=str(layer),
                source_weight=pair.source_weight,
                target_weight=pair.target_weight,
                index=pair.index,
            )
            for layer, pair in read_weights(adapters).items()
        ],
        trajectory=trajectory.source_weights,
        history=history,
    )


def read_weights(adapters: MixedAdapters) -> dict[Layer, LayerWeights]:
    """The weights of every layer after softmax."""
    return {
        layer: LayerWeights(*(weight.item() for weight in weighting()))
        for layer, weighting in adapters.weightings.items()
    }


class _Trajectory(Callback):
    """Records every layer's source weight after each epoch."""

    def __init__(self, adapters: MixedAdapters):
        self._adapters = adapters
        self.source_weights: list[list[float]] = []

    def after_epoch(self, epoch: int) -> None:
        self.source_weights.append([pair.source_weight for pair in read_weights(self._adapters).values()])

    def metrics(self) -> dict[str, float]:
        pairs = read_weights(self._adapters).items()
        return {f"source_weight/{layer}": pair.source_weight for layer, pair in pairs}

    def state_dict(self) -> dict[str, Any]:
        return {"source_weights": self.source_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source_weights[:] = state["source_weights"]
