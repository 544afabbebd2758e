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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_line_stands_in_the_text_of_a_hint(path):
    """An error takes the command as an argument of its own, which the command line completes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for text in [*hints(node)]:
            assert not re.search(r"(: |^)lslo [a-z-]+|: \{(typed|line_of|line_again|train_again)\(", text), (
                text
            )


def hints(node: ast.AST) -> Iterator[str]:
    """The texts that an error is made with, and those that constants hold for errors."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error"):
        yield from map(ast.unparse, node.args[1:2])
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper():
        yield ast.unparse(node.value).strip("'\"")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("raise InputError(m, 'make it: lslo train')", "'make it: lslo train'"),
        (
            "InputError(m, f'evaluate: {typed(run)}; there: {runs}')",
            "f'evaluate: {typed(run)}; there: {runs}'",
        ),
        ("AGAIN = 'lslo train'", "lslo train"),
    ],
)
def test_the_hints_of_a_module_are_found(code, hint):
    assert hint in [text for node in ast.walk(ast.parse(code)) for text in hints(node)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_flags_of_a_suggested_command_are_flags_of_that_command(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Command":
            name, *words = [word.value for word in node.args if isinstance(word, ast.Constant)] or [None]
            if name:
                assert {word for word in words if str(word).startswith("--")} <= flags_of(name), words


TRAINING = ("weight-learn", "estimate-subspace", "train")


@pytest.mark.parametrize(
    ("hint", "commands"),
    [
        (job.SMALLER_TRAINING_BATCHES, TRAINING),
        (job.SMALLER_BATCHES, ("evaluate", "base check")),
        (translate.SMALLER, ("translate",)),
        (SMALLER, ("base train",)),
        (
            writing.ELSEWHERE_RESULTS,
            (*TRAINING, "evaluate", "prune-report", "compare", "flare train", "demo"),
        ),
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


def parts(name: str) -> Iterator[tuple[str, str]]:
    words = name.split()
    return ((" ".join(words[:number]), word) for number, word in enumerate(words))
