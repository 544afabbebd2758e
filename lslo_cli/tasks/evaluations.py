"""Where a run's evaluations are kept: a partial evaluation never replaces a larger one."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import EvaluationFolder, RunFolder
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.data.splits import with_splits
from lslo_cli.errors import InputError
from lslo_cli.method.languages import choose_directions
from lslo_cli.recipe import EvaluateSection, Recipe, recorded

NAMED = 3
"""The most directions that the name of an evaluation lists."""


@dataclass(frozen=True)
class Extent:
    """The scope of an evaluation: its directions, the rows of each section, None for all, and the search.

    ``rest`` is a digest over text and search.
    """

    directions: frozenset[str]
    rows: int | None
    rest: str

    @classmethod
    def of(cls, recipe: Recipe) -> Extent:
        """The extent of a recipe's evaluation. Raises UsageError for a direction outside the experiment."""
        recipe = with_splits(recipe)
        data, section = recipe.data, recipe.evaluate
        chosen = choose_directions(section.directions, recipe.selected_languages())
        seed = None if data.hold_out is None else recipe.seed
        # By whatever metrics they are scored, translations are the same. The default ones stay in the digest:
        # the folders that are there are named by it.
        search = section.model_dump(mode="json", exclude={"directions", "max_tokens"})
        search["metrics"] = EvaluateSection().model_dump(mode="json")["metrics"]
        rest = digest_of([data.path, data.test, data.hold_out, seed, data.max_length, search])
        return cls(frozenset(map(str, chosen)), data.test_rows, rest[:8])

    @property
    def name(self) -> str:
        """The name of its folder, such as ``en-fr+en-wo.rows-100.1f2e3d4c``."""
        named = sorted(self.directions)
        of_directions = "+".join(named) if len(named) <= NAMED else f"{len(named)}-directions"
        rows = "all-rows" if self.rows is None else f"rows-{self.rows}"
        return f"{of_directions}.{rows}.{digest_of([named, self.rest])[:8]}"

    def covers(self, other: Extent) -> bool:
        """Whether the other is a part of this one."""
        enough = self.rows is None or (other.rows is not None and other.rows <= self.rows)
        return self.rest == other.rest and self.directions >= other.directions and enough


def place(run: RunFolder, recipe: Recipe) -> EvaluationFolder:
    """Where a recipe's evaluation is, or will be.

    That is the run's folder itself, unless a larger evaluation is there.
    """
    there, asked = _extent_there(run), Extent.of(recipe)
    is_part = there is not None and there != asked and there.covers(asked)
    return run.part(asked.name) if is_part else run.whole


def bring_back(run: RunFolder, recipe: Recipe) -> None:
    """Move a recipe's evaluation back into the run's folder, if another took its place."""
    kept = run.part(Extent.of(recipe).name)
    if place(run, recipe) == run.whole and kept.evaluation.is_file():
        keep(run, recipe)
        _move(kept, run.whole)


def keep(run: RunFolder, recipe: Recipe) -> None:
    """Move another evaluation out of the run's folder to its own name, before a recipe's is written there."""
    there = _extent_there(run)
    if there is not None and there != Extent.of(recipe):
        _move(run.whole, run.part(there.name))


def _extent_there(run: RunFolder) -> Extent | None:
    """The extent of the evaluation in the run's own folder; None if there is no readable one."""
    try:
        recipe = recorded(store.read(run.evaluation, EvaluationResult).recipe)
    except InputError:
        return None
    return None if recipe is None else Extent.of(recipe)


def _move(old: EvaluationFolder, new: EvaluationFolder) -> None:
    """Move an evaluation with its texts; the artifact arrives last and leaves last."""
    artifact = store.read(old.evaluation, EvaluationResult)
    for before, after in zip(old.texts, new.texts, strict=True):
        if before.is_dir():  # else an interrupted move has moved it already
            shutil.rmtree(after, ignore_errors=True)
            after.parent.mkdir(parents=True, exist_ok=True)
            before.replace(after)
    inputs = [
        item.model_copy(update={"path": os.path.relpath(old.path / item.path, new.path)})
        for item in artifact.inputs
    ]
    store.write(new.evaluation, artifact.model_copy(update={"inputs": inputs}))
    old.evaluation.unlink()
