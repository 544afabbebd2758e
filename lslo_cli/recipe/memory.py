"""The memory of an experiment: the settings that define it, given once for all its commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lslo_cli.artifacts.folder import MEMORY_FILE
from lslo_cli.errors import InputError
from lslo_cli.parsing import parse_toml
from lslo_cli.recipe.sections import Classes
from lslo_cli.recipe.toml import scalar

if TYPE_CHECKING:
    from lslo_cli.recipe.recipe import Recipe

ENVIRONMENT = {"LSLO_MODEL": "model.name", "LSLO_DATA": "data.path"}
"""Environment variables that set a machine's defaults, and the key that each sets."""

CHOOSING = ("name", "langs", "new_languages")
"""Keys that select an experiment."""
_KEPT = (*CHOOSING, "languages", "classes", "seed", "model")
_KEPT_OF_DATA = ("data.path", "data.train", "data.test", "data.hold_out", "data.dev_rows", "data.directions")

_MODEL = {"model.name", "model.revision"}
_OF_A_SEED = ("name", "seed")
"""Keys that differ between the seeds of a study."""

_PLACES: Mapping[str, Callable[[str], bool]] = {
    "recipe": os.path.isfile,
    "data.path": os.path.exists,
    "model.name": os.path.isdir,
}
"""What may be a path and not a name, and how it is known for one."""

_HEADER = (
    "# Settings given to this experiment's commands. They apply to later ones unless their flags differ.\n"
    "# Paths that begin with dots are from this folder.\n"
)


@dataclass(frozen=True)
class Memory:
    """A recipe by name or path, and values by dotted key: by flag or ``--set``, and from the environment."""

    recipe: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.recipe or self.given or self.environment)

    def adding(self, later: Memory) -> Memory:
        """This memory with the settings of a later command added; settings already remembered stay.

        A model remembered with its revision is not mixed with a later command's.
        """
        added = dict(later.given)
        name = added.get("model.name")
        if name not in (None, self.given.get("model.name")) and _MODEL & self.given.keys():
            added = {key: value for key, value in added.items() if key not in _MODEL}
        return Memory(
            self.recipe or later.recipe, {**added, **self.given}, {**later.environment, **self.environment}
        )

    def with_counted_classes(self, recipe: Recipe) -> Memory:
        """This memory with the classes of a recipe's languages, if the size of the text gives them."""
        if recipe.classes is not Classes.TEXT:
            return self
        entries = recipe.languages.items()
        return self.adding(
            Memory(given={f"languages.{code}.resource": str(entry.resource) for code, entry in entries})
        )

    def of_study(self) -> Memory:
        """What this memory of one seed's experiment says of the study of all seeds."""
        return replace(self, given={key: self.given[key] for key in self.given if key not in _OF_A_SEED})

    def text(self, folder: Path) -> str:
        """The text of its file in the experiment's ``folder``, from where it names relative paths."""
        there = self._with_places(partial(_from_there, folder))
        lines = [_HEADER] + ([f"recipe = {scalar(there.recipe)}\n"] if there.recipe else [])
        for title, values in (("given", there.given), ("environment", there.environment)):
            if values:
                pairs = (f"{scalar(key)} = {scalar(value)}\n" for key, value in values.items())
                lines += [f"\n[{title}]\n", *pairs]
        return "".join(lines)

    def _with_places(self, change: Callable[[str, str], str]) -> Memory:
        """This memory with what may be a path changed, by key and value."""

        def changed(values: Mapping[str, Any]) -> dict[str, Any]:
            return {
                key: change(key, value) if key in _PLACES and isinstance(value, str) else value
                for key, value in values.items()
            }

        recipe = changed({"recipe": self.recipe})["recipe"]
        return Memory(recipe, changed(self.given), changed(self.environment))


def worth_remembering(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by dotted key that an experiment remembers, with nested tables flattened."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in leaves(values)
        if value is not None and (key.partition(".")[0] in _KEPT or key in _KEPT_OF_DATA)
    }


def from_environment() -> dict[str, str]:
    """The values of the environment variables, by dotted key."""
    return {key: os.environ[name] for name, key in ENVIRONMENT.items() if os.environ.get(name)}


def read_memory(folder: Path) -> Memory:
    """The memory of the experiment in ``folder``, empty if it is new, with paths from the working folder.

    Raises InputError for a damaged file.
    """
    path = folder / MEMORY_FILE
    try:
        values = parse_toml(path.read_text(encoding="utf-8-sig"))
        given, environment = values.get("given", {}), values.get("environment", {})
        recipe = values.get("recipe")
        if not (isinstance(given, dict) and isinstance(environment, dict) and isinstance(recipe, str | None)):
            raise ValueError("it holds something other than a recipe and the tables given and environment")
        return Memory(recipe, given, environment)._with_places(partial(_from_here, folder))
    except (FileNotFoundError, NotADirectoryError):
        return Memory()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", "fix or remove it; then give --langs, --model and --data again"
        ) from None


def _way(folder: Path) -> str:
    """The way from an experiment's folder to the working folder, with dots first: ``../../``."""
    way = os.path.relpath(os.curdir, os.path.realpath(folder))
    return f"{way}/" if way.startswith(os.pardir) else f"./{way}/"


def _from_there(folder: Path, key: str, value: str) -> str:
    """What may be a path, as an experiment's file in ``folder`` has it: a relative path from there."""
    is_name = value == "world" or not _PLACES[key](value)
    return value if is_name or os.path.isabs(value) else _way(folder) + value


def _from_here(folder: Path, key: str, value: str) -> str:
    """The reverse of :func:`_from_there`: as it was typed, if it was typed here, else from here."""
    way = _way(folder)
    if value.startswith(way):
        return value.removeprefix(way)
    is_path = value.startswith(("./", "../"))
    return os.path.relpath(os.path.join(os.path.realpath(folder), value)) if is_path else value


def last_experiment(results: Path) -> Path | None:
    """The folder of the experiment that a command last worked on; None if ``results`` has none."""
    files = sorted(results.glob(f"*/{MEMORY_FILE}"), key=lambda path: path.stat().st_mtime_ns)
    return files[-1].parent if files else None


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
