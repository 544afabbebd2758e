"""The text of an experiment: from a path, or the built-in world's."""

from __future__ import annotations

from collections.abc import Sequence

from lslo_cli.errors import UsageError
from lslo_cli.mt.corpus import Corpus, Section, load_corpus
from lslo_cli.world import sentences

WORLD_NAME = "world"
"""The path that means the built-in world."""


def read_corpus(path: str, codes: Sequence[str], split: str) -> Corpus:
    """Text from a path, or the built-in world's. An empty split is text without splits."""
    if path != WORLD_NAME:
        return load_corpus(path, codes, split or None)
    text = sentences(split)
    unknown = [code for code in codes if code not in text]
    if unknown:
        raise UsageError(
            f"the built-in world has no language '{unknown[0]}'",
            f"its languages are {', '.join(text)}; give real text with --data",
        )
    return Corpus((Section(WORLD_NAME, {code: text[code] for code in codes}),))
