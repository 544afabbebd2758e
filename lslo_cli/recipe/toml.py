"""A recipe as text."""

from __future__ import annotations

import json

from lslo_cli.recipe.recipe import Recipe
from lslo_cli.recipe.section import Section


def to_toml(recipe: Recipe) -> str:
    """A resolved recipe as TOML with every key; reading it back gives an equal recipe.

    A key without a value is named in a comment, since TOML has no null.
    """
    return "\n".join(_lines(recipe)) + "\n"


def _lines(section: Section, header: str = "") -> list[str]:
    lines, tables = [f"\n[{header}]"] if header else [], []
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, Section):
            tables += _lines(value, key)
        elif isinstance(value, dict) and not all(isinstance(entry, Section) for entry in value.values()):
            pairs = ", ".join(f"{scalar(name)} = {scalar(entry)}" for name, entry in value.items())
            lines.append(f"{key} = {{{pairs}}}")
        elif isinstance(value, dict):
            for name, entry in value.items():
                tables += _lines(entry, ".".join(filter(None, (header, key, scalar(name)))))
        else:
            lines.append(f"# {key} is not set" if value is None else f"{key} = {scalar(value)}")
    return lines + tables


def scalar(value: object) -> str:
    """A value without keys. Its JSON is TOML too, except for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
