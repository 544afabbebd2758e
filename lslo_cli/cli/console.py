"""Output: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

results = Console(highlight=False)
messages = Console(stderr=True, highlight=False)

CROWDED = 8
"""The most columns a table has with a full gap between them."""
UNLIMITED = 10_000
SPELT = str.maketrans({"±": "+-", "…": "...", "–": "-", "−": "-", "→": "->", "×": "x", "≤": "<=", "≥": ">="})
"""ASCII spellings for a console whose encoding lacks these characters."""
READABLE = 36
"""The fewest characters per line in which a sentence is readable."""


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1) -> None:
    """Print a compact table: the first ``names`` columns aligned left, numbers aligned right.

    The columns that do not fit on the console follow below, with the name columns repeated. A table that goes
    to a pipe or a file is not split.
    """
    cells = [tuple(map(shown, row)) for row in rows]
    results.print(Text(title, style="bold"))
    gap = 1 if len(columns) <= CROWDED else 0
    for number, kept in enumerate(_blocks(columns, cells, names, gap)):
        if number:
            results.print()
        table = Table(
            box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
        )
        for column in kept:
            justify: Literal["left", "right"] = "left" if column < names else "right"
            table.add_column(
                shown(columns[column]), justify=justify, overflow="fold", no_wrap=column >= names
            )
        for row in cells:
            table.add_row(*(row[column] for column in kept))
        with _full_width():
            results.print(table)


def _blocks(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], names: int, gap: int
) -> Iterator[list[int]]:
    """The columns to print side by side: the names, and as many of the others as there is room for."""
    widths = [
        max(cell_len(name), *(row[number].cell_len for row in rows), 0) + 1 + gap
        for number, name in enumerate(columns)
    ]
    kept = list(range(names))
    for number in range(names, len(columns)):
        if len(kept) > names and sum(widths[column] for column in (*kept, number)) > _width() + 1 + gap:
            yield kept
            kept = list(range(names))
        kept.append(number)
    yield kept


def _width() -> int:
    """Characters per line; unlimited if there is no terminal and ``COLUMNS`` is not set."""
    return results.width if results.is_terminal or "COLUMNS" in os.environ else UNLIMITED


@contextmanager
def _full_width() -> Iterator[None]:
    before = results.width
    results.width = _width()
    yield
    results.width = before


def show_sentences(sentences: Iterable[str]) -> None:
    """Print sentences, each on a new line, wrapped at words."""
    for sentence in sentences:
        lines = wrap(_spelt(sentence), _width(), break_on_hyphens=False) or [""]
        results.print(Text("\n".join(lines)), soft_wrap=True)


def show_facts(pairs: Iterable[tuple[str, object]], title: str = "") -> None:
    """Print names and values, one pair per line; values go below the names where there is too little room."""
    if title:
        results.print(Text(title, style="bold"))
    facts = [(name, shown(value).plain) for name, value in pairs]
    indent = max((cell_len(name) for name, _ in facts), default=0) + 2
    longest = max((cell_len(value) for _, value in facts), default=0)
    below = _width() - indent < min(longest, READABLE)
    for name, value in facts:
        start = f"{name}\n  " if below else name + " " * (indent - cell_len(name))
        margin = 2 if below else indent
        lines = wrap(value, max(1, _width() - margin), break_on_hyphens=False) or [""]
        results.print(Text(start + ("\n" + " " * margin).join(lines)), soft_wrap=True)


def shown(value: object) -> Text:
    """A value as text: thousands with commas, a dash for None; brackets are not markup."""
    if value is None:
        return Text("-")
    return Text(_spelt(f"{value:,}" if type(value) is int else str(value)))


def _spelt(text: str) -> str:
    """The text spelt for the console's encoding; what it and ``SPELT`` lack becomes "?" when printed."""
    try:
        text.encode(results.encoding)
    except UnicodeEncodeError:
        return text.translate(SPELT)
    return text


def speaks() -> bool:
    """Whether this is the first process of those that torchrun or accelerate started for one command.

    The others would say the same; only their errors are shown.
    """
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """Print one line to stderr, never wrapped."""
    if speaks():
        messages.print(Text(text), soft_wrap=True)


def problem(message: str, hint: str = "") -> None:
    """Print an error, a blank line, and one thing to do."""
    messages.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    if hint:
        messages.print()
        messages.print(Text.assemble(("hint: ", "bold cyan"), hint), soft_wrap=True)
