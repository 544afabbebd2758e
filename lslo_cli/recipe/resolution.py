"""Resolution: combine all given settings into one recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from lslo_cli.artifacts.folder import MEMORY_FILE
from lslo_cli.errors import UsageError, nearest
from lslo_cli.parsing import parse_toml
from lslo_cli.recipe.files import find_recipe, recipe_layers
from lslo_cli.recipe.keys import known_keys, takes_list, takes_text, words_of
from lslo_cli.recipe.layers import SettingsLayer, combined, has, nested, source, with_underscores
from lslo_cli.recipe.memory import Memory, from_environment, leaves, read_memory, worth_remembering
from lslo_cli.recipe.recipe import Recipe
from lslo_cli.recipe.section import Section
from lslo_cli.recipe.sections import LanguageEntry
from lslo_cli.recipe.slurm import SlurmResources
from lslo_cli.recipe.toml import scalar

NOTHING = Memory()

KEY_DOTS = 3
"""More parts than any key has, such as ``languages.wo.resource``."""


def resolve(
    recipe: str | None = None,
    given: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    memory: Memory = NOTHING,
    of_run: Mapping[str, Any] = MappingProxyType({}),
) -> Recipe:
    """Build a recipe from a name or path, values by dotted key, and ``key=value`` assignments.

    ``given`` holds the user's values; None is ignored. ``memory`` is the experiment's: it overrides the
    recipe, and is overridden by the settings ``of_run``, an earlier run, and these by values given now.

    Raises UsageError for an unknown key or an invalid value, naming the key and its source, and InputError
    for a recipe that is missing or not TOML.
    """
    recipe = recipe if recipe is not None else memory.recipe
    layers = [
        SettingsLayer(f" in {MEMORY_FILE}", nested(memory.environment)),
        SettingsLayer(" in the environment", nested(from_environment())),
        *(recipe_layers(find_recipe(recipe)) if recipe is not None else ()),
        SettingsLayer(f" in {MEMORY_FILE}", nested(memory.given)),
        SettingsLayer(" in --settings-of", nested(of_run)),
        SettingsLayer(" in --set", nested(dict(map(_assignment, assignments))), typed=True),
        SettingsLayer(
            "", _nested({key: value for key, value in (given or {}).items() if value is not None}), typed=True
        ),
    ]
    return _validated(layers)


def placed(recipe: Recipe, results: Path) -> Recipe:
    """The recipe in the folder that has its name and its new languages, if there is one in ``results``.

    Else the codes of its new languages follow its name, :attr:`Recipe.experiment`. Raises what
    :func:`resolve` raises for the settings that the folder remembers.
    """
    if not (recipe.name and recipe.new_languages):
        return recipe
    there = resolve(memory=read_memory(results / recipe.name))
    same = there.new_languages.keys() == recipe.new_languages.keys()
    return recipe.in_folder(recipe.name) if same else recipe


def given_now(recipe: str | None, given: Mapping[str, Any], assignments: Sequence[str]) -> Memory:
    """The settings given to a command that its experiment remembers."""
    settings = given_values(given, assignments)
    return Memory(recipe, worth_remembering(settings), worth_remembering(from_environment()))


def given_values(given: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """The values by dotted key of ``key=value`` assignments, and ``given`` ones, which take precedence."""
    return {**dict(map(_assignment, assignments)), **{with_underscores(key): given[key] for key in given}}


def with_values(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """The recipe with ``given`` values by dotted key in place of its own.

    Raises UsageError as :func:`resolve` does.
    """
    layers = [SettingsLayer("", recipe.model_dump()), SettingsLayer("", _nested(given))]
    return _validated(layers)


def as_assigned(value: object) -> str:
    """A recorded value as ``--set`` and flags take it."""
    if isinstance(value, list):
        return ",".join(map(as_assigned, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def assigned_keys(text: str) -> list[str]:
    """The dotted keys that a ``key=value`` assignment sets: several if the value is a table."""
    return [key for key, _ in leaves(nested(dict([_assignment(text)])))]


def recorded(values: Mapping[str, Any]) -> Recipe | None:
    """An artifact's recorded recipe, as a current one; None if it has keys or values that recipes lack now.

    Keys newer than the artifact have their defaults.
    """
    try:
        return Recipe.model_validate(values)
    except (ValidationError, UsageError):
        return None


def reopened(values: Mapping[str, Any], given: Mapping[str, Any]) -> Recipe:
    """The recipe that was recorded with a run, with ``given`` values by dotted key in place of its own.

    Its settings of the machine are dropped, except the format of the base, which is part of the model. Raises
    UsageError as :func:`resolve` does.
    """
    kept = {key: value for key, value in values.items() if key != "run"}
    if base_dtype := values.get("run", {}).get("base_dtype"):
        kept["run"] = {"base_dtype": base_dtype}
    return _validated([SettingsLayer(" as recorded", kept), SettingsLayer("", _nested(given))])


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key as tables; a text for a key that takes a list is read as ``--set`` reads it."""
    return nested(
        {key: _listed(key, value) if isinstance(value, str) else value for key, value in given.items()}
    )


def _listed(key: str, value: str) -> Any:
    """A text as the list that it stands for, where a key takes a list and this is not one of its words."""
    known = with_underscores(key)
    if not takes_list(known) or value in words_of(known):
        return value
    return _toml(f"[{value}]", [part.strip() for part in value.split(",")])


def _validated(layers: Sequence[SettingsLayer]) -> Recipe:
    """The recipe with the values of all layers. Raises UsageError for the first one that is invalid."""
    values = combined(layers)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise _as_usage_error(error, values, layers) from None


def _assignment(text: str) -> tuple[str, Any]:
    """Read ``key=value``. A value that is not TOML is text, so that ``train.ranks=2,2,8`` needs no quotes.

    A key that takes a list also takes ``a,b``, since shells treat brackets and quotes specially; one that
    takes text keeps a number or a date as typed.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals):
        raise UsageError(f"'--set {text}' is not of the form key=value", "write --set train.gps=0.9")
    if key.count(".") > KEY_DOTS:
        raise UsageError(f"unknown key '{key}' in --set", "write --set train.gps=0.9")
    found, key = _toml(value, value), with_underscores(key)
    if takes_text(key) and not isinstance(found, str):
        found = value
    return key, _listed(key, value) if takes_list(key) and not isinstance(found, list) else found


def _toml(value: str, otherwise: Any) -> Any:
    """The value of a TOML expression, or ``otherwise`` if it is not TOML, or more than one value."""
    try:
        parsed = parse_toml(f"value = {value}")
    except ValueError:
        return otherwise
    return parsed["value"] if len(parsed) == 1 else otherwise


def _as_usage_error(
    error: ValidationError, values: Mapping[str, Any], layers: Sequence[SettingsLayer]
) -> UsageError:
    """The first of pydantic's errors, naming the written key and its source."""
    problem = error.errors()[0]
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "missing":
        table = ".".join(path[:-1])
        return UsageError(
            f"'{'.'.join(path)}' is missing{source(path[:-1], layers)}", f"give '{path[-1]}' under [{table}]"
        )
    while not has(values, path):  # pydantic's path continues into members of unions and positions in lists
        path.pop()
    key, where = ".".join(path), source(path, layers)
    if problem["loc"][-1] == "[key]":  # the names of new languages are the only ones that have a form
        return UsageError(
            f"the new language '{path[-1]}'{where} needs another code: two or three small letters, "
            "maybe with a script",
            "name it as in --add-lang kom or --add-lang kom_Cyrl",
        )
    if problem["type"] == "extra_forbidden":
        table = f"[{'.'.join(path[:-1])}]" if path[1:] else "a recipe"
        return UsageError(
            f"unknown key '{key}'{where}.{_suggestion(path)}",
            f"keys of {table}: {', '.join(_section(path).model_fields)}",
        )
    value = reduce(lambda table, part: table[part], path, values)
    reason = problem["msg"].removeprefix("Value error, ")
    reason = f"{reason[0].lower()}{reason[1:]}"
    if problem["type"] == "tuple_type" and isinstance(value, str):
        reason = f"it is a list: write {scalar([part.strip() for part in value.split(',')])}"
    if problem["type"] in ("model_type", "dict_type"):
        reason = f"it is a table; set its keys one by one as {key}.KEY"
    return UsageError(
        f"'{key}' cannot be {value!r}{where}: {reason}",
        "correct the value; `lslo recipe NAME` shows every key of a recipe with its value",
    )


def _section(path: Sequence[str]) -> type[Section]:
    """The section that holds the key at ``path``."""
    if len(path) == 1:
        return Recipe
    if path[:2] == ["slurm", "jobs"]:
        return SlurmResources
    return LanguageEntry if path[0] == "languages" else type(Recipe.model_fields[path[0]].default)


def _suggestion(path: Sequence[str]) -> str:
    """A suggestion for an unknown key: the same name in another section, else the most similar key."""
    known = list(known_keys())
    namesakes = [key for key in known if key.rpartition(".")[2] == path[-1]]
    return nearest(".".join(path), namesakes or known)
