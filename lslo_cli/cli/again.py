"""What a line that trains a run again repeats of its settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from lslo_cli.cli.command_options import options_of
from lslo_cli.cli.flags import flags_of
from lslo_cli.errors import LsloError


def settings_to_repeat(line: str, artifact: Any) -> list[str]:
    """The flags that give a line of ``lslo train`` the recorded settings that it does not have already.

    What the recipe, the environment and the experiment's memory give is left out, and what has no effect.
    """
    from lslo_cli.recipe import as_assigned, with_values
    from lslo_cli.tasks.experiment import Experiment
    from lslo_cli.tasks.freshness import changed_settings
    from lslo_cli.tasks.without_effect import without_effect

    try:
        options = _train_options(line)
        recipe = options.resolve()
        changed = {
            key: value for key, value in changed_settings(artifact, recipe).items() if value is not None
        }
        again = Experiment(with_values(recipe, changed), options.folder(recipe), line)
        idle = {key for each in without_effect(again) for key in each.keys}
    except LsloError:
        return []
    flags = {flag.key.name: flag.name for flag in flags_of(type(options)) if flag.key}
    words: list[str] = []
    for key, value in changed.items():
        text = as_assigned(value)
        if key not in idle:
            words += [flags[key], text] if key in flags else ["--set", f"{key}={text}"]
    return words


def _train_options(line: str) -> Any:
    """The options of a line of ``lslo train``, which is not run."""
    from typer.main import get_command

    from lslo_cli.cli.app import app

    group: Any = get_command(app)
    context = group.commands["train"].make_context("train", [*shlex.split(line)[2:], "--quiet"])
    return options_of("train")(**{**context.params, "results": Path(context.params["results"])})
