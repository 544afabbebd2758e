"""The commands that train: weight learning, subspace estimation, fine-tuning, a base model."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.pending import adopt, pending
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import ModelIdentity
from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.pipeline.choices import choose_index, run_choices, run_folder, subspace_path
from lslo_cli.pipeline.experiment import Experiment, Written, document
from lslo_cli.pipeline.job import Job, opened
from lslo_cli.plan import work_of
from lslo_cli.recipe import Recipe
from lslo_cli.stages.device import describe_device
from lslo_cli.stages.estimate_subspace import estimate_subspace as estimate_subspace_stage
from lslo_cli.stages.train import check_method
from lslo_cli.stages.train import train as train_stage
from lslo_cli.stages.train_base import train_base as train_base_stage
from lslo_cli.stages.weight_learn import weight_learn as weight_learn_stage


def weight_learn(
    experiment: Experiment, *, resume: bool = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Learn the index strategy and write ``index-strategy.json``.

    With ``reuse``, here and below, an artifact that is up to date is returned as it is.
    """
    path, work = experiment.folder.index_strategy, experiment.folder.checkpoint("weight-learn")
    with opened(experiment, path, work=work, resume=resume, on_event=on_event) as job:
        job.settle(work_of(experiment.recipe, "weight-learn"))
        current = reuse and job.up_to_date(IndexStrategyResult)
        return current or job.write(weight_learn_stage(job.setup))


def estimate_subspace(
    experiment: Experiment, *, resume: bool = False, reuse: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Estimate every language's subspace and write ``subspace.json``, or ``subspace-language.json``."""
    section = experiment.recipe.estimate_subspace
    experiment.recipe.estimation_schedule()  # one that does not fit is refused before a model is loaded
    path, work = subspace_path(experiment), experiment.folder.checkpoint(f"estimate-{section.pool}")
    with opened(experiment, path, work=work, resume=resume, on_event=on_event) as job:
        index = choose_index(experiment, section.index, job.setup.model_identity, job.setup.on_event)
        job.upstream += index.upstream
        job.settle(work_of(experiment.recipe, "estimate-subspace"))
        current = reuse and job.up_to_date(SubspaceResult)
        return current or job.write(estimate_subspace_stage(job.setup, index.value))


def train(
    experiment: Experiment,
    *,
    run: str | None = None,
    subspace: Path | None = None,
    resume: bool = False,
    reuse: bool = False,
    on_event: OnEvent = ignore,
) -> Written:
    """Fine-tune and write ``runs/<run>/training.json`` with its weights."""
    experiment.recipe.training_schedule()
    check_method(experiment.recipe)
    folder = run_folder(experiment, run, subspace)
    work = folder.checkpoint
    with opened(experiment, folder.training, work=work, resume=resume, on_event=on_event) as job:
        index, ranks = run_choices(experiment, subspace, job.setup.model_identity, job.setup.on_event)
        job.upstream += (*index.upstream, *ranks.upstream)
        job.settle(work_of(experiment.recipe, "train", ranks.value))
        job.setup.on_main(lambda: _adopt(folder))
        current = _trained(job) if reuse else None
        if current:
            return current
        new = pending(folder.path)
        written = job.write(train_stage(job.setup, folder.name, new, ranks.value, index.value, index.source))
        job.setup.on_main(lambda: _adopt(folder))
        return written


def train_base(
    recipe: Recipe, out: Path, command: str, *, resume: bool = False, on_event: OnEvent = ignore
) -> Written:
    """Train a base model from scratch and write its folder, with ``training.json`` last."""
    stopwatch = Stopwatch()
    work = out.with_name(f".{out.name}.training")
    store.check_writable(work)
    store.check_writable(out)
    base, result, data = train_base_stage(recipe, work, out, resume, on_event)
    written = document(
        result,
        Experiment(recipe, ExperimentFolder(out), command),
        out / "training.json",
        model=ModelIdentity(**asdict(base.identity)),
        data=[data],
        upstream=(),
        stopwatch=stopwatch,
        device=describe_device(base.model.device),
    )
    store.write(written.path, written.artifact)
    shutil.rmtree(work, ignore_errors=True)
    return written


def _adopt(folder: RunFolder) -> None:
    """Put new weights in their place where the run's artifact names them, else remove them."""
    try:
        weights = store.read(folder.training, TrainingResult).result.weights
    except InputError:
        weights = None
    adopt(folder.path, weights)


def _trained(job: Job) -> Written | None:
    """The run that is there, if it is up to date and its weights are whole."""
    current = job.up_to_date(TrainingResult)
    try:
        if current:
            store.read_tensor_path(job.path, current.artifact.result.weights)
    except InputError:
        return None
    return current
