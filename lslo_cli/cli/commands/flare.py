"""``lslo flare``: transfer of a task from English to other languages, by FLARE and its baselines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import App, Key, takes
from lslo_cli.cli.flare_options import DryRun, FlareOptions, TaskOptions
from lslo_cli.cli.options import TRAINING, BaseModelName, TrackerName
from lslo_cli.cli.run import print_artifacts, say_next, show_plan

if TYPE_CHECKING:
    from lslo_cli.tasks.experiment import Written

app = App(help="FLARE: transfer a task from English by fusing source and target texts in adapters.")


@dataclass(frozen=True, kw_only=True)
class FlareTrainOptions(FlareOptions):
    epochs: Annotated[int | None, Option("--epochs", rich_help_panel=TRAINING), Key("flare.epochs")] = None
    lr: Annotated[float | None, Option("--lr", rich_help_panel=TRAINING), Key("flare.lr")] = None
    track: TrackerName = None


@dataclass(frozen=True, kw_only=True)
class FlareTranslateOptions(TaskOptions):
    reads = (*TaskOptions.reads, "model", "evaluate", "data", "langs", "languages", "new_languages")

    model: BaseModelName = None
    run: Annotated[str, Option("--run", metavar="FOLDER|ID", help="A run on that base model, or base.")] = (
        "base"
    )
    beam: Annotated[int | None, Option("--beam"), Key("evaluate.beam")] = None
    output: Annotated[
        str | None,
        Option("--output", "-o", metavar="FOLDER", help="Default: the recipe's flare.translations."),
        Key("flare.translations"),
    ] = None
    dry_run: DryRun = False


@app.command("translate")
@takes(FlareTranslateOptions)
def translate(options: FlareTranslateOptions) -> None:
    """Machine-translate a task's texts: training text into the target languages, test text into English.

    A recipe with flare.translated = ["train", "test"], or one of them, reads these files instead of the
    published texts. Quotes mark the answer to a question in its text; questions that lose them are dropped
    and counted.
    Reads: the task's files, a base model, and a run on it.
    Writes: SRC-TGT/SPLIT.csv, for TyDiQA tydiqa.translate.SPLIT.SRC-TGT.json, each with its .provenance.json

    Example: lslo flare translate --recipe flare-demo --model world
    """
    experiment = options.experiment()
    from lslo_cli.cli.progress import listening
    from lslo_cli.flare.translating import translate_task

    if options.dry_run:
        from lslo_cli.flare.plan import translation_plan

        return show_plan(options, translation_plan(experiment, options.run))
    with listening(options.quiet) as on_event:
        written = list(translate_task(experiment, options.run, on_event))
    if not print_artifacts(options, written):
        columns = ("from", "into", "split", "rows", "lost", "file")
        console.show_table("Translations", columns, _translated_rows(written), names=3)
    read_all = () if experiment.recipe.flare.translated else ("--set", "flare.translated=train,test")
    say_next(options, written, "flare train", *read_all)


@app.command("train")
@takes(FlareTrainOptions)
def train(options: FlareTrainOptions) -> None:
    """Tune on English, then train every method on every target language, for every seed.

    Finished runs are kept: run the same line again to continue an interrupted experiment.
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
    """Evaluate every trained method and its controls: no source, the mean source, another row's.

    --runs evaluates only these, each of which must be trained; what was evaluated before is kept.
    Reads: seed-N/LANGUAGE/training.json with weights, and the task's test files.
    Writes: seed-N/LANGUAGE/evaluation.json

    Example: lslo flare evaluate --recipe flare-nusax --data NUSAX --model MODEL
    """
    experiment = options.experiment()
    asked, train_line = options.asked(), options.command("flare train")
    from lslo_cli.cli.progress import listening
    from lslo_cli.flare import commands

    if options.dry_run:
        from lslo_cli.flare.plan import plan

        return show_plan(options, plan(experiment, "evaluate", asked, train_line))
    with listening(options.quiet) as on_event:
        written = list(commands.evaluate(experiment, on_event, asked, train_line))
    if not print_artifacts(options, written):
        columns = ("seed", "language", "run", "source", "noise", "score", "token F1")
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
            f1 = None if test.token_f1 is None else f"{test.token_f1:.1f}"
            scored = test.source, f"{test.noise:.0%}", f"{test.score:.1f}", f1
            yield (item.artifact.seed, result.language, test.run, *scored)
