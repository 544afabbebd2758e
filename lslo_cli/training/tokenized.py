"""A corpus as token ids: every sentence tokenised once for all its directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lslo_cli.data.corpus import Corpus
from lslo_cli.method.languages import Direction
from lslo_cli.models.tokenizer import Tokenizer


@dataclass(frozen=True)
class Pieces:
    """The piece ids of one language in one section: row i is ``ids[offsets[i] : offsets[i + 1]]``."""

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, sentences: Iterable[Sequence[int]]) -> Pieces:
        sentences = list(sentences)
        offsets = np.zeros(len(sentences) + 1, dtype=np.int64)
        np.cumsum([len(pieces) for pieces in sentences], out=offsets[1:])
        ids = np.fromiter(
            (piece for pieces in sentences for piece in pieces), dtype=np.int32, count=offsets[-1]
        )
        return cls(ids, offsets)

    @property
    def lengths(self) -> np.ndarray:
        """Pieces per row, without specials."""
        return np.diff(self.offsets)

    def __getitem__(self, row: int) -> list[int]:
        return self.ids[self.offsets[row] : self.offsets[row + 1]].tolist()


@dataclass(frozen=True)
class Examples:
    """Sentence pairs of several directions, as columns of equal length.

    ``direction`` indexes the list of directions, ``section`` and ``row`` the corpus; lengths are in tokens,
    specials included. All are int32: 202 languages with a thousand rows have 41 million pairs.
    """

    direction: np.ndarray
    section: np.ndarray
    row: np.ndarray
    source_length: np.ndarray
    target_length: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def width(self) -> np.ndarray:
        """The longer side of each example, which a token budget counts."""
        return np.maximum(self.source_length, self.target_length)

    def __getitem__(self, index: np.ndarray) -> Examples:
        """The examples at ``index``, an integer or boolean array."""
        return Examples(*(column[index] for column in vars(self).values()))


class TokenizedCorpus:
    """The pieces of every sentence of a corpus, in flat arrays per section and language."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer):
        self.corpus = corpus
        self.tokenizer = tokenizer
        self._pieces = [
            {code: Pieces.of(map(tokenizer.encode, lines)) for code, lines in section.text.items()}
            for section in corpus.sections
        ]

    def pieces(self, language: str, section: int, row: int) -> list[int]:
        """The piece ids of one sentence, without specials."""
        return self._pieces[section][language][row]

    def examples(self, directions: Sequence[Direction]) -> Examples:
        """All sentence pairs of the directions: direction by direction, each in the corpus's order."""
        sizes = [self.corpus.size(direction) for direction in directions]
        columns = np.empty((5, sum(sizes)), dtype=np.int32)
        stop = 0
        for index, (direction, size) in enumerate(zip(directions, sizes, strict=True)):
            start, stop = stop, stop + size
            columns[:, start:stop] = self._columns(index, direction)
        return Examples(*columns)

    def _columns(self, index: int, direction: Direction) -> np.ndarray:
        """The five columns of :class:`Examples` for one direction, (5, n)."""
        section, row = self.corpus.rows(direction).T
        lengths = []
        for language, specials in (
            (direction.src, len(self.tokenizer.source_ids([], direction.src, direction.tgt))),
            (direction.tgt, len(self.tokenizer.target_ids([], direction.src, direction.tgt))),
        ):
            length = np.zeros_like(row)
            for number in np.unique(section):
                here = section == number
                length[here] = self._pieces[number][language].lengths[row[here]] + specials
            lengths.append(length)
        return np.stack([np.full_like(row, index), section, row, *lengths])
