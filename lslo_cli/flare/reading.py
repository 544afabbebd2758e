"""Read the evaluations of a FLARE experiment, and check that they belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.comparable import Setting, Settings, check_alike, model_text
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.flare.again import evaluate_line, line_of
from lslo_cli.flare.folder import evaluations as all_evaluations
from lslo_cli.flare.folder import is_flares
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.flare.study import FlareStudy
from lslo_cli.method.flare import Translated
from lslo_cli.recipe import FlareSection, RunSection
from lslo_cli.report.reading import experiment_paths
from lslo_cli.tasks.freshness import SWITCHES
from lslo_cli.wording import typed

Evaluation = Artifact[FlareEvaluationResult]
Training = Artifact[FlareTrainingResult]


@dataclass(frozen=True)
class StudyArtifacts:
    """The evaluations of a study and their trainings, by path."""

    evaluations: Mapping[Path, Evaluation]
    trainings: Mapping[Path, Training]

    @property
    def study(self) -> FlareStudy:
        evaluations = {(each.seed, each.result.language): each.result for each in self.evaluations.values()}
        trainings = {(each.seed, each.result.language): each.result for each in self.trainings.values()}
        return FlareStudy(evaluations, trainings)


def read_study(folders: Sequence[ExperimentFolder]) -> FlareStudy:
    """The study of :func:`read_artifacts`. Raises InputError as it does."""
    return read_artifacts(folders).study


def read_artifacts(folders: Sequence[ExperimentFolder]) -> StudyArtifacts:
    """Every evaluation in folders of an experiment or of its seeds, with its training.

    Raises InputError if there is none, if one or its training is damaged, stale or missing, if two are of one
    seed and language, or if they were made with different settings, arithmetic, models or texts.
    """
    evaluations: dict[Path, Evaluation] = {}
    trainings: dict[Path, Training] = {}
    keys: dict[tuple[int, str], Path] = {}
    for path in (path for folder in folders for path in all_evaluations(folder)):
        artifact = store.read(path, FlareEvaluationResult)
        training = path.with_name("training.json")
        trained = store.read(training, FlareTrainingResult)
        of_training = trained.result.relevant(_settings(trained))
        of_tests = artifact.result.relevant(_settings(artifact)).items()
        alone = {key: value for key, value in of_tests if key not in of_training}
        store.check_fresh(path, artifact, _line("flare evaluate", path, trained, **alone))
        other = keys.setdefault((artifact.seed, artifact.result.language), path)
        if other != path:
            raise InputError(
                f"{other} and {path} are both of {artifact.result.language}, seed {artifact.seed}",
                "name one of the two folders",
            )
        runs = [run.run for run in trained.result.runs]  # the recipe has those of its last command
        store.check_fresh(training, trained, _line("flare train", path, trained, runs=runs))
        evaluations[path], trainings[training] = artifact, trained
    if not evaluations:
        raise _nothing_in(folders)
    _check_alike(evaluations)
    _check_alike(trainings)
    return StudyArtifacts(evaluations, trainings)


def _line(command: str, path: Path, trained: Training, **changed: object) -> str:
    """A command's line on the experiment of the artifact at ``path``, as trained but for ``changed``."""
    recipe = {**trained.recipe, "flare": {**trained.recipe["flare"], **changed}}
    return line_of(command, path.parent.parent.parent, recipe)


def _settings(artifact: Evaluation | Training) -> dict[str, Any]:
    """The recipe's [flare]; a setting that it lacks has its default."""
    return {**FlareSection().model_dump(mode="json"), **artifact.recipe["flare"]}


def _nothing_in(folders: Sequence[ExperimentFolder]) -> InputError:
    """The error for folders without any evaluation. Raises InputError itself if one is missing."""
    for folder in folders:
        experiment_paths(folder.path)
        if not is_flares(folder) and any(seed.has_artifacts() for seed in folder.seeds()):
            return InputError(
                f"{folder.path} is no FLARE experiment", "report it", typed("report", folder.path)
            )
    where = ", ".join(str(folder.path) for folder in folders)
    return InputError(f"no evaluation in {where}", "make it first", evaluate_line(folders[0]))


def _check_alike(found: Mapping[Path, Evaluation] | Mapping[Path, Training]) -> None:
    """Raise InputError if two artifacts do not belong together."""
    named = ((str(path), settings) for path, artifact in found.items() for settings in _made_with(artifact))
    check_alike(named, "made", ("report them separately: keep each in its own experiment",))


def _made_with(artifact: Evaluation | Training) -> Iterator[Settings]:
    """The settings that must be equal in all artifacts of a kind; translators also within an artifact."""
    result, settings = artifact.result, _settings(artifact)
    run = {**RunSection().model_dump(mode="json"), **artifact.recipe["run"]}
    side = Translated.TEST if isinstance(result, FlareEvaluationResult) else Translated.TRAIN
    yield {
        **{f"flare.{key}": Setting(value) for key, value in sorted(result.relevant(settings).items())},
        **{f"run.{key}": Setting(run[key]) for key in SWITCHES},
        "task models": Setting(artifact.model.digest, model_text(artifact)),
        **{f"{key} of the task models": Setting(value) for key, value in artifact.model.settings.items()},
        **{f"texts of {text.split}": Setting(text.digest, text.digest[:12]) for text in artifact.data},
        "texts": Setting("translated" if side in settings["translated"] else "as published"),
    }
    for origin in result.translations.values():
        yield {"translators of texts": Setting(origin.translator)}
    for trained in result.runs if isinstance(result, FlareTrainingResult) else ():
        if trained.translator:
            model, _, code = trained.translator.rpartition(" as ")
            digest = trained.translator_digest
            yield {
                f"translation models of {trained.run}": Setting(digest, f"{model} ({digest[:12]})"),
                f"languages that {trained.run} reads {result.language} as": Setting(code),
            }
