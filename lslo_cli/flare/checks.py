"""What is checked before work: texts and methods, and whether a training is the recipe's."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lslo_cli.artifacts import store
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError, LsloError
from lslo_cli.flare.folder import trainings
from lslo_cli.flare.inputs import seem_the_same
from lslo_cli.flare.results import FlareEvaluationResult, FlareResult, FlareTrainingResult, TrainedRun
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.method.flare import SOURCE, FlareMethod, FlareRun, Translated, check_has_others
from lslo_cli.recipe import FlareSection, Recipe, recorded
from lslo_cli.tasks.experiment import Experiment, Written
from lslo_cli.tasks.freshness import SWITCHES, same_settings
from lslo_cli.tasks.job import ArtifactJob
from lslo_cli.wording import Command

FOR_TRAINING, FOR_TESTS = ("train", "dev"), ("test",)
"""The splits that a training reads, and that a test reads."""

FREE = ("batch_size",)
"""Settings in which a test may differ from its training: its batches are its own."""

R = TypeVar("R", bound=FlareResult)

Rows = dict[tuple[str, str], int]
"""Numbers of rows by language and split."""


def check_experiment(
    setup: FlareSetup,
    languages: Iterable[str],
    runs: Iterable[FlareRun],
    to_translate: Collection[Translated] = (),
) -> Rows:
    """Read all texts that trainings and tests on ``languages`` need, and attach every run to the task model.

    The model stays loaded for the training that follows. Splits in ``to_translate`` are not read: their
    translations are to be made first. Raises whatever a training or a test would raise at a text or a run.
    """
    splits = [split for split in (*FOR_TRAINING, *FOR_TESTS) if side_of(split) not in to_translate]
    rows, runs = rows_of(setup, [SOURCE], FOR_TRAINING) | rows_of(setup, languages, splits), tuple(runs)
    check_rows(rows, runs)
    setup.check_runs(runs)
    return rows


def check_rows(rows: Rows, runs: Iterable[FlareRun]) -> None:
    """Raise InputError if a text of a target language has a single row where ``runs`` need another's source.

    A test of a run that fuses does, and training with shuffled sources.
    """
    methods = {run.method for run in runs}
    for (language, split), count in rows.items():
        if split in FOR_TESTS:
            shuffles = any(method.fuses for method in methods)
        else:
            shuffles = language != SOURCE and FlareMethod.FLARE_SHUFFLED in methods
        if shuffles:
            check_has_others(count, f"the {split} text in {language}")


def rows_of(setup: FlareSetup, languages: Iterable[str], splits: Iterable[str]) -> Rows:
    """The number of rows in every split of every language. Raises InputError as reading a text does."""
    asked = [(language, split) for language in languages for split in splits]
    return {(language, split): len(setup.pairs(language, split).target) for language, split in asked}


def side_of(split: str) -> Translated:
    """The side of a recipe's ``translated`` that a split belongs to."""
    return Translated.TEST if split in FOR_TESTS else Translated.TRAIN


def check_settings(
    path: Path, training: Artifact[FlareTrainingResult], recipe: Recipe, line: Command | str
) -> None:
    """Refuse a training that was made with other settings than the recipe's, but for :data:`FREE`.

    Settings that it lacks have their defaults. Raises InputError naming the first that differs, and ``line``,
    which trains.
    """
    made_with = recorded(training.recipe)
    if made_with is None:
        raise InputError(f"{path} is stale: its recipe is not valid any more", "make it again", line)
    free = {name: getattr(made_with.flare, name) for name in FREE}
    recipe = recipe.model_copy(update={"flare": recipe.flare.model_copy(update=free)})
    if differs := _difference(training, made_with, recipe):
        raise InputError(
            f"{path} is stale: it was made with {differs}",
            "take the settings of the training, or make it again",
            line,
        )


def check_neighbours(experiment: Experiment, setup: FlareSetup | None = None) -> None:
    """Refuse to train where that would make a folder of results that do not belong together, or drop some.

    A tested training of another seed or language must have the recipe's settings, text and task model, or it
    could not be reported with what is to be made. So must one that the recipe makes, if it has runs that the
    recipe lacks, or they would be lost. With the ``setup`` of one of its seeds, which has read its texts,
    these are compared whatever they are named, and so are translation models. Raises InputError naming the
    first and what differs.
    """
    settings = experiment.recipe.flare
    wanted = {str(run) for run in settings.parsed_runs()}
    made_again = {(seed, language) for seed in settings.seeds for language in settings.languages}
    for path in trainings(experiment.folder):
        try:
            neighbour = store.read(path, FlareTrainingResult)
        except InputError:
            continue  # which the report will say
        again = (neighbour.seed, neighbour.result.language) in made_again
        lost = [run.run for run in neighbour.result.runs if again and run.run not in wanted]
        if not (lost or (not again and path.with_name("evaluation.json").exists())):
            continue
        differs = _otherwise(neighbour, experiment.recipe, setup)
        if setup and not lost:
            differs = differs or _other_translator(neighbour, setup)
        if differs:
            loss = f"its runs {', '.join(lost)} would be lost"
            remedy = "name these in --runs too, which makes them again" if lost else f"remove {path.parent}"
            raise InputError(
                f"{path} was made with {differs}: "
                + (loss if lost else "it could not be reported with what is to be made"),
                f"name the new experiment: --set name={experiment.recipe.experiment}-2; or {remedy}",
            )


def _otherwise(training: Artifact[FlareTrainingResult], recipe: Recipe, setup: FlareSetup | None) -> str:
    """What a training was made with and the recipe has otherwise, or has now; empty if nothing."""
    made_with, settings = recorded(training.recipe), recipe.flare
    differs = made_with and _difference(
        training, made_with, recipe.model_copy(update={"seed": training.seed})
    )
    if differs:
        return differs
    if setup and (other := _other_text(training, setup)):
        return other
    is_of_model = training.model.is_the_same(setup.model_identity) if setup else True
    if is_of_model and seem_the_same(training, settings):
        return ""
    return f"another text or task model than are now in {settings.data} and {settings.model}"


def _other_text(training: Artifact[FlareTrainingResult], setup: FlareSetup) -> str:
    """The first text of a training that is another one now, or has another translator; empty if none is.

    What is not there any more is not compared.
    """
    for text in training.data:
        with suppress(LsloError):
            if (now := setup.digest_now(text)) != text.digest:
                return f"another text of {text.split} ({text.digest[:12]}) than there is now ({now[:12]})"
    read = {split: record.origin for split, record in setup.translations.items()}
    now_by = {
        origin.translator for split, origin in read.items() if not split.endswith(f"/{Translated.TEST}")
    }
    for split, origin in training.result.translations.items():
        if others := now_by - {origin.translator}:
            return f"{split} translated by {origin.translator}, and others are now by {min(others)}"
    return ""


def _other_translator(training: Artifact[FlareTrainingResult], setup: FlareSetup) -> str:
    """The first of the recipe's runs that a training has with another translation model; empty if none is."""
    settings, language = setup.settings, training.result.language
    for run in settings.parsed_runs():
        done = training.result.run(str(run))
        if done is None or not done.translator:
            continue
        # Another language than the recipe's may be read as another one by now.
        code = setup.read_as(run, language) if language in settings.languages else done.read_as
        was, digest = done.translator_digest, setup.translator_digest(run)
        if not done.is_by(digest, code):
            now = f"{settings.translator(run.translator)} as {code}"
            return f"{run} by {done.translator} ({was[:12]}), and it is now {now} ({digest[:12]})"
    return ""


def tests_to_keep(
    job: ArtifactJob[FlareSetup], training: FlareTrainingResult, wanted: Collection[str]
) -> FlareEvaluationResult | None:
    """The earlier tests of a training's weights, beside which those of the runs ``wanted`` are made.

    None if there are none, or if all are made again. Raises InputError if they were made otherwise and would
    lose runs that are not wanted.
    """
    try:
        before = store.read(job.path, FlareEvaluationResult)
    except InputError:
        return None
    digests = {run.run: run.weights.digest if run.weights else "" for run in training.runs}
    tests = [test for test in before.result.predictions if test.weights == digests.get(test.run)]
    runs = dict.fromkeys(test.run for test in tests)
    activations = [each for each in before.result.activations if each.run in runs]
    if job.up_to_date(FlareEvaluationResult, but_for="training"):
        return before.result.model_copy(update={"predictions": tests, "activations": activations})
    if lost := [run for run in runs if run not in wanted]:
        made_with = recorded(before.recipe)
        differs = made_with and _difference(before, made_with, job.setup.recipe)
        raise InputError(
            f"{job.path} was made with {differs or 'another text or task model'}: "
            f"its tests of {', '.join(lost)} would be lost",
            "name these in --runs too, which tests them again",
        )
    return None


def _difference(artifact: Artifact[R], made_with: Recipe, recipe: Recipe) -> str:
    """The first setting that differs, with both values; empty if none does."""
    if same_settings(artifact, recipe):
        return ""
    before = _values(made_with, artifact.result) | {"seed": artifact.seed}
    now = _values(recipe, artifact.result)
    name = next(name for name, value in now.items() if before.get(name, value) != value)
    return f"{name} = {before[name]}, and the recipe now has {now[name]}"


def check_texts(
    path: Path, training: Artifact[FlareTrainingResult], setup: FlareSetup, line: Command | str
) -> None:
    """Refuse a training on another text than the recipe's is now.

    Raises InputError naming the text, and ``line``, which trains, and as reading a text does.
    """
    for text in training.data:
        if (now := setup.digest_now(text)) != text.digest:
            raise InputError(
                f"{path} is stale: it was made from {text.split} of {text.path} ({text.digest[:12]}), and "
                f"that of flare.data = {setup.settings.data} is another text now ({now[:12]})",
                "name the text of the training, or make it again",
                line,
            )


def _values(recipe: Recipe, result: FlareResult) -> dict[str, Any]:
    """All that :func:`same_settings` compares of a result, by dotted key."""
    (settings,) = result.settings(recipe)
    return {
        **{f"flare.{key}": value for key, value in settings.items()},
        **{f"run.{key}": getattr(recipe.run, key) for key in SWITCHES},
        "seed": recipe.seed,
        "new_languages": recipe.new_languages,
    }


def left_out_of_tests(settings: FlareSection, trained: Iterable[str]) -> list[str]:
    """Those of the trained runs that a test leaves out: the recipe has neither them nor their translator."""
    of_recipe = settings.parsed_runs()
    runs = [run for run in map(FlareRun.parse, trained) if run not in of_recipe]
    return [
        str(run)
        for run in runs
        if run.method is FlareMethod.FLARE_MT and settings.translator(run.translator) is None
    ]


def whole_runs(written: Written | None) -> dict[str, TrainedRun]:
    """The runs of a training by name, without those whose weights are missing or damaged."""
    found: dict[str, TrainedRun] = {}
    if not written:
        return found
    for run in written.artifact.result.runs:
        try:
            if run.weights:
                store.read_tensor_path(written.path, run.weights)
        except InputError:
            continue
        found[run.run] = run
    return found
