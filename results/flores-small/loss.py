"""Loss per token on the test text, by group of directions, of the base and of every run.

    LSLO_RECIPE=... LSLO_MODEL=... LSLO_DATA=... LSLO_RESULTS=... python results/flores-small/loss.py

It sees differences between models whose translations are too poor for spBLEU to tell them apart. The
environment is the one that ``study.py --dry-run`` prints; the result is ``loss.json`` beside the artifacts.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.method.languages import grouping, groups
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.nn.route import Route
from lslo_cli.recipe import Recipe, resolve
from lslo_cli.tasks.setup import Setup, prepare
from lslo_cli.tasks.weights import load_weights


def main() -> None:
    """Measure all runs of the experiment and write what was found."""
    recipe = resolve(os.environ["LSLO_RECIPE"], {}, sys.argv[1:])
    folder = ExperimentFolder(Path(os.environ["LSLO_RESULTS"], recipe.experiment))
    losses = {run.name: measured(recipe, run) for run in [folder.run(BASE_RUN), *folder.trained_runs()]}
    text = {"split": recipe.data.test, "rows": recipe.data.test_rows}
    (folder.path / "loss.json").write_text(json.dumps({"text": text, "loss": losses}, indent=1) + "\n")


def measured(recipe: Recipe, run: RunFolder) -> dict[str, float]:
    """The loss of a run by group, and its average over groups weighted by their directions."""
    setup = prepare(recipe)
    route = None
    if run.name != BASE_RUN:
        training = store.read(run.training, TrainingResult).result
        route = load_weights(setup, training, run.path / training.weights.path)
    names = list(map(grouping(setup.languages), setup.directions))
    by_group = {name: loss(setup, route, name) for name in groups(setup.languages) if name in names}
    return by_group | {"AVG": sum(by_group[name] for name in names) / len(names)}


@torch.no_grad()
def loss(setup: Setup, route: Route | None, name: str) -> float:
    """Mean negative log-likelihood per target token in the directions of a group, in nats."""
    recipe = setup.recipe
    group_of = grouping(setup.languages)
    directions = [direction for direction in setup.directions if group_of(direction) == name]
    batches = setup.batches(setup.read(recipe.data.test, recipe.data.test_rows), directions)
    objective = TranslationLoss(setup.base.model, smoothing=0.0).eval()
    total, tokens = 0.0, 0
    for batch in batches.batches(1):
        languages = route.of(batch.source_language, batch.target_language) if route else nullcontext()
        with languages, setup.accelerator.autocast():
            total += float(objective(batch.to(setup.accelerator.device)))
        tokens += batch.tokens
    return total / tokens


if __name__ == "__main__":
    main()
