"""The command lines that messages print: quoted, and with flags that the command has."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import lslo_cli
from lslo_cli.artifacts import writing
from lslo_cli.cli.app import app
from lslo_cli.cli.commands import translate
from lslo_cli.cli.options import LINE as AT_THE_END
from lslo_cli.tasks import job
from lslo_cli.tasks.train_base import SMALLER
from lslo_cli.wording import typed

PACKAGE = Path(lslo_cli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
COMMANDS: Any = get_command(app)
LINE = re.compile(rf"lslo ({'|'.join(COMMANDS.commands)})\b[^;,:`]*\0|^\0 --\w")
"""A value after the words of a command, and a flag after a value that begins the text."""


def command_of(line: str) -> Any:
    command = COMMANDS
    for word in line.split():
        command = command.commands[word]
    return command


def flags_of(line: str) -> set[str]:
    return {flag for parameter in command_of(line).params for flag in parameter.opts}


def formatted(path: Path) -> Iterator[str]:
    """The f-strings of a module, with NUL for each value."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_line_is_put_together_without_quotes(path):
    assert not [text for text in formatted(path) if LINE.search(text)]


def test_a_line_is_found_wherever_a_value_stands_in_it():
    for text in (
        "next: lslo evaluate --run \0",
        "`lslo base train --out \0`",
        "lslo plot \0 x",
        "\0 --run x",
    ):
        assert LINE.search(text)
    for text in ("make it first: lslo evaluate; there: \0", "this lslo reads up to \0", "lslo evaluate, \0"):
        assert not LINE.search(text)


def test_a_typed_line_is_read_by_a_shell_as_its_words():
    line = typed("plot heatmap", "--run", "a run", "--out", Path("it's"), 3)
    assert shlex.split(line) == ["lslo", "plot", "heatmap", "--run", "a run", "--out", "it's", "3"]


def strings(tree: ast.AST) -> Iterator[str]:
    """The texts of a module but for docstrings, with a line for each that is put together from words."""
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(node.value)
        if isinstance(node, ast.JoinedStr):
            inner |= {*ast.walk(node)}
            yield "".join(map(shown, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.value


def shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    makes_a_line = isinstance(value, ast.Call) and ast.unparse(value.func) in LINES
    return "lslo train" if makes_a_line else "value"


LINES = ("typed", "line_of", "line_again", "train_again", "self.command")
"""The functions that make lines."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_message_with_a_line_ends_with_it(path):
    """So that whoever reads it can copy the line, and the command line can add what chose the experiment."""
    found = [text for text in strings(ast.parse(path.read_text(encoding="utf-8"))) if ": lslo " in text]
    assert not [text for text in found if not AT_THE_END.search(text) and not text.endswith("\n")]


def test_a_line_that_words_follow_is_found():
    prose = ast.parse("InputError('x', f'evaluate: {typed(run)}; there: {runs}')")
    assert list(strings(prose)) == ["x", "evaluate: lslo train; there: value"]
    assert not AT_THE_END.search("evaluate: lslo train; there: value")
    assert not AT_THE_END.search("make one: lslo train, then lslo evaluate")
    assert AT_THE_END.search("evaluate: lslo evaluate --run 'a run'")


TRAINING = ("weight-learn", "estimate-subspace", "train")


@pytest.mark.parametrize(
    ("hint", "commands"),
    [
        (job.SMALLER_TRAINING_BATCHES, TRAINING),
        (job.SMALLER_BATCHES, ("evaluate", "base check")),
        (translate.SMALLER, ("translate",)),
        (SMALLER, ("base train",)),
        (writing.RESULTS, (*TRAINING, "evaluate", "prune-report", "compare", "flare train", "demo")),
        (writing.OUT, ("base train", "base convert")),
        (writing.OUTPUT, ("translate", "diff", "report", "flare report")),
        (writing.TO, ("data fetch", "export")),
    ],
)
def test_the_flags_of_a_hint_are_flags_of_the_commands_that_give_it(hint, commands):
    flags = set(re.findall(r"--[\w-]+", hint))
    assert flags
    for command in commands:
        assert flags <= flags_of(command)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_flags_of_a_whole_line_in_a_message_are_flags_of_its_command(path):
    """Lines without values, such as ``lslo train --curve-rows 50``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for words in re.findall(r"lslo ([a-z][a-z -]*? --[^,;:`\n\"]*)", node.value):
                name = words.partition(" --")[0]
                if all(word in getattr(command_of(first), "commands", {}) for first, word in parts(name)):
                    assert set(re.findall(r"--[a-z][\w-]*", words)) <= flags_of(name), words


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_hint_ends_with_no_line_in_its_text(path):
    """The command is an argument of its own, which the command line completes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise):
            for text in ast.walk(node):
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    assert not re.search(r"(: |^)lslo [a-z-]+( [^;]*)?$", text.value), text.value


def parts(name: str) -> Iterator[tuple[str, str]]:
    words = name.split()
    return ((" ".join(words[:number]), word) for number, word in enumerate(words))
