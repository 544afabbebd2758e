"""The command line as artifacts record it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lslo_cli.cli.flags import flags_of
from lslo_cli.wording import typed

if TYPE_CHECKING:
    from lslo_cli.recipe import Recipe

FROM_ENVIRONMENT = {
    "--recipe": "LSLO_RECIPE",
    "--results": "LSLO_RESULTS",
    "--model": "LSLO_MODEL",
    "--data": "LSLO_DATA",
}
"""Flags whose values may come from the environment, and the variable of each."""


def from_environment(flag: str) -> str | None:
    """The environment's value of a flag that is not typed, if it has one."""
    is_typed = any(word.partition("=")[0] == flag for word in sys.argv[1:])
    return None if is_typed else os.environ.get(FROM_ENVIRONMENT[flag]) or None


def command_line(*flags: str) -> str:
    """The command line as typed, for the record, with the environment's values of ``flags`` not typed."""
    values = ((flag, from_environment(flag)) for flag in flags)
    return typed("", *sys.argv[1:], *(word for flag, value in values if value for word in (flag, value)))


def line_for_record(options: object, *recipes: Recipe) -> str:
    """The command line, with what the environment set: a default of ``recipes`` only if all have it."""
    flags = [flag.name for flag in flags_of(type(options)) if flag.name in FROM_ENVIRONMENT]
    if getattr(options, "recipe", None) is None and "--recipe" in flags:  # a command may leave it out
        flags.remove("--recipe")
    for flag, values in (
        ("--model", {recipe.model.name for recipe in recipes}),
        ("--data", {recipe.data.path for recipe in recipes}),
    ):
        value = os.path.expanduser(os.environ.get(FROM_ENVIRONMENT[flag], ""))
        if flag in flags and {os.path.expanduser(each) for each in values} != {value}:
            flags.remove(flag)
    return command_line(*flags)
