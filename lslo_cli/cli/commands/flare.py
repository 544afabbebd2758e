"""``lslo flare``: a task carried from English to other languages, by FLARE and its baselines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import Key, split_commas, takes
from lslo_cli.cli.options import EXPERIMENT, TRAINING, ExperimentOptions, MachineOptions, command_line
from lslo_cli.errors import UsageError

if TYPE_CHECKING:
    from lslo_cli.flare.commands import FlareExperiment
    from lslo_cli.tasks.experiment import Written

app = typer.Typer(help="FLARE: carry a task from English to other languages, fused in adapters.")


def read_seeds(text: str) -> tuple[int, ...]:
    """Read ``1,2,3``. Raises UsageError for what is no list of numbers."""
    if not all(part.isdecimal() for part in split_commas(text)):
        raise UsageError(f"'--seeds {text}' is no list of numbers", "write --seeds 1,2,3")
    return tuple(map(int, split_commas(text)))


@dataclass(frozen=True, kw_only=True)
class FlareOptions(MachineOptions, ExperimentOptions):
    """Which task, on which data, with which model."""

    task: Annotated[
        str | None,
        Option("--task", metavar="NAME", rich_help_panel=EXPERIMENT, help="nusax, xnli or tydiqa."),
        Key("flare.task"),
    ] = None
    data: Annotated[
        str | None,
        Option("--data", metavar="FOLDER", rich_help_panel=EXPERIMENT, help="The task's files."),
        Key("flare.data"),
    ] = None
    model: Annotated[
        str | None,
        Option("--model", metavar="FOLDER|ID", rich_help_panel=EXPERIMENT, help="The task model."),
        Key("flare.model"),
    ] = None
    targets: Annotated[
        str | None,
        Option("--targets", metavar="CODES", rich_help_panel=EXPERIMENT, help="Target languages: jv,su."),
        Key("flare.languages", split_commas),
    ] = None
    runs: Annotated[
        str | None,
        Option(
            "--runs",
            metavar="NAMES",
            rich_help_panel=EXPERIMENT,
            help="Methods: zero-shot, translate-test, lora, input-fusion, x-mixup, flare:PHI:OFFSET, "
            "flare-mt:NAME, flare-shuffled:PHI:OFFSET.",
        ),
        Key("flare.runs", split_commas),
    ] = None
    seeds: Annotated[
        str | None,
        Option("--seeds", metavar="NUMBERS", rich_help_panel=EXPERIMENT, help="One experiment for each."),
        Key("flare.seeds", read_seeds),
    ] = None

    def experiment(self) -> FlareExperiment:
        """The experiment these options describe."""
        recipe = self.resolve()
        from lslo_cli.flare.commands import FlareExperiment
        from lslo_cli.flare.folder import FlareFolder

        folder = FlareFolder(self.results / recipe.experiment)
        return FlareExperiment(recipe, folder, command_line())


@dataclass(frozen=True, kw_only=True)
class FlareTrainOptions(FlareOptions):
    epochs: Annotated[
        int | None,
        Option("--epochs", rich_help_panel=TRAINING, help="Epochs by language."),
        Key("flare.epochs"),
    ] = None
    lr: Annotated[
        float | None, Option("--lr", rich_help_panel=TRAINING, help="Peak learning rate."), Key("flare.lr")
    ] = None


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

    with listening(options.quiet) as on_event:
        written = list(commands.train(experiment, on_event))
    show(
        options, written, ("seed", "language", "run", "parameters", "seconds", "dev"), _trained_rows(written)
    )
    _next(options, "flare evaluate")


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

    with listening(options.quiet) as on_event:
        written = list(commands.evaluate(experiment, on_event))
    show(options, written, ("seed", "language", "run", "source", "score"), _tested_rows(written))
    _next(options, "flare report")


def show(
    options: FlareOptions,
    written: list[Written],
    columns: tuple[str, ...],
    rows: Iterable[tuple[object, ...]],
) -> None:
    """The artifacts as JSON, or a table of what is in them."""
    if options.json:
        for item in written:
            print(item.path.read_text(encoding="utf-8"), end="")
    else:
        console.show_table("Runs", columns, rows, names=3)


def _next(options: FlareOptions, command: str) -> None:
    if not options.quiet:
        console.say(f"next: {options.command(command)}")


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
