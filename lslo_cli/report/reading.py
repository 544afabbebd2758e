"""Read folders of experiments as studies: every artifact checked, seeds of one experiment together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from lslo_cli.artifacts import store
from lslo_cli.artifacts.comparable import (
    TRAIN_ALIKE,
    Located,
    Setting,
    check_alike,
    check_estimated_alike,
    check_one_seed,
    check_study,
    model_text,
)
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.results import IndexStrategyResult, PruneReportResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact, Result
from lslo_cli.errors import InputError
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.report.names import check_name
from lslo_cli.report.study import SeedResults, Study
from lslo_cli.wording import Command, several

R = TypeVar("R", bound=Result)

SINGLE = ("index_strategy", "subspace", "language_subspace", "prune_report")
"""The artifacts that an experiment has once, by their names in a folder and in a seed's results."""


def read_studies(folders: Sequence[Path], metric: str = SPBLEU) -> list[Study]:
    """Read experiments: a folder is one, or holds its seeds as ``seed-N/``.

    Experiments with the same base model and languages are one study; those of the same seed are merged.
    Raises InputError for a folder without artifacts, for an artifact that is damaged or stale, and for
    experiments of one study that do not fit together: with another signature of ``metric``, or none, other
    text, other settings, or a run made twice.
    """
    found: dict[tuple[object, ...], dict[int, SeedResults]] = {}
    for folder in dict.fromkeys(folders):
        for path in experiment_paths(folder):
            results = read_experiment(path)
            artifacts = results.artifacts()
            _check_one_experiment(path, artifacts)
            first = artifacts[0]
            key = (first.model.digest, *(record.code for record in first.languages))
            seeds = found.setdefault(key, {})
            earlier = seeds.get(results.seed)
            seeds[results.seed] = merged(earlier, results) if earlier else results
    studies = [Study(tuple(seeds[seed] for seed in sorted(seeds)), metric) for seeds in found.values()]
    for study in studies:
        check_comparable(study)
    return studies


def experiment_paths(folder: Path) -> list[Path]:
    """The experiments in a folder: its ``seed-N/`` in order of N, or itself.

    Raises InputError if the folder is missing.
    """
    if not folder.is_dir():
        raise InputError(f"no experiment at {folder}", "name the folder of one, such as out/lang12")
    return [seed.path for seed in ExperimentFolder(folder).seeds()]


def read_experiment(path: Path) -> SeedResults:
    """Every artifact of one experiment. Raises InputError if there is none, or one is damaged or stale."""
    folder = ExperimentFolder(path)
    evaluations = {
        run.name: store.read_fresh(run.evaluation, EvaluationResult) for run in folder.evaluated_runs()
    }
    trainings = {run.name: store.read_fresh(run.training, TrainingResult) for run in folder.trained_runs()}
    results = SeedResults(
        seed=0,
        folders=(path,),
        evaluations=evaluations,
        trainings=trainings,
        index_strategy=_read_if_there(folder.index_strategy, IndexStrategyResult),
        subspace=_read_if_there(folder.subspace, SubspaceResult),
        language_subspace=_read_if_there(folder.language_subspace, SubspaceResult),
        prune_report=_read_if_there(folder.prune_report, PruneReportResult),
    )
    artifacts = results.artifacts()
    if not artifacts:
        if below := _experiments_below(path):
            raise InputError(
                f"{path} holds experiments, and is none itself", f"name some of them: {several(below)}"
            )
        raise InputError(f"{path} holds no artifacts", "make them first", Command("train", folder=path))
    named = [
        *((name, scored.result.run) for name, scored in evaluations.items()),
        *((name, trained.result.run) for name, trained in trainings.items()),
    ]
    for name, own in named:
        if own != name:
            raise InputError(
                f"{folder.run(name).path} holds the run '{own}'", "give the folder the name of the run"
            )
    for name, training in trainings.items():
        check_name(folder.run(name).path, training)
    return replace(results, seed=artifacts[0].seed)


def merged(ours: SeedResults, theirs: SeedResults) -> SeedResults:
    """Two experiments of one seed as one. Raises InputError if both have an artifact and they differ."""
    single = {}
    for name in SINGLE:
        one, other = getattr(ours, name), getattr(theirs, name)
        _check_same(name.replace("_", " "), one, other, ours, theirs)
        single[name] = one or other
    return SeedResults(
        seed=ours.seed,
        folders=(*ours.folders, *theirs.folders),
        evaluations=_union(ours, theirs, "evaluations"),
        trainings=_union(ours, theirs, "trainings"),
        **single,
    )


def check_comparable(study: Study) -> None:
    """Check that runs can share a table.

    Raises InputError if runs were measured with different metrics, search, text or directions, if a run's
    seeds were trained with different settings, or if their importance is correlated with other bitext sizes.
    """
    seeds = study.seeds
    check_study(
        [each for seed in seeds for each in _located(seed, seed.evaluations, "evaluation")],
        [each for seed in seeds for each in _located(seed, seed.trainings, "training")],
        study.metric,
    )
    for name in ("index_strategy", "subspace", "language_subspace"):
        check_estimated_alike(each for seed in seeds for each in _located_once(seed, name))
    _check_correlated_alike([each for seed in seeds for each in _located_once(seed, "prune_report")])


def _check_correlated_alike(found: Sequence[Located[PruneReportResult]]) -> None:
    """Raise InputError unless seeds correlate estimates of the same settings with the same bitext sizes."""
    sizes = (
        (str(each.path), Setting({record.code: record.bitext for record in each.artifact.languages}))
        for each in found
    )
    check_alike(((path, {"bitext sizes": size}) for path, size in sizes), "made", TRAIN_ALIKE)
    named = {
        each.path.parent / item.path
        for each in found
        for item in each.artifact.inputs
        if item.role == "subspace"
    }
    own = {ExperimentFolder(each.path.parent).subspace for each in found}
    if not named <= own:  # as `lslo prune-report --subspace` names one of another folder
        there = (path for path in sorted(named | own) if path.is_file())
        check_estimated_alike(Located.read(path, SubspaceResult) for path in there)


def _located(
    seed: SeedResults, artifacts: Mapping[str, Artifact[R]], name: Literal["evaluation", "training"]
) -> Iterator[Located[R]]:
    """Artifacts of runs with their paths; of folders with the same run the last is read."""
    for run, artifact in artifacts.items():
        paths = [getattr(ExperimentFolder(folder).run(run), name) for folder in seed.folders]
        yield Located([path for path in paths if path.exists()][-1], artifact)


def _located_once(seed: SeedResults, name: str) -> Iterator[Located]:
    """An artifact that an experiment has once, with its path, if the seed has it."""
    paths = [path for folder in seed.folders if (path := getattr(ExperimentFolder(folder), name)).exists()]
    if paths:
        yield Located(paths[0], getattr(seed, name))


def _check_one_experiment(path: Path, artifacts: list[Artifact]) -> None:
    """Raise InputError unless everything in a folder has the same seed and base model."""
    check_one_seed(path, artifacts)
    for artifact in artifacts:
        kind = artifact.schema_id.partition("/")[2]
        if artifact.model.digest != artifacts[0].model.digest:
            raise InputError(
                f"{path} mixes base models: {model_text(artifacts[0])} and {model_text(artifact)} ({kind})",
                "keep each base model in its own experiment",
            )


def _union(ours: SeedResults, theirs: SeedResults, name: str) -> Mapping[str, Artifact]:
    one, other = getattr(ours, name), getattr(theirs, name)
    for run in one.keys() & other.keys():
        _check_same(f"run {run}", one[run], other[run], ours, theirs)
    return {**one, **other}


def _check_same(
    what: str, one: Artifact | None, other: Artifact | None, ours: SeedResults, theirs: SeedResults
) -> None:
    if one and other and one.digest != other.digest:
        raise InputError(
            f"{what} of seed {ours.seed} is in {ours.folders[0]} and in {theirs.folders[0]}, with different "
            "results",
            "name one of the two folders",
        )


def _experiments_below(path: Path) -> list[Path]:
    """The folders in a folder that are experiments, or hold their seeds."""
    folders = [ExperimentFolder(each) for each in sorted(path.iterdir()) if each.is_dir()]
    return [folder.path for folder in folders if any(map(_is_experiment, folder.seeds()))]


def _is_experiment(folder: ExperimentFolder) -> bool:
    once = any(getattr(folder, name).exists() for name in SINGLE)
    return bool(once or folder.trained_runs() or folder.evaluated_runs())


def _read_if_there(path: Path, result: type[R]) -> Artifact[R] | None:
    return store.read_fresh(path, result) if path.exists() else None
