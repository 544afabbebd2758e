"""Parse untrusted JSON and TOML: a value, or ValueError with a short reason."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable
from typing import Any

DEPTH = 64
"""The deepest nesting of lists and tables. lslo's own files stay below 10."""
DIGITS = 100
"""The most digits of an integer, well within the range of a float."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DOTTED = re.compile(rf"^\s*\[{{0,2}}(?:[^.=\n#]*\.){{{DEPTH}}}", re.MULTILINE)


def parse_json(
    text: str | bytes, unique: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None
) -> Any:
    """The value of a JSON text; ``unique`` builds an object from its pairs, by default a dict.

    Raises ValueError for text that is not JSON or not UTF-8, for NaN and numbers beyond a float's range, for
    unpaired surrogates, which UTF-8 cannot encode, and for values nested deeper than :data:`DEPTH`.
    """
    text = text.decode("utf-8") if isinstance(text, bytes) else text
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=unique,
        )
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value, text)
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds an unpaired surrogate") from None
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text.

    Raises ValueError for text that is not TOML, and for values or dotted keys nested deeper than
    :data:`DEPTH`.
    """
    if _DOTTED.search(text):  # tomllib takes time quadratic in the dots
        raise _too_deep()
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    _check_depth(table, text)
    return table


def _check_depth(value: Any, text: str) -> None:
    """Raise ValueError for deep nesting; text with few brackets and dots needs no traversal."""
    if text.count("[") + text.count("{") + text.count(".") <= DEPTH:
        return
    level: list[Any] = [[value]]
    for _ in range(DEPTH + 1):
        children = (parent.values() if isinstance(parent, dict) else parent for parent in level)
        level = [child for each in children for child in each if isinstance(child, dict | list)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEPTH} deep")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"an integer has {len(digits):,} digits")
    return int(digits)
