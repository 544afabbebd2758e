"""Refuses to test a run on rows that it was trained on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.data.text import read_text
from lslo_cli.errors import InputError, UsageError
from lslo_cli.recipe import Recipe, recorded
from lslo_cli.tasks.setup import Setup
from lslo_cli.wording import counted


@dataclass(frozen=True)
class TrainedOn:
    """The training text of a run: the recipe that chose it, None if unreadable, and the text's digest.

    The digest is "" for adapters that do not record it.
    """

    recipe: Recipe | None
    digest: str = ""

    @classmethod
    def of(cls, training: Artifact[TrainingResult]) -> TrainedOn:
        """The training text of a training artifact."""
        recipe = recorded(training.recipe)
        split = recipe.data.train if recipe else None
        return cls(recipe, next((text.digest for text in training.data if text.split == split), ""))

    def is_there(self, setup: Setup, split: str) -> bool:
        """Whether ``split`` of the text of ``setup``, divided as for training, is this training text."""
        if self.recipe is None:
            return False
        changes = {"path": setup.recipe.data.path, "train": split}
        data = self.recipe.data.model_copy(update=changes)
        recipe = setup.recipe.model_copy(update={"data": data, "seed": self.recipe.seed})
        with suppress(InputError):
            corpus = read_text(recipe, setup.codes, split)
            corpus = corpus if data.train_rows is None else corpus.limit(data.train_rows)
            return corpus.digest == self.digest
        return False


def check_held_out(setup: Setup, run: str, trained_on: TrainedOn) -> None:
    """Raise UsageError if ``run`` may have been trained on rows that the recipe of ``setup`` tests on.

    Neither the name of the split nor the path matters where the text is the same. The rows that a text holds
    out depend on the whole text, so the training text must still be the same.
    """
    recipe, trained = setup.recipe, trained_on.recipe
    rows = recipe.data.hold_out
    if rows is None:
        if trained_on.is_there(setup, recipe.data.test):
            raise UsageError(
                f"run '{run}' was trained on '{recipe.data.test}' of {recipe.data.path}, or on a copy of it, "
                "which is to test it",
                "name another split with --test, or another text with --data",
            )
        return
    again = f"train it with --hold-out {rows} and --seed {recipe.seed}, or name another text with --test"
    if trained is None or (trained.data.hold_out, trained.seed) != (rows, recipe.seed):
        raise UsageError(
            f"run '{run}' may have been trained on the {counted(rows, 'row')} that --hold-out tests on", again
        )
    if trained_on.digest and not trained_on.is_there(setup, trained.data.train):
        raise UsageError(
            f"the text in {recipe.data.path} is not as run '{run}' was trained on it, so the run may have "
            f"been trained on the {counted(rows, 'row')} that --hold-out now tests on",
            f"restore the text; or {again}",
        )
