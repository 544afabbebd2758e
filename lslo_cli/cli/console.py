"""What a person sees: results on stdout, all else on stderr."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

results = Console(highlight=False)
messages = Console(stderr=True, highlight=False)

CROWDED = 8
"""Columns of a table from which on they stand closer together."""
READABLE = 36
"""Characters to a line that a sentence needs at least."""


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1) -> None:
    """Print a compact table: the first ``names`` columns to the left, figures to the right.

    A table that is wider than the console is turned, so that its columns become rows.
    """
    body = [columns, *rows]
    table = _table(body, names)
    unlimited = results.options.update(max_width=10_000)
    if results.measure(table, options=unlimited).maximum > results.width:
        table = _table(list(zip(*body, strict=True)), names=1)
    results.print(Text(title, style="bold"))
    results.print(table)


def _table(body: Sequence[Sequence[object]], names: int) -> Table:
    heading, *rows = body
    gap = 0 if len(heading) > CROWDED else 1
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )
    for number, column in enumerate(heading):
        is_name = number < names
        table.add_column(
            shown(column), justify="left" if is_name else "right", overflow="fold", no_wrap=not is_name
        )
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    return table


def show_facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair to a line."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(name), shown(value))
    results.print(grid)


def show_descriptions(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print names with a sentence each: beside the name, or below it where that leaves too little room.

    What goes into a pipe or a file is never wrapped.
    """
    indent = max(len(name) for name, _ in rows) + 2
    below = results.is_terminal and results.width - indent < READABLE
    results.print(Text(title, style="bold"))
    for name, description in rows:
        lines = [description]
        if results.is_terminal:
            lines = wrap(description, max(1, results.width - (2 if below else indent)))
        if below:
            text = "\n  ".join([name, *lines])
        else:
            text = f"{name:{indent}}" + ("\n" + " " * indent).join(lines)
        results.print(Text(text), soft_wrap=True)


def shown(value: object) -> Text:
    """A value as text: thousands with commas, a dash for None; brackets are not markup."""
    if value is None:
        return Text("-")
    return Text(f"{value:,}" if type(value) is int else str(value))


def speaks() -> bool:
    """Whether this is the first process of those that torchrun or accelerate started for one command.

    The others have the same to say; only their errors are shown.
    """
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """One line on stderr, never wrapped."""
    if speaks():
        messages.print(Text(text), soft_wrap=True)


def problem(message: str, hint: str = "") -> None:
    """What went wrong, a blank line, and one thing to do."""
    messages.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    if hint:
        messages.print()
        messages.print(Text.assemble(("hint: ", "bold cyan"), hint), soft_wrap=True)
