"""The README and docs/ tell the truth: its commands exist, its lines parse, its files are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from lslo_cli.cli.app import app
from lslo_cli.recipe import resolve
from lslo_cli.recipe.keys import known_keys

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]
LINES = sorted(
    {
        match.strip()
        for page in PAGES
        for match in re.findall(r"^    (lslo [^#\n]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
)


def commands(group, prefix: str = "lslo"):
    """Every command below a group, by its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def parse(command, arguments: list[str]) -> None:
    """Parse a command line down to its last command, without running it."""
    context = command.make_context("lslo", list(arguments))
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_readme_or_of_docs_parses(line):
    parse(get_command(app), shlex.split(line)[1:])


def test_a_line_with_a_misspelt_flag_would_not_parse():
    with pytest.raises(Exception, match="rnaks"):
        parse(get_command(app), ["train", "--rnaks", "2,2,8"])


def test_the_readme_has_lines_to_parse():
    assert len(LINES) > 10


def test_every_page_of_docs_is_linked_from_the_readme_and_every_link_leads_to_one():
    links = set(re.findall(r"\]\((docs/[\w.-]+)\)", TEXT))
    assert links == {f"docs/{page.name}" for page in PAGES[1:] if page.name != "index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_is_there(page):
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert [target for target in missing if not target.startswith("reference/")] == []  # made with the site


COMMANDS = (README.parent / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(commands(get_command(app))))
def test_every_command_has_its_purpose_in_docs(name):
    _, first, *rest = name.split()
    assert f"lslo {first}" in COMMANDS
    assert not rest or re.search(rf"\b{rest[0]}\b", COMMANDS)


ARCHITECTURE = (README.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = sorted(set(re.findall(r"^\s+([a-z_]+(?:/|\.py))\s{2,}", ARCHITECTURE, flags=re.MULTILINE)))


@pytest.mark.parametrize("path", ROOMS)
def test_every_room_in_docs_exists(path):
    assert any((README.parent / place / path).exists() for place in ("", "lslo_cli"))


SETTING = re.compile(r"`([a-z][a-z_-]*\.[a-z_]+)(?: = ([^`]+))?`")
FILES = ("csv", "en", "fr", "json", "jsonl", "pt", "tsv")
"""Endings of names like ``train.tsv``, which are no keys."""
SETTINGS = sorted(
    {
        (page.name, *found)
        for page in PAGES
        for found in SETTING.findall(page.read_text(encoding="utf-8"))
        if found[0].partition(".")[0] in known_keys() and found[0].rpartition(".")[2] not in FILES
    }
)


@pytest.mark.parametrize(("page", "key", "value"), SETTINGS)
def test_a_setting_that_a_page_names_is_one_of_a_recipe(page, key, value):
    assert key in known_keys()
    if value:
        resolve(assignments=[f"{key}={value}"])
