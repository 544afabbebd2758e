"""Resource classes by the size of the user's text, for languages without a published class."""

from __future__ import annotations

import numpy as np

from lslo_cli.data.splits import with_splits
from lslo_cli.data.text import read_text
from lslo_cli.method.languages import THRESHOLDS, Resource, language_codes
from lslo_cli.recipe import Classes, LanguageEntry, Recipe

UNLABELLED = LanguageEntry(resource=Resource.UNLABELLED)
"""The entry of a language of which nothing is known, as of one that only the base model has."""


def with_classes(recipe: Recipe) -> Recipe:
    """The recipe with a class for every language without one, if it asks for classes from the text.

    A language's size is the number of rows of the training text that have it and another of the experiment's
    languages. Raises what reading the text raises.
    """
    known = recipe.known_languages()
    codes = language_codes(recipe.langs, known, recipe.language_sets(), recipe.new_languages)
    missing = [code for code in codes if code not in known or recipe.languages.get(code) == UNLABELLED]
    if recipe.classes is not Classes.TEXT or not missing:
        return recipe
    recipe = with_splits(recipe)
    sizes = dict.fromkeys(missing, 0)
    for section in read_text(recipe, codes, recipe.data.train).sections:
        together = np.sum([section.present[code] for code in codes if code in section.text], axis=0) > 1
        for code in missing:
            if code in section.text:
                sizes[code] += int((section.present[code] & together).sum())
    entries = {code: LanguageEntry(resource=class_of(size)) for code, size in sizes.items()}
    return recipe.model_copy(update={"languages": {**recipe.languages, **entries}})


def class_of(pairs: int) -> Resource:
    """The class of a language with ``pairs`` sentence pairs, by FLORES-101's thresholds."""
    return next((resource for resource, above in THRESHOLDS.items() if pairs > above), Resource.VERY_LOW)
