"""The text of an experiment, from a path or the built-in world, divided if the recipe says so."""

from __future__ import annotations

from collections.abc import Sequence

from lslo_cli.data.corpus import Corpus, CorpusSection, hold_out, load_corpus
from lslo_cli.data.splits import DEV_ROWS, HELD_OUT, WORLD_NAME
from lslo_cli.recipe import Recipe
from lslo_cli.world import Sizes, sentences


def read_text(recipe: Recipe, codes: Sequence[str], split: str) -> Corpus:
    """A split of a recipe's text; if the training text is divided, the rows of ``split`` only.

    A split that is not trained on may lack languages.

    The rows held out for testing are drawn first, then the dev rows, from those that ``data.train_rows``
    leaves unused if these suffice.
    """
    data = recipe.data
    if split not in (data.train, HELD_OUT, DEV_ROWS):
        return read_corpus(data.path, codes, split, data.world, all_languages=False)
    corpus = read_corpus(data.path, codes, data.train, data.world)
    if data.hold_out is not None:
        corpus, held_out = hold_out(corpus, data.hold_out, recipe.seed)
        if split == HELD_OUT:
            return held_out
    if data.dev_rows:
        corpus, dev = hold_out(corpus, data.dev_rows, recipe.seed, data.train_rows)
        if split == DEV_ROWS:
            return dev
    return corpus


def read_corpus(
    path: str, codes: Sequence[str], split: str, sizes: Sizes = Sizes.SHIPPED, *, all_languages: bool = True
) -> Corpus:
    """Text from a path or of the built-in world. An empty split is text without splits."""
    if path != WORLD_NAME:
        return load_corpus(path, codes, split or None, all_languages=all_languages)
    return Corpus((CorpusSection(WORLD_NAME, sentences(split, codes=codes, sizes=sizes)),))
