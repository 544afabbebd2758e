"""Layers of values, each from one source, in which later sources override earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import permutations
from typing import Any, NamedTuple

BY_NAME = ("languages", "new_languages", "jobs")
"""Tables whose keys are names."""

ALTERNATIVES = (("data", "test"), ("data", "hold_out"))
"""Keys that each name the text to test on, so that one in a later source takes the place of the other."""


class SettingsLayer(NamedTuple):
    """Nested values from one source; ``where`` ends an error message about one of them."""

    where: str
    values: dict[str, Any]


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key: the union of two tables, else the value of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if tables else value
    return merged


def combined(layers: Sequence[SettingsLayer]) -> dict[str, Any]:
    """The values of all layers: later ones override earlier ones, and replace their alternatives."""
    values: dict[str, Any] = {}
    for layer in layers:
        for given, other in permutations(ALTERNATIVES):
            replaces = has(layer.values, given) and not has(layer.values, other)
            if replaces and has(values, other):
                table, name = other
                kept = {key: value for key, value in values[table].items() if key != name}
                values = {**values, table: kept}
        values = merge(values, layer.values)
    return values


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"train.gps": 0.9}`` as ``{"train": {"gps": 0.9}}``."""
    tables: dict[str, Any] = {}
    for dotted, value in flat.items():
        tables = merge(tables, reduce(lambda inner, part: {part: inner}, reversed(dotted.split(".")), value))
    return normalise(tables)


def normalise(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace hyphens in keys, as in ``[weight-learn]``, by the underscores of a recipe's keys.

    Language codes and names of jobs are left unchanged.
    """
    return {
        key.replace("-", "_"): normalise(value)
        if isinstance(value, Mapping) and key.replace("-", "_") not in BY_NAME
        else value
        for key, value in values.items()
    }


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
