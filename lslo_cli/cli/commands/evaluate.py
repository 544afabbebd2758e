"""``lslo evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from typer import Option

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, split_commas, takes
from lslo_cli.cli.options import MaxTokens
from lslo_cli.cli.record import line_for_record
from lslo_cli.cli.run import print_artifacts, say_next, show_plan
from lslo_cli.cli.stage_options import ModelOptions
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.metrics import SPBLEU

if TYPE_CHECKING:
    from lslo_cli.artifacts.evaluations import EvaluationResult
    from lslo_cli.artifacts.folder import ExperimentFolder
    from lslo_cli.artifacts.schema import Artifact, Result
    from lslo_cli.recipe import Recipe
    from lslo_cli.report.table import Table
    from lslo_cli.tasks.experiment import Experiment, Written

R = TypeVar("R", bound="Result")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ModelOptions):
    tests = True

    run: Annotated[
        list[str] | None,
        Option(
            "--run",
            metavar="NAME|FOLDER|ID",
            help="A run, a folder, a hub id, or base. Repeatable; default: base and all runs of these "
            "languages not yet evaluated.",
        ),
    ] = None
    directions: Annotated[
        str | None, Option("--directions", metavar="LIST"), Key("evaluate.directions", split_commas)
    ] = None
    test_rows: Annotated[int | None, Option("--test-rows"), Key("data.test_rows")] = None
    beam: Annotated[int | None, Option("--beam"), Key("evaluate.beam")] = None
    mode: Annotated[str | None, Option("--mode"), Key("evaluate.mode")] = None
    metrics: Annotated[
        str | None, Option("--metrics", metavar="LIST"), Key("evaluate.metrics", split_commas)
    ] = None
    metric_model: Annotated[
        str | None, Option("--metric-model", metavar="flores101|base|FILE"), Key("evaluate.metric_model")
    ] = None
    max_tokens: MaxTokens = None
    force: Annotated[bool, Option("--force", help="Evaluate again even if results are up to date.")] = False

    def check(self, recipe: Recipe) -> None:
        """Raise as for every command, and as :meth:`check_metric_model` does."""
        super().check(recipe)
        self.check_metric_model(recipe)

    def check_metric_model(self, recipe: Recipe) -> None:
        """Raise UsageError for a typed ``evaluate.metric_model`` where no metric reads it."""
        typed, metrics = self.as_typed().get("evaluate.metric_model"), recipe.evaluate.metrics
        if typed and SPBLEU not in metrics:
            raise UsageError(
                f"{typed} has no effect with the metrics {','.join(metrics)}, of which none is {SPBLEU}",
                f"leave it out, or score by {SPBLEU} too: --metrics {','.join((SPBLEU, *metrics))}",
            )


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Translate the test text in every direction and score it: spBLEU and chrF++ by group.

    Paper: section 6.1, tables 1 to 4.
    Reads: the base model, the test text, runs/RUN/training.json and its weights.
    Writes: runs/RUN/evaluation.json, and beside it hypotheses, sources and references line by line.

    Beside a full evaluation, one of some directions or rows is kept in runs/RUN/evaluations/. A run named by
    a folder or a hub id brings its own base model, languages and settings.

    Example: lslo evaluate --run base --run 2-2-8-gps0.9
    """
    named = tuple(options.run or ())
    # Refuse wrong settings before torch is loaded, which takes seconds.
    experiment = None if named else options.experiment()
    from lslo_cli.artifacts.adapter_config import is_elsewhere
    from lslo_cli.cli.progress import listening
    from lslo_cli.data.splits import is_test_trained_on
    from lslo_cli.tasks import commands as tasks
    from lslo_cli.tasks.evaluate_folder import run_at

    elsewhere = [run for run in named if is_elsewhere(run)]
    runs = [run for run in named if run not in elsewhere]
    if runs:
        experiment = options.experiment()
    found = [
        run_at(run, options.results, options.given_for(run), line_for_record(options)) for run in elsewhere
    ]
    for of_run, *_ in found:
        options.check_metric_model(of_run.recipe)
    if options.dry_run:
        for of_run, run, trained in found:
            show_plan(options, tasks.evaluation_plan(of_run.recipe, [run], [trained]))
        if experiment:
            show_plan(options, tasks.plan(experiment, "evaluate", runs=runs))
        return
    with listening(options.quiet) as on_event:
        written = [tasks.evaluate_run(*each, options.force, on_event) for each in found]
        if experiment:
            written += tasks.evaluate(experiment, runs=runs, force=options.force, on_event=on_event)
    if not print_artifacts(options, written):
        shown = experiment or found[0][0]
        metrics = shown.recipe.evaluate.metrics if options.metrics else [SPBLEU]
        show_scores(shown, written, metrics, options.quiet)
    if experiment:
        again = replace(options, test=None) if is_test_trained_on(experiment.recipe) else options
        say_next(again, written, *_next(experiment.folder))
    else:  # that of a run from elsewhere remembers nothing: the next line has to name it
        folder = found[0][0].folder
        say_next(replace(options, name=folder.path.name), written, *_next(folder, "--run", elsewhere[0]))


def _next(folder: ExperimentFolder, *whole: str) -> tuple[str, *tuple[object, ...]]:
    """What usually comes next: the figure of gains if there are any, else what it lacks.

    ``whole`` are the words that evaluate everything where only some directions or rows have been.
    """
    names = [run.name for run in folder.evaluated_runs()]
    trained = {run.name for run in folder.trained_runs()}
    if not names:
        return ("evaluate", *whole)
    if not whole and _are_apart(_evaluations(folder, quiet=True)):
        return ("evaluate", "--force")
    if names == [BASE_RUN]:
        return ("train",)
    if BASE_RUN not in names:
        return ("report", folder.path)
    return ("plot directions", *(() if trained & {*names} else ("--run", names[-1])))


def _are_apart(evaluations: Sequence[Artifact[EvaluationResult]]) -> bool:
    """Whether runs were translated with different search settings, so that nothing compares them."""
    return any(run.result.search != evaluations[0].result.search for run in evaluations)


def _evaluations(folder: ExperimentFolder, quiet: bool) -> list[Artifact[EvaluationResult]]:
    """The evaluations of a folder that still hold."""
    from lslo_cli.artifacts.evaluations import EvaluationResult

    return _fresh([run.evaluation for run in folder.evaluated_runs()], EvaluationResult, quiet)


def show_scores(
    experiment: Experiment, written: Sequence[Written], metrics: Sequence[str], quiet: bool = False
) -> None:
    """Print scores by group of directions for all evaluated runs and those ``written``, a table per metric.

    A summary in words precedes each table of spBLEU. Artifacts that are damaged or stale are left out, and
    named unless ``quiet``.
    """
    from lslo_cli.artifacts.results import TrainingResult
    from lslo_cli.report.quality import quality_table
    from lslo_cli.report.summary import summarise

    folder = experiment.folder
    evaluations = _evaluations(folder, quiet)
    evaluations += [item.artifact for item in written if item.artifact not in evaluations]
    trained = _fresh([run.training for run in folder.trained_runs()], TrainingResult, quiet)
    trainings = [artifact.result for artifact in trained]
    shown = [
        (metric, alike)
        for metric in metrics
        for alike in comparable([run for run in evaluations if metric in run.result.metrics], metric)
    ]
    for number, (metric, alike) in enumerate(shown):
        if number:
            console.results.print()
        if metric == SPBLEU:
            console.show_sentences(summarise([{result.run: result for result in alike}], BASE_RUN))
        show_quality(quality_table(alike, trainings, metric))
    if _are_apart(evaluations) and not quiet:
        console.say("runs above in different tables were translated with different search settings")


def _fresh(paths: Sequence[Path], result_type: type[R], quiet: bool) -> list[Artifact[R]]:
    """The artifacts at ``paths`` that still hold; a line says which do not, and why."""
    from lslo_cli.artifacts import store

    found = []
    for path in paths:
        try:
            found.append(store.read_fresh(path, result_type))
        except InputError as error:
            if not quiet:
                console.say(f"left out: {error.message}")
    return found


def comparable(
    evaluations: Sequence[Artifact[EvaluationResult]], metric: str
) -> list[list[EvaluationResult]]:
    """Runs that may share a table, since they were measured with the same settings."""
    from lslo_cli.artifacts.comparable import measured_with

    alike: list[tuple[object, list[EvaluationResult]]] = []
    for artifact in evaluations:
        settings = measured_with(artifact, metric)
        found = next((results for others, results in alike if others == settings), None)
        if found is None:
            alike.append((settings, found := []))
        found.append(artifact.result)
    return [results for _, results in alike]


def show_quality(table: Table) -> None:
    """Print runs by groups of directions, with the average (table 1), without the paper's #Params."""
    kept = [number for number, name in enumerate(table.header) if name != "paper's #Params"]
    rows = [[row[number] for number in kept] for row in table.text_rows()]
    console.show_table(table.title, [table.header[number] for number in kept], rows)
