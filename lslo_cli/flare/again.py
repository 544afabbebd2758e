"""The lines that train and test what is in a FLARE experiment, with the settings that are recorded there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.again import named
from lslo_cli.artifacts.folder import RESULTS, ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.method.flare import SOURCE
from lslo_cli.recipe import FlareSection, RunSection, as_assigned
from lslo_cli.tasks.freshness import SWITCHES
from lslo_cli.wording import Command, typed


def evaluate_line(experiment: ExperimentFolder) -> Command | str:
    """``lslo flare evaluate`` with the settings that a training recorded, if there is one."""
    for path in sorted(experiment.path.glob("seed-*/*/training.json")):
        try:
            recipe = store.read(path, FlareTrainingResult).recipe
        except InputError:
            continue
        if path.parent.name == SOURCE:
            continue
        return line_of("flare evaluate", experiment.path, recipe)
    return FlareEvaluationResult.command


def line_of(command: str, folder: Path, recipe: Mapping[str, Any]) -> str:
    """A command's line on the experiment in ``folder``, with the settings of a recorded recipe."""
    folder = named(folder)
    results = () if folder.parent == RESULTS else ("--results", folder.parent)
    words = (word for each in _assignments(recipe) for word in ("--set", each))
    return typed(command, *results, "--name", folder.name, *words)


def _assignments(recipe: Mapping[str, Any]) -> Iterator[str]:
    """The recorded settings that are not the default, as ``key=value``."""
    flare, run = FlareSection().model_dump(mode="json"), RunSection().model_dump(mode="json")
    for key, value in recipe["flare"].items():
        if isinstance(value, dict):
            yield from (f"flare.{key}.{name}={each}" for name, each in value.items())
        elif value != flare.get(key):
            yield f"flare.{key}={as_assigned(value)}"
    for key in SWITCHES:
        if recipe["run"].get(key, run[key]) != run[key]:
            yield f"run.{key}={as_assigned(recipe['run'][key])}"
