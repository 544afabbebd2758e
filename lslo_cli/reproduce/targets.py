"""The targets of reproduction: recipes, among them the paper's tables and figures, and groups of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.languages import resource_classes
from lslo_cli.method.run_names import NAME
from lslo_cli.models.model_languages import with_languages
from lslo_cli.recipe import BaseSection, Memory, Recipe, ReproduceSection, given_now, recipe_names, resolve
from lslo_cli.wording import counted, typed

GROUPS = {"tables": ("table-",), "figures": ("figure-",), "all": ("table-", "figure-")}
"""Names of groups of targets, and the prefixes of their recipes' names."""


NOT_FLARES = {
    "data.path": "flare.data",
    "langs": "flare.languages",
    "model.name": "flare.model",
    "seed": "flare.seeds",
}
"""Keys that flags set for the first paper's experiments, and FLARE's equivalent keys.

A recipe's ``model.name`` is FLARE's translator; ``--model`` would be mistaken for the task model.
"""

DESCRIBED = ("name", "langs", "languages")
"""Keys that the base model's tokenizer and the text may say more of: read once for each seed."""


@dataclass(frozen=True)
class Target:
    """The work to do (``wanted``), its recipe, and all other given values."""

    name: str
    wanted: ReproduceSection
    recipe_name: str
    given: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    _described: dict[int, Recipe] = field(default_factory=dict, init=False, repr=False, compare=False)

    def recipe(self, settings: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe with other values by dotted key, of which None is ignored.

        Its ``[reproduce]`` is emptied, since it is no setting of a run. Raises what reading the text raises,
        if it gives the classes.
        """
        other = {key: value for key, value in (settings or {}).items() if value is not None}
        recipe = resolve(self.recipe_name, {**self.given, **other}, self.assignments)
        recipe = recipe.model_copy(update={"reproduce": ReproduceSection()})
        if self.is_flares:
            return recipe.named_for_flare()
        if recipe.seed not in self._described:  # a row's settings change neither text nor languages
            self._described[recipe.seed] = with_languages(recipe)
        described = self._described[recipe.seed]
        return recipe.model_copy(update={key: getattr(described, key) for key in DESCRIBED})

    def memory(self, seed: int | None, folder: str) -> Memory:
        """What the experiment in a folder of this name, made with ``seed``, remembers of what was given."""
        own = {"seed": seed} if seed is not None else {}
        named = {"name": folder} if folder != self.recipe(own).experiment else {}
        return given_now(self.recipe_name, {**self.given, **own, **named}, self.assignments)

    @cached_property
    def is_flares(self) -> bool:
        """Whether the recipe is a FLARE experiment."""
        return resolve(self.recipe_name).is_flares

    @property
    def report_on(self) -> str | None:
        """The run that the prune report counts, by the recipe and not by the target."""
        return resolve(self.recipe_name, self.given, self.assignments).reproduce.report_on


def find_targets(
    names: Sequence[str],
    recipe: str | None = None,
    given: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    on_event: OnEvent = ignore,
) -> list[Target]:
    """The targets of these names, made from ``recipe`` or else from each target's own recipe.

    A table of a group is left out, with a note, if its ranks are for other resource classes than the recipe's
    languages have. Raises InputError for a name that is neither a recipe nor a group, and UsageError for a
    recipe of a base model, for a target and a recipe of different papers, and for a setting that has no
    effect on FLARE.
    """
    targets = []
    for name in names:
        for each in _members(name):
            try:
                own = resolve(each, assignments=assignments)
            except InputError as error:
                raise InputError(error.message, f"{error.hint}; or {', '.join(GROUPS)}") from None
            wanted = own.reproduce
            _refuse_base(each, own)
            target = Target(each, wanted, recipe or each, given or {}, assignments)
            if target.is_flares or own.is_flares:
                _check_flares(target, own)
            if name in GROUPS and (misfit := _misfit(target)):
                on_event(Noted(f"left out {each}: {misfit}"))
            else:
                targets.append(target)
    return targets


def _refuse_base(name: str, recipe: Recipe) -> None:
    """Raise UsageError for a recipe that trains a base model, with the command that does."""
    if recipe.base != BaseSection() and recipe.reproduce == ReproduceSection():
        raise UsageError(
            f"the recipe '{name}' trains a base model, which lslo reproduce does not do",
            "train it, and reproduce a recipe that uses it",
            typed("base train", "--recipe", name, "--out", "FOLDER"),
        )


def _check_flares(target: Target, own: Recipe) -> None:
    """Raise UsageError if target and recipe are not both of FLARE, and for a setting without effect."""
    if not (target.is_flares and own.is_flares):
        of_flare, other = (
            (target.recipe_name, target.name) if target.is_flares else (target.name, target.recipe_name)
        )
        raise UsageError(
            f"'{of_flare}' is a FLARE experiment, and '{other}' is not",
            "reproduce it by itself",
            typed("reproduce", of_flare),
        )
    for key, instead in NOT_FLARES.items():
        if key in target.given:
            raise UsageError(
                f"{key} = {target.given[key]} has no effect on '{target.name}', a FLARE experiment",
                f"give --set {instead}=..., and unset what sets the other, such as LSLO_DATA",
            )
    keys = {assignment.partition("=")[0].strip() for assignment in target.assignments}
    target.recipe().flare.check_given(keys)


def _members(name: str) -> list[str]:
    """The targets of a group in the paper's order; any other name stands for itself."""
    found = [each for each in recipe_names() if each.startswith(GROUPS.get(name, ()))] or [name]
    return sorted(found, key=lambda each: (not each.startswith("table"), len(each), each))


def _misfit(target: Target) -> str:
    """Why a target does not fit the languages of its recipe; empty if it does."""
    classes = resource_classes(target.recipe().selected_languages())
    for run in target.wanted.runs:
        found = NAME.fullmatch(run)
        ranks = found["ranks"].split("-") if found and found["ranks"] else classes
        if len(ranks) != len(classes):
            return (
                f"{run} has ranks for {counted(len(ranks), 'class', 'classes')}, not for {', '.join(classes)}"
            )
    return ""
