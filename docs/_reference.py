"""Pages of the documentation that are made from the code: every command, recipe key and artifact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from typer.main import get_command

from docs._examples import ROOT, examples_page
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.cli.app import app
from lslo_cli.cli.flags import describe
from lslo_cli.cli.shown import SHOWN
from lslo_cli.recipe import Recipe

OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]*\)")
PICTURE = re.compile(r"!\[([^\]]+)\]\(\.\./([^)]+)\)")

KINDS = sorted(SHOWN, key=lambda result: result.kind)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that nobody writes by hand."""
    pages = {
        "reference/commands.md": "\n".join(commands_page()),
        "reference/recipe.md": "\n".join(recipe_page()),
        "reference/artifacts.md": "\n".join(artifacts_page()),
        "reference/examples.md": "\n".join(examples_page()),
    }
    for result in KINDS:
        schema = Artifact[result].model_json_schema()  # type: ignore[valid-type]
        pages[f"reference/schemas/{result.kind}.json"] = json.dumps(schema, indent=1)
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    pictures = {
        name for page in ROOT.glob("docs/*.md") for _, name in PICTURE.findall(page.read_text("utf-8"))
    }
    for name in sorted(pictures):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name what lies beside ``docs`` in the repository, which the site has no page of; pictures it has."""
    return OUTSIDE.sub(r"`\1`", PICTURE.sub(r"![\1](\2)", markdown))


def commands_page() -> Iterator[str]:
    """Every command's help."""
    yield "# Every command\n"
    for name, command in _commands(get_command(app), "lslo"):
        yield f"## {name}\n"
        text, _, example = (command.help or "").partition("Example:")
        for paragraph in text.strip().split("\n\n"):
            yield "  \n".join(line.strip() for line in paragraph.splitlines()) + "\n"
        if example:
            yield f"    {example.strip()}\n"
        describe(command)
        options = [option for option in command.params if option.name != "help"]
        if options:
            yield "| flag | value | |\n|---|---|---|"
        for option in options:
            is_option = option.param_type_name == "option"
            flag = ", ".join(option.opts) if is_option else (option.metavar or option.name)
            value = "" if getattr(option, "is_flag", False) else (option.metavar or "number")
            said = " ".join(str(getattr(option, "help", "") or "").split())
            variable = f" Also `{option.envvar}`." if option.envvar else ""
            value = value.replace("<", "&lt;")  # as in <int>, which is no tag
            yield f"| `{flag}` | {_cell(value)} | {_cell(said + variable)} |"
        yield ""


def recipe_page() -> Iterator[str]:
    """Every key of a recipe, by section."""
    yield "# Recipe keys\n"
    yield "A key is set in a recipe, or on the command line as `--set section.key=value`.\n"
    top = {name: field for name, field in Recipe.model_fields.items() if not _is_section(field)}
    yield from _keys("At the top", "", top, Recipe.__doc__)
    for name, field in Recipe.model_fields.items():
        if _is_section(field):
            section = field.annotation
            yield from _keys(f"[{name.replace('_', '-')}]", f"{name}.", section.model_fields, section.__doc__)


def artifacts_page() -> Iterator[str]:
    """Every artifact's fields, and where its JSON Schema is."""
    yield "# Artifacts\n"
    yield "Every artifact is one JSON object with these fields; `result` is what its command found.\n"
    yield from _fields(Artifact)
    for result in KINDS:
        yield f"## {result.kind}\n\n{_plain(result.__doc__)}\n"
        schema = f"[JSON Schema](schemas/{result.kind}.json)"
        yield f"Made by `{result.command}`, version {result.version}. {schema}\n"
        yield from _fields(result)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _is_section(field: Any) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _keys(title: str, prefix: str, fields: dict[str, Any], about: str | None) -> Iterator[str]:
    yield f"## {title}\n\n{_plain(about)}\n"
    yield "| key | default | |\n|---|---|---|"
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None or str(default) == "PydanticUndefined" else f"`{_value(default)}`"
        yield f"| `{prefix}{name}` | {_cell(shown)} | {_cell(_plain(field.description))} |"
    yield ""


def _fields(model: type[BaseModel]) -> Iterator[str]:
    yield "| field | type | |\n|---|---|---|"
    for name, field in model.model_fields.items():
        kind = re.sub(r"\b(?:typing|lslo_cli(?:\.\w+)*)\.", "", str(field.annotation))
        kind = re.sub(r"<(?:class|enum) '([\w.]+)'>", lambda match: match[1].rpartition(".")[2], kind)
        kind = re.sub(r"Annotated\[(\w+),.*?\)\]\]?", r"\1", kind)
        yield f"| `{name}` | `{kind.replace(' | ', ' or ')}` | {_cell(_plain(field.description))} |"
    yield ""


def _value(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
