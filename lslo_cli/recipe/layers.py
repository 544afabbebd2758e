"""Layers of values, each from one source, in which later sources override earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import permutations
from typing import Any, NamedTuple

from lslo_cli.errors import UsageError

BY_NAME = ("languages", "new_languages", "jobs")
"""Tables whose keys are names."""

ALTERNATIVES = (("data", "test"), ("data", "hold_out"))
"""Keys that each name the text to test on, so that one in a later source takes the place of the other."""

REVISIONS = {("model", "name"): ("model", "revision"), ("flare", "model"): ("flare", "revision")}
"""Keys that each name a model, and the one of its revision, which is that of no other model."""

METHOD, RATIO = ("train", "method"), ("train", "gps")
"""The method of training, and the ratio of pruning, which is one of adapters by language."""


class SettingsLayer(NamedTuple):
    """Nested values from one source; ``where`` ends an error message about one of them.

    ``typed`` are the values on a command line, by flag or ``--set``: they belong together.
    """

    where: str
    values: dict[str, Any]
    typed: bool = False


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key: the union of two tables, else the value of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if tables else value
    return merged


def combined(layers: Sequence[SettingsLayer]) -> dict[str, Any]:
    """The values of all layers: later ones override earlier ones, and replace their alternatives.

    Another model replaces the revision below it, too, and a baseline the ratio of pruning.
    """
    values: dict[str, Any] = {}
    typed = [layer.values for layer in layers if layer.typed]
    for layer in layers:
        for table, name in _replaced(values, layer.values, typed if layer.typed else [layer.values]):
            if has(values, (table, name)):
                kept = {key: value for key, value in values[table].items() if key != name}
                values = {**values, table: kept}
        values = merge(values, layer.values)
    return values


def _replaced(
    below: Mapping[str, Any], above: Mapping[str, Any], beside: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """The keys whose values ``below`` no longer count; ``beside`` is given together with ``above``."""
    for given, other in permutations(ALTERNATIVES):
        if has(above, given) and not has(above, other):
            yield other
    for (table, name), revision in REVISIONS.items():
        alone = has(above, (table, name)) and not any(has(values, revision) for values in beside)
        if alone and (not has(below, (table, name)) or below[table][name] != above[table][name]):
            yield revision
    is_baseline = has(above, METHOD) and above["train"]["method"] != "lslo"
    if is_baseline and not any(has(values, RATIO) for values in beside):
        yield RATIO


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"train.gps": 0.9}`` as ``{"train": {"gps": 0.9}}``; later keys override earlier ones."""
    tables: dict[str, Any] = {}
    for dotted, value in flat.items():
        one: dict[str, Any] = reduce(lambda inner, part: {part: inner}, reversed(dotted.split(".")), value)
        tables = merge(tables, normalise(one))
    return tables


def normalise(values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Replace hyphens in keys, as in ``[weight-learn]``, by the underscores of a recipe's keys.

    Language codes and names of jobs are left unchanged. Raises UsageError, ending with ``where``, for a key
    in both spellings.
    """
    normal: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name in normal:
            hyphens = next(other for other in values if other != name and other.replace("-", "_") == name)
            raise UsageError(f"'{name}' is given twice{where}, also as '{hyphens}'", "write it once")
        is_table = isinstance(value, Mapping) and name not in BY_NAME
        normal[name] = normalise(value, where) if is_table else value
    return normal


def with_underscores(dotted: str) -> str:
    """A dotted key in the spelling that :func:`normalise` gives it."""
    parts = dotted.split(".")
    names = [part.replace("-", "_") for part in parts]
    end = next((number for number, name in enumerate(names, 1) if name in BY_NAME), len(names))
    return ".".join((*names[:end], *parts[end:]))


def has(values: Any, path: Sequence[str]) -> bool:
    """Whether nested ``values`` have a value at ``path``."""
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def source(path: Sequence[str], layers: Sequence[SettingsLayer]) -> str:
    """Where the value at ``path`` was given last; empty if no layer has it."""
    return next((layer.where for layer in reversed(layers) if has(layer.values, path)), "")
