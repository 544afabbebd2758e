"""Whether a first run on a text can train and test on it, asked of the functions that the run itself asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lslo_cli.data.corpus import hold_out
from lslo_cli.data.layouts import find_splits
from lslo_cli.data.splits import with_splits
from lslo_cli.data.text import read_corpus
from lslo_cli.errors import InputError
from lslo_cli.recipe import resolve

MOST = 100
"""The most rows to hold out of a section; at most a tenth of the smallest."""


def rows_to_hold_out(path: Path, codes: Sequence[str]) -> int | None:
    """Rows of each section to hold out for testing; 0 if the text has a split to train and one to test on.

    None if the text has splits, but none to train on. Raises InputError if no row can be held out, or if the
    text cannot be read.
    """
    given = {"data.path": str(path), "langs": ",".join(codes)}
    splits = find_splits(path)
    recipe = with_splits(resolve(given=given))
    if splits and recipe.data.train not in splits:
        return None
    if recipe.data.test in splits:
        return 0
    recipe = with_splits(resolve(given={**given, "data.hold_out": 1}))
    corpus = read_corpus(recipe.data.path, codes, recipe.data.train)
    rows = max(1, min(MOST, min(map(len, corpus.sections)) // 10))
    while True:
        try:
            hold_out(corpus, rows, recipe.seed)
        except InputError:
            if rows == 1:
                raise
            rows //= 2
        else:
            return rows
