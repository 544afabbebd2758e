"""What a script gives to the functions of :mod:`lslo_cli.api`, refused by name where it cannot be meant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from lslo_cli.errors import UsageError
from lslo_cli.recipe import leaves
from lslo_cli.recipe.keys import known_keys
from lslo_cli.recipe.layers import with_underscores

MODEL = "model.name"
LOADED = ("model", "evaluate", "run", "new_languages")
"""The sections that a model which is loaded reads, apart from ``data.max_length``."""


def check_type(value: object, kinds: type | tuple[type, ...], what: str, advice: str) -> None:
    """Raise UsageError if ``value``, called ``what``, is of none of these kinds."""
    if not isinstance(value, kinds):
        raise UsageError(f"{what} cannot be {value!r}", advice)


def path_text(value: object, what: str) -> str:
    """A path as text. Raises UsageError for anything else."""
    check_type(value, (str, os.PathLike), what, "give a name or a path")
    return os.fspath(value)  # type: ignore[call-overload,no-any-return]


def settings_by_key(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings by dotted key, with paths as text. Raises UsageError for what is no mapping of names."""
    values = {} if settings is None else settings
    advice = 'write values by recipe key: {"evaluate.beam": 1}'
    check_type(values, Mapping, "settings", advice)
    for key in values:
        check_type(key, str, "a key of settings", advice)
    return {
        key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in leaves(values)
    }


def settings_of_model(settings: Mapping[str, Any] | None, model: object) -> dict[str, Any]:
    """The settings of a model that is loaded, ``model`` among them unless it is None.

    Raises UsageError for two models, and for a setting of which a loaded model reads nothing.
    """
    given = settings_by_key(settings)
    if model is not None:
        name = path_text(model, "model")
        if given.get(MODEL, name) != name:
            raise UsageError(
                f"the model is {name}, and {given[MODEL]} in settings", f"leave '{MODEL}' out of settings"
            )
        given[MODEL] = name
    known = set(known_keys())
    for key in map(with_underscores, given):
        section = key.partition(".")[0]
        if section in known and section not in LOADED and key != "data.max_length":
            raise UsageError(
                f"the setting {key} has no effect on a model that is loaded",
                "leave it out; a run has those that it was trained with",
            )
    return given


def checked_codes(codes: object, what: str) -> list[str]:
    """Codes of languages as a list. Raises UsageError for one text in place of several, or no text."""
    if isinstance(codes, str):
        raise UsageError(f"{what} is one text, '{codes}'", f"write a list of codes: {codes.split(',')}")
    advice = "write a list of codes: ['qta', 'qha']"
    check_type(codes, Iterable, what, advice)
    listed = list(codes)  # type: ignore[call-overload]
    for code in listed:
        check_type(code, str, f"a language of {what}", advice)
    return listed
