"""The plan of ``lslo flare`` (``--dry-run``): all inputs are loaded; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.events import ignore
from lslo_cli.flare.checks import (
    FOR_TESTS,
    FOR_TRAINING,
    Rows,
    check_experiment,
    check_neighbours,
    check_rows,
    rows_of,
    tests_to_keep,
    whole_runs,
)
from lslo_cli.flare.commands import missing_runs
from lslo_cli.flare.folder import LanguageFolder
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.flare.runs import TUNING
from lslo_cli.flare.seed_run import SeedRun
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.flare.translating import TaskSplit, sides
from lslo_cli.method.flare import SOURCE, FlareRun
from lslo_cli.tasks.experiment import Experiment, Upstream
from lslo_cli.tasks.job import ArtifactJob
from lslo_cli.tasks.plan import Plan
from lslo_cli.tasks.translate import open_translator
from lslo_cli.training.device import describe_device
from lslo_cli.wording import Command


def plan(
    experiment: Experiment,
    command: str,
    asked: Sequence[FlareRun] = (),
    train_line: Command | str = FlareTrainingResult.command,
) -> Plan:
    """The plan of ``train``, or of ``evaluate`` with its arguments.

    Raises what the command would raise before its work.
    """
    store.check_writable(experiment.folder.path)
    recipe = experiment.recipe.flare
    seeds = [SeedRun(experiment, number, ignore, train_line) for number in recipe.seeds]
    first = seeds[0].setup
    files = _trainings if command == "train" else partial(_evaluations, asked=asked)
    would_write = tuple(path for seed in seeds for path in files(seed))
    languages = (SOURCE, *recipe.languages) if command == "train" else recipe.languages
    splits = FOR_TRAINING if command == "train" else FOR_TESTS
    if command == "train":
        rows = check_experiment(first, recipe.languages, recipe.parsed_runs())
        check_neighbours(experiment, first)
    else:
        rows = rows_of(first, languages, splits)
    model = first.model_identity
    facts = [
        ("task", f"{recipe.task}, {first.task.metric}"),
        ("task model", f"{model.name}, {model.parameters:,} parameters"),
        *((f"text in {language}", _sizes(rows, language, splits)) for language in languages),
        ("methods", ", ".join(recipe.runs)),
        *((f"translator {name}", where) for name, where in recipe.translators.items()),
        ("seeds", ", ".join(map(str, recipe.seeds))),
        ("device", first.device),
    ]
    return Plan(f"flare {command}", tuple(facts), (), would_write)


def translation_plan(experiment: Experiment, run: str) -> Plan:
    """The plan of ``translate``. Raises what the command would raise before its work."""
    recipe = experiment.recipe
    store.check_writable(Path(recipe.flare.translations))
    translator = open_translator(experiment, run)
    asked = list(sides(experiment, translator))
    missing = [side for side in asked if not side.up_to_date()]
    identity = translator.setup.model_identity
    facts = [
        ("task", recipe.flare.task),
        ("translator", f"{identity.name}, {identity.parameters:,} parameters, run {run}"),
        *((f"{side.split} {side.src}-{side.tgt}", _translated(side, side in missing)) for side in asked),
        ("search", f"beam {recipe.evaluate.beam}"),
        ("device", describe_device(translator.setup.accelerator.device)),
    ]
    return Plan("flare translate", tuple(facts), (), tuple(side.path for side in missing))


def _translated(side: TaskSplit, missing: bool) -> str:
    status = "" if missing else ", up to date"
    return f"{len(side.examples()):,} rows, as {' to '.join(side.codes.values())}{status}"


def _sizes(rows: Rows, language: str, splits: Iterable[str]) -> str:
    return ", ".join(f"{rows[language, split]:,} rows to {split}" for split in splits)


def _trainings(seed: SeedRun) -> Iterator[Path]:
    """The trainings of a seed that are missing, incomplete or stale, the tuning first."""
    path = seed.source.training
    current = _job(seed, path).up_to_date(FlareTrainingResult)
    tuning_is_current = current is not None and TUNING in whole_runs(current)
    if not tuning_is_current:
        yield path
    runs = seed.setup.settings.parsed_runs()
    for language in seed.setup.settings.languages:
        path = seed.folder(language).training
        current = _job(seed, path, seed.tuning).up_to_date(FlareTrainingResult) if tuning_is_current else None
        if not current or missing_runs(seed.setup, language, runs, whole_runs(current)):
            yield path


def _evaluations(seed: SeedRun, asked: Sequence[FlareRun]) -> Iterator[Path]:
    """The evaluations of a seed that are missing, incomplete or stale."""
    for language in seed.setup.settings.languages:
        folder: LanguageFolder = seed.folder(language)
        training = seed.training(language)
        wanted = seed.to_test(training.result, asked)
        check_rows(rows_of(seed.setup, [language], FOR_TESTS), map(FlareRun.parse, wanted))
        upstream = Upstream("training", folder.training, training.digest)
        job = _job(seed, folder.evaluation, seed.tuning, upstream)
        current = job.up_to_date(FlareEvaluationResult)
        if not (current and current.artifact.result.tested.issuperset(wanted)):
            tests_to_keep(job, training.result, wanted)
            yield folder.evaluation


def _job(seed: SeedRun, path: Path, *upstream: Upstream) -> ArtifactJob[FlareSetup]:
    """A job that only inspects existing artifacts."""
    return ArtifactJob(seed.experiment, path, seed.setup, Stopwatch(), list(upstream))
