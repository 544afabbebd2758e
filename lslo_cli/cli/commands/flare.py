"""``lslo flare``: a task carried from English to other languages, by FLARE and its baselines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import App, Key, split_commas, takes
from lslo_cli.cli.options import (
    EXPERIMENT,
    MACHINE,
    TRAINING,
    BaseModelName,
    FolderOptions,
    MachineOptions,
    TrackerName,
)
from lslo_cli.cli.run import print_artifacts, say_next, show_plan
from lslo_cli.errors import UsageError

if TYPE_CHECKING:
    from lslo_cli.recipe import Memory, Recipe
    from lslo_cli.tasks import Written

READ = ("flare", "run", "name", "description")
"""The parts of a recipe that these commands read."""

app = App(help="FLARE: carry a task from English to other languages, fused in adapters.")


def read_seeds(text: str) -> tuple[int, ...]:
    """Read ``1,2,3``. Raises UsageError for what is no list of numbers."""
    if not all(part.isdecimal() for part in split_commas(text)):
        raise UsageError(f"'--seeds {text}' is no list of numbers", "write --seeds 1,2,3")
    return tuple(map(int, split_commas(text)))


@dataclass(frozen=True, kw_only=True)
class TaskOptions(MachineOptions, FolderOptions):
    """Which task, on which data, in which languages."""

    name: Annotated[
        str | None,
        Option(
            "--name",
            metavar="NAME",
            rich_help_panel=EXPERIMENT,
            help="The experiment's folder in --results; default: the recipe's name or flare-TASK.",
        ),
        Key("name"),
    ] = None
    task: Annotated[
        str | None,
        Option("--task", metavar="NAME", rich_help_panel=EXPERIMENT),
        Key("flare.task"),
    ] = None
    data: Annotated[
        str | None,
        Option("--data", metavar="FOLDER", rich_help_panel=EXPERIMENT),
        Key("flare.data"),
    ] = None
    targets: Annotated[
        str | None,
        Option("--targets", metavar="CODES", rich_help_panel=EXPERIMENT),
        Key("flare.languages", split_commas),
    ] = None

    def resolve(self, memory: Memory | None = None) -> Recipe:
        """The recipe with these options applied. Raises UsageError for a ``--set`` that has no effect."""
        for assignment in self.assignments or ():
            key = assignment.partition("=")[0].strip()
            if key.partition(".")[0] not in READ:
                raise UsageError(
                    f"'--set {assignment}' has no effect in lslo flare",
                    "set keys of [flare], such as flare.rank=4, or of [run]; --seeds names the seeds",
                )
        recipe = super().resolve(memory)
        return recipe if recipe.name else recipe.model_copy(update={"name": f"flare-{recipe.flare.task}"})


@dataclass(frozen=True, kw_only=True)
class FlareOptions(TaskOptions):
    """With which model, and what is compared."""

    model: Annotated[
        str | None,
        Option("--model", metavar="FOLDER|ID", rich_help_panel=EXPERIMENT),
        Key("flare.model"),
    ] = None
    runs: Annotated[
        str | None,
        Option("--runs", metavar="NAMES", rich_help_panel=EXPERIMENT),
        Key("flare.runs", split_commas),
    ] = None
    seeds: Annotated[
        str | None,
        Option("--seeds", metavar="NUMBERS", rich_help_panel=EXPERIMENT),
        Key("flare.seeds", read_seeds),
    ] = None
    dry_run: Annotated[
        bool, Option("--dry-run", rich_help_panel=MACHINE, help="Check all, print the plan, write nothing.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class FlareTrainOptions(FlareOptions):
    epochs: Annotated[
        int | None,
        Option("--epochs", rich_help_panel=TRAINING),
        Key("flare.epochs"),
    ] = None
    lr: Annotated[float | None, Option("--lr", rich_help_panel=TRAINING), Key("flare.lr")] = None
    track: TrackerName = None


@dataclass(frozen=True, kw_only=True)
class FlareTranslateOptions(TaskOptions):
    model: BaseModelName = None
    run: Annotated[str, Option("--run", metavar="FOLDER|ID", help="What was trained on it, or base.")] = (
        "base"
    )
    beam: Annotated[int | None, Option("--beam"), Key("evaluate.beam")] = None
    output: Annotated[
        str | None,
        Option("--output", "-o", metavar="FOLDER", help="Default: the recipe's flare.translations."),
        Key("flare.translations"),
    ] = None


@app.command("translate")
@takes(FlareTranslateOptions)
def translate(options: FlareTranslateOptions) -> None:
    """Machine-translate a task's texts: training into the target languages, tests into English.

    A recipe with flare.translated = ["train", "test"], or one of them, reads the files in place of the
    published texts. The answer of a question is carried over between quotes; questions that lose them are
    dropped and counted.
    Reads: the task's files, a base model, and what was trained on it.
    Writes: SRC-TGT/SPLIT.csv, for TyDiQA tydiqa.translate.SPLIT.SRC-TGT.json, each with its .provenance.json

    Example: lslo flare translate --recipe flare-demo --model world
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.flare.translating import translate_task

    with listening(options.quiet) as on_event:
        written = list(translate_task(experiment, options.run, on_event))
    if not print_artifacts(options, written):
        columns = ("from", "into", "split", "rows", "lost", "file")
        console.show_table("Translations", columns, _translated_rows(written), names=3)
    say_next(options, written, "flare train")


@app.command("train")
@takes(FlareTrainOptions)
def train(options: FlareTrainOptions) -> None:
    """Tune on English, then train every method on every target language, for every seed.

    What is there already is kept, so an interrupted experiment goes on when the line is run again.
    Reads: the task model and the task's files.
    Writes: seed-N/LANGUAGE/training.json with weights.

    Example: lslo flare train --recipe flare-nusax --data NUSAX --model MODEL
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.flare import commands

    if options.dry_run:
        from lslo_cli.flare.plan import plan

        return show_plan(options, plan(experiment, "train"))
    with listening(options.quiet) as on_event:
        written = list(commands.train(experiment, on_event))
    if not print_artifacts(options, written):
        columns = ("seed", "language", "run", "parameters", "seconds", "dev")
        console.show_table("Runs", columns, _trained_rows(written), names=3)
    say_next(options, written, "flare evaluate")


@app.command("evaluate")
@takes(FlareOptions)
def evaluate(options: FlareOptions) -> None:
    """Test every trained method, and with it the controls: no source, the mean, another row's.

    Reads: seed-N/LANGUAGE/training.json with weights, and the task's test files.
    Writes: seed-N/LANGUAGE/evaluation.json

    Example: lslo flare evaluate --recipe flare-nusax --data NUSAX --model MODEL
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.flare import commands

    if options.dry_run:
        from lslo_cli.flare.plan import plan

        return show_plan(options, plan(experiment, "evaluate"))
    with listening(options.quiet) as on_event:
        written = list(commands.evaluate(experiment, on_event))
    if not print_artifacts(options, written):
        columns = ("seed", "language", "run", "source", "score")
        console.show_table("Runs", columns, _tested_rows(written), names=3)
    say_next(options, written, "flare report")


def _translated_rows(written: Iterable[Written]) -> Iterable[tuple[object, ...]]:
    for item in written:
        result = item.artifact.result
        src, tgt = result.languages
        path = item.path.with_name(item.path.name.removesuffix(".provenance.json"))
        yield src, tgt, result.split, result.rows, result.lost, str(path)


def _trained_rows(written: Iterable[Written]) -> Iterable[tuple[object, ...]]:
    for item in written:
        result = item.artifact.result
        for run in result.runs:
            best = max((epoch.dev_score for epoch in run.history), default=None)
            yield (
                item.artifact.seed,
                result.language,
                run.run,
                run.trainable_parameters,
                f"{run.seconds:.0f}",
                None if best is None else f"{best:.1f}",
            )


def _tested_rows(written: Iterable[Written]) -> Iterable[tuple[object, ...]]:
    for item in written:
        result = item.artifact.result
        for test in result.predictions:
            yield (item.artifact.seed, result.language, test.run, test.source, f"{test.score:.1f}")
