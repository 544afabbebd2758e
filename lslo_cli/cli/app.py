"""The ``lslo`` command: its subcommands, and how every run ends."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lslo_cli import __version__
from lslo_cli.artifacts.writing import FULL
from lslo_cli.cli import console
from lslo_cli.cli.commands import base, data, flare, plot
from lslo_cli.cli.commands.compare import compare
from lslo_cli.cli.commands.demo import demo
from lslo_cli.cli.commands.diff import diff
from lslo_cli.cli.commands.estimate_subspace import estimate_subspace
from lslo_cli.cli.commands.evaluate import evaluate
from lslo_cli.cli.commands.export import export
from lslo_cli.cli.commands.flare_report import flare_report
from lslo_cli.cli.commands.prune_report import prune_report
from lslo_cli.cli.commands.recipe import recipe
from lslo_cli.cli.commands.report import report
from lslo_cli.cli.commands.reproduce import reproduce
from lslo_cli.cli.commands.runs import runs, show
from lslo_cli.cli.commands.train import train
from lslo_cli.cli.commands.translate import translate
from lslo_cli.cli.commands.weight_learn import weight_learn
from lslo_cli.cli.flags import App, hide_types_of_switches
from lslo_cli.cli.signals import Interrupt, raising_on_signals
from lslo_cli.errors import InputError, LsloError, RunError, UsageError, is_out_of_memory


class Commands(TyperGroup):
    """A group of commands that ends every run with a message of the same form and the right exit code."""

    def main(self, *arguments: Any, **settings: Any) -> None:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:  # closed with `<&-` or `>&-`: nothing to read, output discarded
                setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
            stream: Any = getattr(sys, name)
            # Results in a file or a pipe are UTF-8 in every locale, as those of --output are.
            is_result = name == "stdout" and not stream.isatty()
            if mode == "w":
                stream.reconfigure(errors="replace", encoding="utf-8" if is_result else None)
        with raising_on_signals(), nullcontext() if console.speaks() else _silence():
            try:
                _refuse_undecodable(sys.argv)
                code = super().main(*arguments, **{**settings, "standalone_mode": False})
                sys.stdout.flush()  # so that a full disk raises here and not at exit
            except (Interrupt, Exception) as error:
                interrupt = Interrupt.behind(error)
                if interrupt:
                    console.say(f"interrupted; {self._advice(settings.get('args') or sys.argv[1:])}")
                code = interrupt.exit_code if interrupt else explain(error)
        sys.exit(code if isinstance(code, int) else 0)

    def format_help(self, context: Any, formatter: Any) -> None:
        hide_types_of_switches(self.get_params(context))
        super().format_help(context, formatter)

    def _advice(self, words: Sequence[str]) -> str:
        """How to continue after an interrupt."""
        command: Any = self
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
        resumable = any(parameter.name == "resume" for parameter in command.params)
        return "continue with --resume" if resumable else "run the same line again"


def explain(error: BaseException) -> int:
    """Print what went wrong and what to do about it, and return the exit code."""
    if isinstance(error, LsloError):
        console.problem(error.message, error.hint)
        return error.exit_code
    if hasattr(error, "format_message"):  # a usage error from typer
        context = getattr(error, "ctx", None)
        console.problem(_usage_message(error), f"see {context.command_path if context else 'lslo'} --help")
        return UsageError.exit_code
    if is_out_of_memory(error):
        reason = str(error) or type(error).__name__
        console.problem(f"memory ran out: {reason}", "end other programs, or use a machine with more memory")
        return RunError.exit_code
    if _is_lost_process(error):
        hint = "continue with --resume, or run the same line again if the command has no --resume"
        console.problem("a process died while others waited for it", hint)
        return RunError.exit_code
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_system_error(error)
    traceback.print_exception(error)
    console.problem(f"this is a bug in lslo: {type(error).__name__}: {error}", "report the lines above")
    return 1


def _usage_message(error: Any) -> str:
    """typer's message in our form, with the nearest option for a misspelt one."""
    message = error.format_message().rstrip(".")
    if getattr(error, "possibilities", None):
        message = f"{error.message}. Did you mean '{error.possibilities[0]}'?"
    return message[:1].lower() + message[1:]


def _refuse_undecodable(arguments: list[str]) -> None:
    """Raise UsageError for an argument that is not valid text in the system's encoding."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"an argument is not UTF-8: {argument!a}", "rename the file, or type it in UTF-8"
            ) from None


def _explain_system_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # the reader has closed the pipe, as head does
        _discard_output()
        return 1
    name = f" {error.filename}" if error.filename else ""
    reason = error.strerror or error
    if error.errno == errno.ENAMETOOLONG:
        problem: LsloError = UsageError(f"a path is too long:{name}", "choose a shorter path")
    elif error.errno in FULL:
        _discard_output()
        problem = InputError(
            f"cannot write{name or ' the output'}: disk full: {reason}", "free space on the disk"
        )
    else:
        problem = InputError(f"cannot read or write{name}: {reason}", "check the path and its permissions")
    return explain(problem)


def _discard_output() -> None:
    """Discard what stdout still buffers: it cannot be written, and Python would try again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _silence() -> Iterator[None]:
    """Discard the results of a process whose results another process prints."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def _is_lost_process(error: BaseException) -> bool:
    """Whether a worker of this process died, or a process that torchrun started beside it.

    torch reports the latter as a lost connection.
    """
    text = str(error).lower()
    return type(error).__name__ == "BrokenProcessPool" or (
        "RANK" in os.environ
        and (
            type(error).__name__ in ("DistBackendError", "DistNetworkError")
            or (isinstance(error, RuntimeError) and ("closed by peer" in text or "reset by peer" in text))
        )
    )


app = App(
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
app.add_typer(plot.app, name="plot", cls=Commands, rich_help_panel=PIPELINE)

BESIDE = "Other commands"
app.command("demo", rich_help_panel=BESIDE)(demo)
app.command("runs", rich_help_panel=BESIDE)(runs)
app.command("diff", rich_help_panel=BESIDE)(diff)
app.command("show", rich_help_panel=BESIDE)(show)
app.command("recipe", rich_help_panel=BESIDE)(recipe)
app.command("translate", rich_help_panel=BESIDE)(translate)
app.command("reproduce", rich_help_panel=BESIDE)(reproduce)
app.command("export", rich_help_panel=BESIDE)(export)
app.command("compare", rich_help_panel=BESIDE)(compare)
app.command("report", rich_help_panel=BESIDE)(report)
flare.app.command("report")(flare_report)
app.add_typer(flare.app, name="flare", cls=Commands, rich_help_panel=BESIDE)
app.add_typer(base.app, name="base", cls=Commands, rich_help_panel=BESIDE)
app.add_typer(data.app, name="data", cls=Commands, rich_help_panel=BESIDE)


@app.callback(invoke_without_command=True)
def lslo(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Fine-tune multilingual translation models in language-specific low-rank subspaces.

    Start with `lslo demo`, which runs everything offline on a small built-in world. Every command has --help.
    """
    if version:
        print(f"lslo {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
