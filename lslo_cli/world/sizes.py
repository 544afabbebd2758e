"""Bitext sizes of the built-in world's base, by language: as shipped, and three controls."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from lslo_cli.method.languages import Language
from lslo_cli.world.languages import PIVOT, WORLD

EQUAL_SIZE = 10_000
"""Rows of each language if all have the same: about the total of the shipped world."""
ROTATED_BY = 4
"""Shift of the sizes, by which every class gets the sizes of another."""


class Sizes(StrEnum):
    """Worlds that differ only in the base model's bitext: the fine-tuning text is the same.

    ``SHIPPED``: resource classes fit the sizes. The smallest two languages are a family of their own.
    ``ROTATED``: each language has the size of the fourth after it; classes stay, and are wrong.
    ``EQUAL``: all languages have one size; classes stay, and mean nothing.
    ``RELATED``: Hatu and Gilon swap size and class, so that every very-low language has a relative with more
    bitext.
    """

    SHIPPED = "shipped"
    ROTATED = "rotated"
    EQUAL = "equal"
    RELATED = "related"


def world(sizes: Sizes = Sizes.SHIPPED) -> dict[str, Language]:
    """The languages of the built-in world by code, with the base model's bitext of each.

    The pivot, whose bitext is None, is the same for all ``sizes``.
    """
    sized = [language for code, language in WORLD.items() if code != PIVOT]
    if sizes is Sizes.ROTATED:
        rotated = sized[ROTATED_BY:] + sized[:ROTATED_BY]
        sized = [replace(ours, bitext=other.bitext) for ours, other in zip(sized, rotated, strict=True)]
    elif sizes is Sizes.EQUAL:
        sized = [replace(language, bitext=EQUAL_SIZE) for language in sized]
    elif sizes is Sizes.RELATED:
        swapped = {"qha": WORLD["qgi"], "qgi": WORLD["qha"]}
        sized = [
            replace(language, resource=other.resource, bitext=other.bitext)
            for language in sized
            for other in (swapped.get(language.code, language),)
        ]
    return WORLD | {language.code: language for language in sized}
