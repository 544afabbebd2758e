"""The text of an experiment: from a path, or the built-in world's."""

from __future__ import annotations

from collections.abc import Sequence

from lslo_cli.mt.corpus import Corpus, Section, load_corpus
from lslo_cli.world import sentences

WORLD_NAME = "world"
"""The path that means the built-in world."""


def read_corpus(path: str, codes: Sequence[str], split: str) -> Corpus:
    """Text from a path, or the built-in world's. An empty split is text without splits."""
    if path != WORLD_NAME:
        return load_corpus(path, codes, split or None)
    return Corpus((Section(WORLD_NAME, sentences(split, codes=codes)),))
