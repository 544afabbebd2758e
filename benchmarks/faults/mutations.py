"""Random mutations: bytes cut, flipped or replaced, and valid JSON with other values."""

from __future__ import annotations

import json
import random
from typing import Any

from lslo_cli.artifacts.provenance import digest_of

PIECES = [
    b"1e400",
    b'"\\ud800"',
    b"[" * 5000,
    b'{"a":' * 5000,
    b"a." * 5000,
    b"\xff\xfe",
    b"NaN",
    b"9" * 5000,
    b"\0" * 9,
]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    0.5,
    -0.0,
    1e308,
    "",
    "x",
    "\0",
    "\u202e<script>\x1b[31m",
    "é" * 300,
    "../../x",
    [],
    {},
    [None],
    [[]],
    {"": None},
    ["x"] * 300,
]
"""Values to put in place of others, of the same or another type."""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """``content`` cut, flipped, doubled, or with unexpected bytes in it."""
    at, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    match chance.randrange(5):
        case 0:
            return content[:at]
        case 1:
            return (
                content[:at]
                + bytes(byte ^ (1 << chance.randrange(8)) for byte in content[at:end])
                + content[end:]
            )
        case 2:
            return content[:end] + content[at:]
        case 3:
            return content[:at] + chance.choice(PIECES) + content[end:]
    return chance.choice(PIECES)


def flipped(content: bytes, chance: random.Random, most: int = 1 << 16) -> bytes:
    """``content`` with a few bits flipped in its first ``most`` bytes, which hold headers."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 9))):
        changed[chance.randrange(min(len(changed), most))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def distorted(content: bytes, chance: random.Random) -> bytes:
    """A JSON document with one to three changed values; an artifact's digest is updated."""
    document = json.loads(content)
    for _ in range(chance.randint(1, 3)):
        _distort(document, chance)
    if isinstance(document, dict) and "digest" in document and "result" in document:
        document["digest"] = digest_of(document["result"])
    return json.dumps(document).encode()


def _distort(document: Any, chance: random.Random) -> None:
    """Change one value in a document, at every level with the same probability."""
    here = document
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = here[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            here = inner
            continue
        match chance.randrange(4):
            case 0:
                del here[key]
            case 1 if isinstance(inner, int | float) and not isinstance(inner, bool):
                here[key] = chance.choice((-inner, inner * 1000, inner + 1, inner + 0.5))
            case 2:
                here[key] = here[chance.choice(keys)]
            case _:
                here[key] = chance.choice(ODD)
        return
