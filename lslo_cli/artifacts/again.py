"""The lines that make artifacts, in the experiment or the seed of a study that they are in."""

from __future__ import annotations

import os
import re
from itertools import chain
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.folder import MEMORY_FILE, RESULTS
from lslo_cli.artifacts.results import PruneReportResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact, Result
from lslo_cli.wording import Command

OF_STUDIES = ("lslo reproduce", "lslo demo")
"""Commands that make whole experiments, whose settings only their own line has."""


def seed_flags(path: Path, by_number: bool = True) -> list[str]:
    """The flags that choose the seed of a study which ``path`` is in, ``seed-N/``; none elsewhere.

    Without ``by_number`` they choose the folder alone, for a command that has no ``--seed``. An experiment
    that remembers has the seed of its memory, which is not N if only its name is that of a seed.
    """
    for folder in (path, *path.parents):
        if number := _seed_of(folder):
            seed = ["--seed", number] if by_number and not _remembers(folder) else []
            return ["--results", str(folder.parent), "--name", folder.name, *seed]
        if _remembers(folder):
            return []
    return []


def _remembers(folder: Path) -> bool:
    """Whether the experiment in a folder remembers its settings."""
    return (folder / MEMORY_FILE).is_file()


def _seed_of(folder: Path) -> str | None:
    """The number of the seed whose folder this is; None for any other folder."""
    found = re.fullmatch(r"seed-(\d+)", folder.name)
    return found[1] if found else None


def place_flags(folder: Path) -> list[str]:
    """The flags that choose the experiment in a folder, and its seed in a study."""
    folder = named(folder)
    return seed_flags(folder) or ["--results", str(folder.parent), "--name", folder.name]


def experiment_of(path: Path) -> Path:
    """The folder of the experiment that an artifact is in."""
    return next((each.parent for each in path.parents if each.name == "runs"), path.parent)


def named(folder: Path) -> Path:
    """A folder by a path that ends in its name, which ``.`` does not."""
    if folder.name not in ("", ".."):
        return folder
    there = folder.resolve()
    return Path(os.path.relpath(there.parent)) / there.name


def line_of(kind: type[Result], path: Path) -> Command:
    """The command that makes an artifact of this kind at ``path``."""
    flags = seed_flags(path, by_number=kind is not PruneReportResult)  # which has the seed of its estimate
    (name,) = map(str, kind.command.words)
    flags = [] if name.startswith("flare ") else flags  # FLARE's study is one experiment
    return Command(name, *flags, folder=experiment_of(path))


def evaluate_again(path: Path, *words: object) -> Command:
    """``lslo evaluate --force`` on the experiment that ``path`` is in; ``words`` are other flags."""
    return Command("evaluate", *seed_flags(path), *words, "--force")


def line_again(path: Path, artifact: Artifact[Any]) -> Command | str:
    """What makes the artifact at ``path`` again, with the settings of this one."""
    if artifact.made.command.startswith(OF_STUDIES):
        return artifact.made.command
    if isinstance(artifact.result, TrainingResult):
        return train_again(path.parent)
    return line_of(type(artifact.result), path)


def train_again(run: Path, name: str | None = None) -> Command | str:
    """``lslo train`` with the experiment and the settings of the run in a folder, under a ``name``.

    Empty for a copy of a run that lies in no experiment.
    """
    run = named(run)
    runs = named(run.parent)
    if runs.name != "runs":
        return ""
    folder = named(runs.parent)
    flags = {
        "--results": None if folder.parent == RESULTS else folder.parent,
        "--name": folder.name,
        "--seed": None if _remembers(folder) else _seed_of(folder),
        "--settings-of": run.name,
        "--run": name or run.name,
    }
    words = ((flag, value) for flag, value in flags.items() if value is not None)
    return Command("train", *chain.from_iterable(words), folder=folder)
