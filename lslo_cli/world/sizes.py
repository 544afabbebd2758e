"""How much bitext the built-in world's base has seen of each language: as shipped, and three controls."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from lslo_cli.method.languages import Language
from lslo_cli.world.languages import PIVOT, WORLD

EQUAL_SIZE = 10_000
"""Rows of each language where all have the same: about as many in all as in the shipped world."""
ROTATED_BY = 4
"""Places by which sizes move on, so that every class has the sizes of another."""


class Sizes(StrEnum):
    """Worlds that differ in the bitext behind the base model alone: the text to fine-tune on is one.

    ``SHIPPED``: resource classes fit the sizes. The smallest two languages are a family of their own.
    ``ROTATED``: each language has the size of the fourth after it; classes stay, and are wrong.
    ``EQUAL``: all languages have one size; classes stay, and mean nothing.
    ``RELATED``: Hatu and Gilon change places, size and class, so that every very-low language has a
    better-off relative.
    """

    SHIPPED = "shipped"
    ROTATED = "rotated"
    EQUAL = "equal"
    RELATED = "related"


def world(sizes: Sizes = Sizes.SHIPPED) -> dict[str, Language]:
    """The languages of the built-in world by code, with the bitext that the base model has of each.

    The pivot, whose bitext is None, is the same in all.
    """
    sized = [language for code, language in WORLD.items() if code != PIVOT]
    if sizes is Sizes.ROTATED:
        rotated = sized[ROTATED_BY:] + sized[:ROTATED_BY]
        sized = [replace(ours, bitext=other.bitext) for ours, other in zip(sized, rotated, strict=True)]
    elif sizes is Sizes.EQUAL:
        sized = [replace(language, bitext=EQUAL_SIZE) for language in sized]
    elif sizes is Sizes.RELATED:
        places = {"qha": WORLD["qgi"], "qgi": WORLD["qha"]}
        sized = [
            replace(language, resource=other.resource, bitext=other.bitext)
            for language in sized
            for other in (places.get(language.code, language),)
        ]
    return WORLD | {language.code: language for language in sized}
