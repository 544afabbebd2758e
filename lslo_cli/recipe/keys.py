"""The meaning, choices and default of every recipe key; the command line's help comes from here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from lslo_cli.recipe.recipe import Recipe
from lslo_cli.recipe.section import Section

NUMBERS = {int: "<int>", float: "<float>"}
"""How typer shows them where they stand alone."""


@dataclass(frozen=True)
class KeyFacts:
    """A key's meaning in a sentence, its choices if these are few, and its default as typed."""

    description: str
    choices: tuple[str, ...]
    default: str | None

    @property
    def help(self) -> str:
        """The sentence, with the default if the key has one and the sentence does not say it."""
        if self.default is None or "default: " in self.description.lower():
            return self.description
        return f"{self.description.rstrip('.')}; default: {self.default}."


def key_facts(key: str) -> KeyFacts:
    """The facts of a dotted key, such as ``train.gps``. Raises KeyError for an unknown one."""
    field = _field(key)
    default = _typed(field.get_default(call_default_factory=True))
    return KeyFacts(" ".join((field.description or "").split()), tuple(_choices(field.annotation)), default)


def takes_list(key: str) -> bool:
    """Whether a dotted key takes a list, and no text but :func:`words_of` it."""
    parts = _parts(key)
    return str not in parts and any(get_origin(part) is tuple for part in parts)


def words_of(key: str) -> set[str]:
    """The words that a dotted key takes beside other values, such as ``auto``."""
    return {word for part in _parts(key) if get_origin(part) is Literal for word in get_args(part)}


def takes_text(key: str) -> bool:
    """Whether a dotted key only takes text."""
    return _parts(key) == {str}


def _parts(key: str) -> set[Any]:
    """The types that a dotted key takes, without None and constraints; none for an unknown key."""
    if key not in known_keys():
        return set()
    annotation = _field(key).annotation
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    plain = {get_args(part)[0] if hasattr(part, "__metadata__") else part for part in parts}
    return plain - {type(None)}


def known_keys() -> Iterator[str]:
    """Every section, and every dotted key."""
    for name, field in Recipe.model_fields.items():
        yield name
        if isinstance(field.default, Section):
            yield from (f"{name}.{key}" for key in type(field.default).model_fields)


def _field(key: str) -> FieldInfo:
    *sections, name = key.split(".")
    model: Any = Recipe
    for section in sections:
        model = model.model_fields[section].annotation
    return model.model_fields[name]


def _choices(annotation: Any) -> Iterator[str]:
    """The words that a type takes; a number beside words is one of NUMBERS."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    elif origin is Literal:
        yield from map(str, get_args(annotation))
    elif origin in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        words = [list(_choices(part)) for part in parts]
        if any(words):
            for part, found in zip(parts, words, strict=True):
                base = get_args(part)[0] if hasattr(part, "__metadata__") else part
                yield from found or [NUMBERS.get(base, "TEXT")]
    elif origin is tuple:
        yield from _choices(get_args(annotation)[0])


def _typed(value: Any) -> str | None:
    """A default as it would be typed; None for none."""
    if isinstance(value, tuple):
        return ",".join(str(each.value if isinstance(each, Enum) else each) for each in value) or None
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:g}"
    return None if value in (None, "") else str(value)
