"""What can be reproduced: a recipe, which may be a table or figure of the paper, or a group of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.languages import resource_classes
from lslo_cli.recipe import BaseSection, FlareSection, Recipe, ReproduceSection, recipe_names, resolve
from lslo_cli.reproduce.rows import NAME

GROUPS = {"tables": ("table-",), "figures": ("figure-",), "all": ("table-", "figure-")}
"""Words for several targets, and how the names of their recipes begin."""


@dataclass(frozen=True)
class Target:
    """What is ``wanted``, and the recipe it is made of with everything that was given beside it."""

    name: str
    wanted: ReproduceSection
    recipe_name: str
    given: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()

    def recipe(self, settings: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe with other values by dotted key, where None leaves what was given.

        What is reproduced is no part of a run's settings.
        """
        other = {key: value for key, value in (settings or {}).items() if value is not None}
        recipe = resolve(self.recipe_name, {**self.given, **other}, self.assignments)
        return recipe.model_copy(update={"reproduce": ReproduceSection()})

    @property
    def report_on(self) -> str | None:
        """The run that the prune report counts: the recipe's word on it, not the target's."""
        return resolve(self.recipe_name, self.given, self.assignments).reproduce.report_on


def find_targets(
    names: Sequence[str],
    recipe: str | None = None,
    given: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    on_event: OnEvent = ignore,
) -> list[Target]:
    """The targets behind names, made of ``recipe`` or else of the recipe that each extends.

    A table of a group is left out, with a note, where its ranks are for other resource classes than the
    recipe's languages have. Raises InputError for a name that is neither a recipe nor a group, and
    UsageError for a recipe of FLARE or of a base model.
    """
    targets = []
    for name in names:
        for each in _members(name):
            try:
                own = resolve(each, assignments=assignments)
            except InputError as error:
                raise InputError(error.message, f"{error.hint}; or {', '.join(GROUPS)}") from None
            wanted = own.reproduce
            if wanted == ReproduceSection():
                _refuse_other_experiments(each, own)
            target = Target(each, wanted, recipe or each, given or {}, assignments)
            if name in GROUPS and (misfit := _misfit(target)):
                on_event(Noted(f"left out {each}: {misfit}"))
            else:
                targets.append(target)
    return targets


def _refuse_other_experiments(name: str, recipe: Recipe) -> None:
    """Raise UsageError for a recipe of another command group, with that command."""
    if recipe.flare != FlareSection():
        raise UsageError(
            f"the recipe '{name}' is one of FLARE, which is no part of what reproduce runs",
            f"run lslo flare train --recipe {name}",
        )
    if recipe.base != BaseSection():
        raise UsageError(
            f"the recipe '{name}' trains a base model, which is no part of what reproduce runs",
            f"run lslo base train --recipe {name}, and reproduce a recipe that uses the model",
        )


def _members(name: str) -> list[str]:
    """The targets of a group in the paper's order; any other name stands for itself."""
    found = [each for each in recipe_names() if each.startswith(GROUPS.get(name, ()))] or [name]
    return sorted(found, key=lambda each: (not each.startswith("table"), len(each), each))


def _misfit(target: Target) -> str:
    """Why a target does not fit the languages of its recipe; empty where it does."""
    classes = resource_classes(target.recipe().selected_languages())
    for run in target.wanted.runs:
        found = NAME.fullmatch(run)
        ranks = found["ranks"].split("-") if found and found["ranks"] else classes
        if len(ranks) != len(classes):
            return f"{run} has ranks for {len(ranks)} resource classes, where there are {', '.join(classes)}"
    return ""
