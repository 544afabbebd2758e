"""The ``lslo`` command: what there is to run, and how every run ends."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lslo_cli import __version__
from lslo_cli.cli import console
from lslo_cli.cli.commands import base, data, flare, plot
from lslo_cli.cli.commands.demo import demo
from lslo_cli.cli.commands.estimate_subspace import estimate_subspace
from lslo_cli.cli.commands.evaluate import evaluate
from lslo_cli.cli.commands.flare_report import flare_report
from lslo_cli.cli.commands.prune_report import prune_report
from lslo_cli.cli.commands.recipe import recipe
from lslo_cli.cli.commands.report import report
from lslo_cli.cli.commands.reproduce import reproduce
from lslo_cli.cli.commands.train import train
from lslo_cli.cli.commands.weight_learn import weight_learn
from lslo_cli.errors import LsloError, RunError, UsageError

INTERRUPTED = 130


class Commands(TyperGroup):
    """A group of commands that ends every run with a message of the same form and the right exit code."""

    def main(self, *arguments: Any, standalone_mode: bool = True, **settings: Any) -> None:
        try:
            code = super().main(*arguments, standalone_mode=False, **settings)
        except Exception as error:
            code = explain(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, context: typer.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            command = self.commands.get(str(context.invoked_subcommand), self)
            resumable = any(parameter.name == "resume" for parameter in command.params)
            advice = "continue with --resume" if resumable else "run the same line again"
            console.say(f"interrupted; {advice}")
            raise typer.Exit(INTERRUPTED) from None


def explain(error: Exception) -> int:
    """Print what went wrong and what to do about it, and return the exit code."""
    if isinstance(error, LsloError):
        console.problem(error.message, error.hint)
        return error.exit_code
    if hasattr(error, "format_message"):  # typer's complaint about what was typed
        context = getattr(error, "ctx", None)
        console.problem(_usage_message(error), f"see {context.command_path if context else 'lslo'} --help")
        return UsageError.exit_code
    if _is_out_of_memory(error):
        reason = str(error) or type(error).__name__
        console.problem(f"memory ran out: {reason}", "make the batches smaller with --max-tokens")
        return RunError.exit_code
    traceback.print_exception(error)
    console.problem(f"this is a bug in lslo: {type(error).__name__}: {error}", "report the lines above")
    return 1


def _usage_message(error: Any) -> str:
    """typer's words in our form, with the nearest option where one was misspelt."""
    message = error.format_message().rstrip(".")
    if getattr(error, "possibilities", None):
        message = f"{error.message}. Did you mean '{error.possibilities[0]}'?"
    return message[:1].lower() + message[1:]


def _is_out_of_memory(error: Exception) -> bool:
    """torch says it with a class of its own on a GPU, and only in the text of a RuntimeError on the CPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


app = typer.Typer(
    name="lslo",
    cls=Commands,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

PIPELINE = "The pipeline, in order"
app.command("weight-learn", rich_help_panel=PIPELINE)(weight_learn)
app.command("estimate-subspace", rich_help_panel=PIPELINE)(estimate_subspace)
app.command("train", rich_help_panel=PIPELINE)(train)
app.command("prune-report", rich_help_panel=PIPELINE)(prune_report)
app.command("evaluate", rich_help_panel=PIPELINE)(evaluate)
app.add_typer(plot.app, name="plot", rich_help_panel=PIPELINE)

BESIDE = "Beside the pipeline"
app.command("demo", rich_help_panel=BESIDE)(demo)
app.command("recipe", rich_help_panel=BESIDE)(recipe)
app.command("reproduce", rich_help_panel=BESIDE)(reproduce)
app.command("report", rich_help_panel=BESIDE)(report)
flare.app.command("report")(flare_report)
app.add_typer(flare.app, name="flare", cls=Commands, rich_help_panel=BESIDE)
app.add_typer(base.app, name="base", cls=Commands, rich_help_panel=BESIDE)
app.add_typer(data.app, name="data", cls=Commands, rich_help_panel=BESIDE)


@app.callback(invoke_without_command=True)
def lslo(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Fine-tune multilingual translation models in language-specific low-rank subspaces.

    Start with `lslo demo`: everything offline, on a small built-in world. Every command has its own --help.
    """
    if version:
        print(f"lslo {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """The console script."""
    if console.speaks():
        app()  # ends the process
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        app()


if __name__ == "__main__":
    main()
