"""From a recipe to artifacts: reads what a stage needs, runs it, writes what it found. Prints nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.provenance import Stopwatch, digest_of, made
from lslo_cli.artifacts.schema import (
    Artifact,
    BaseTrainingResult,
    DataIdentity,
    Input,
    LanguageRecord,
    ModelIdentity,
    Result,
)
from lslo_cli.events import OnEvent, ignore
from lslo_cli.mt.base import save_base
from lslo_cli.recipe import Recipe
from lslo_cli.stages.setup import describe_device
from lslo_cli.stages.train_base import train_base as train_base_stage


@dataclass(frozen=True)
class Written:
    """An artifact on disk. ``up_to_date`` says that it was there already and nothing ran."""

    path: Path
    artifact: Artifact[Any]
    up_to_date: bool = False


def train_base(recipe: Recipe, out: Path, command: str, *, resume: bool = False, on_event: OnEvent = ignore) -> Written:
    """Train a base model from scratch and write its folder, with ``training.json`` last."""
    stopwatch = Stopwatch()
    work = out.with_name(f".{out.name}.training")
    store.check_writable(work)
    base, result, data = train_base_stage(recipe, work, resume, on_event)
    base = save_base(base, out, recipe.base.dtype)
    written = _write(
        out / "training.json",
        result,
        recipe,
        model=ModelIdentity(**asdict(base.identity)),
        data=[data],
        inputs=[],
        stopwatch=stopwatch,
        device=describe_device(base.model.device),
        command=command,
    )
    shutil.rmtree(work)
    return written


def _write(
    path: Path,
    result: Result,
    recipe: Recipe,
    *,
    model: ModelIdentity,
    data: list[DataIdentity],
    inputs: list[Input],
    stopwatch: Stopwatch,
    device: str,
    command: str,
) -> Written:
    artifact = Artifact[type(result)](
        schema_id=f"lslo/{result.kind}",
        version=result.version,
        experiment=recipe.experiment,
        seed=recipe.seed,
        languages=[LanguageRecord.of(language) for language in recipe.selected_languages()],
        recipe=recipe.model_dump(mode="json"),
        inputs=inputs,
        data=data,
        model=model,
        result=result,
        digest=digest_of(result.model_dump(mode="json")),
        made=made(stopwatch, device, command),
    )
    store.write(path, artifact)
    return Written(path, artifact)
