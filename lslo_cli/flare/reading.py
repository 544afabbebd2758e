"""Read the evaluations of a FLARE experiment, and check that they belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.flare.folder import evaluations as all_evaluations
from lslo_cli.flare.folder import is_flares
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.flare.study import FlareStudy
from lslo_cli.recipe import recorded
from lslo_cli.report.reading import experiment_paths

Evaluation = Artifact[FlareEvaluationResult]


def read_study(folders: Sequence[ExperimentFolder]) -> FlareStudy:
    """The study of :func:`read_evaluations`, with each training. Raises InputError as it does."""
    return study_of(read_evaluations(folders))


def study_of(found: Mapping[Path, Evaluation]) -> FlareStudy:
    """Evaluations as a study. Raises InputError if the training of one is missing or damaged."""
    evaluations, trainings = {}, {}
    for path, artifact in found.items():
        key = artifact.seed, artifact.result.language
        evaluations[key] = artifact.result
        trainings[key] = store.read(path.with_name("training.json"), FlareTrainingResult).result
    return FlareStudy(evaluations, trainings)


def read_evaluations(folders: Sequence[ExperimentFolder]) -> dict[Path, Evaluation]:
    """Every evaluation in folders of an experiment or of its seeds, by path.

    Raises InputError if there is none, if one is damaged or stale, if two are of one seed and language, or if
    they were made with different settings, models or texts.
    """
    found: dict[Path, Evaluation] = {}
    keys: dict[tuple[int, str], Path] = {}
    for path in (path for folder in folders for path in all_evaluations(folder)):
        artifact = store.read(path, FlareEvaluationResult)
        store.check_fresh(path, artifact, FlareEvaluationResult.command)
        other = keys.setdefault((artifact.seed, artifact.result.language), path)
        if other != path:
            raise InputError(
                f"{other} and {path} are both of {artifact.result.language}, seed {artifact.seed}",
                "name one of the two folders",
            )
        found[path] = artifact
        _check_alike(path, list(found.values()))
    if not found:
        raise _nothing_in(folders)
    return found


def _nothing_in(folders: Sequence[ExperimentFolder]) -> InputError:
    """The error for folders without any evaluation. Raises InputError itself if one is missing."""
    for folder in folders:
        experiment_paths(folder.path)
        if not is_flares(folder) and any(seed.has_artifacts() for seed in folder.seeds()):
            return InputError(
                f"{folder.path} is no FLARE experiment", f"report it with: lslo report {folder.path}"
            )
    where = ", ".join(str(folder.path) for folder in folders)
    return InputError(f"no evaluation in {where}", f"make it first: {FlareEvaluationResult.command}")


def _check_alike(path: Path, artifacts: Sequence[Evaluation]) -> None:
    """Raise InputError if the last artifact does not belong with the others."""
    first, last = artifacts[0], artifacts[-1]
    texts = {(text.split, text.digest) for artifact in artifacts for text in artifact.data}
    different = {
        "settings": _settings(first) != _settings(last),
        "task model": first.model.digest != last.model.digest,
        "test text": len(texts) != len({split for split, _ in texts}),
    }
    for what, differs in different.items():
        if differs:
            raise InputError(
                f"{path} was made with other {what} than {first.result.language} of seed {first.seed}",
                "report them separately: keep each in its own experiment",
            )


def _settings(artifact: Evaluation) -> object:
    """The settings that must be the same in all artifacts."""
    made_with = recorded(artifact.recipe)
    return FlareEvaluationResult.settings(made_with) if made_with else artifact.recipe["flare"]
