"""The code blocks of the README and of these pages: which run in the tests, and why the others do not.

A block under ``<!-- not run: REASON -->`` does not run; one under ``<!-- run in: FILE -->`` runs in
another test than ``tests/test_docs.py``, which runs all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in Path(__file__).parent.glob("*.md"))]

SHOWN = {"text": "what a command prints", "bibtex": "an entry to cite by"}
"""What a fenced block is that is no code, by its info string."""

BLOCK = re.compile(
    r"^(?:```(?P<info>\w*)\n(?P<fenced>[\s\S]*?)^```$"
    r"|(?P<indented>[ ]{4}.+\n(?:[ ]{4}.+\n|\n(?=[ ]{4}))*))",
    re.MULTILINE,
)
MARK = re.compile(r"<!-- (?P<kind>not run|run in): (?P<says>[^>]+?) -->\s*\Z")
EXPORT = re.compile(r"`export (\w+)=([^`]+)`")


@dataclass(frozen=True)
class Block:
    """One block of a page: ``reason`` says why it does not run, ``elsewhere`` which other test runs it.

    ``variables`` are those that the text before it says to export.
    """

    page: str
    text: str
    info: str = ""
    reason: str = ""
    elsewhere: str = ""
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> str:
        """The line to know it by."""
        return self.text.strip().splitlines()[0].partition("  #")[0].strip()

    @property
    def has_commands(self) -> bool:
        return bool(re.search(r"^\s*lslo ", self.text, re.MULTILINE))


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page, from its top."""
    text = (ROOT / page).read_text(encoding="utf-8")
    end = 0
    for found in BLOCK.finditer(text):
        if found["indented"] and text[found.start() - 2 : found.start()] != "\n\n":
            continue  # the second line of a list's item
        before, end = text[end : found.start()], found.end()
        mark, info = MARK.search(before), found["info"] or ""
        kind, says = (mark["kind"], " ".join(mark["says"].split())) if mark else ("", "")
        paragraph = before.rstrip().rpartition("\n\n")[2]
        yield Block(
            page,
            dedent(found["fenced"] or found["indented"]).rstrip(),
            info,
            reason=says if kind == "not run" else SHOWN.get(info, ""),
            elsewhere=says if kind == "run in" else "",
            variables=tuple(EXPORT.findall(paragraph)),
        )


def examples_page() -> Iterator[str]:
    """How many blocks run in the tests, and each that does not with its reason."""
    found = [block for page in PAGES for block in blocks(page)]
    others = [block for block in found if block.reason]
    elsewhere = sum(bool(block.elsewhere) for block in found)
    yield "# Which examples are tested\n"
    yield (
        f"README and these pages have {len(found)} blocks of code. The tests run {len(found) - len(others)} "
        f"of them, {elsewhere} of these on input of their own. These {len(others)} are not run:\n"
    )
    yield "| page | begins with | why it is not run |\n|---|---|---|"
    for block in others:
        first = block.first.replace("|", "\\|")
        yield f"| {block.page.removeprefix('docs/')} | `{first}` | {block.reason} |"
