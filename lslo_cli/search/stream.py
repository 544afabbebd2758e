"""Sentences to translate, of many directions, as one stream of batches sorted by length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lslo_cli.method.languages import Direction
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.training.batches import language_indices, on_device, padded, token_budget
from lslo_cli.wording import counted

Key = tuple[Direction, int]
"""The key of a sentence: its direction, and its row among the sentences of that direction."""


@dataclass(frozen=True)
class TranslationBatch:
    """Source sentences of any directions, padded on the right.

    input_ids, attention_mask (b, s); prompt_ids (b, p), the decoder's prompt; source_language,
    target_language (b,), indices into the experiment's languages; all int64. ``keys`` are those of the rows.
    The last ``prefix`` tokens of each prompt begin its translation.
    """

    input_ids: Tensor
    attention_mask: Tensor
    prompt_ids: Tensor
    source_language: Tensor
    target_language: Tensor
    keys: tuple[Key, ...]
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str) -> TranslationBatch:
        """The same batch on another device."""
        return on_device(self, device)


class TranslationBatches:
    """Batches for decoding, longest sentences first, so that memory runs out at once or not at all.

    Sentences x longest source <= ``max_tokens``, specials included. A source longer than ``max_length`` is
    cut there, before its closing specials, and counted in ``truncated``. An empty source, one without pieces
    such as spaces or invisible characters, is in no batch: its translation is the empty string, which
    :meth:`in_order` inserts.

    Directions from or to a new language have separate batches, so that all other batches are the same as
    without it: rounding depends on the batch.
    """

    def __init__(
        self,
        sentences: Mapping[Direction, Sequence[str]],
        tokenizer: Tokenizer,
        languages: Sequence[str],
        *,
        max_tokens: int,
        max_length: int,
        prefix: str = "",
    ):
        """``sentences`` are the sources by direction; ``languages`` determines the language indices.

        Every translation begins with ``prefix``.
        """
        self._prefix = tokenizer.encode(prefix) if prefix else []
        self._sentences = sentences
        self._tokenizer = tokenizer
        self._languages = tuple(languages)
        self._index = {code: position for position, code in enumerate(self._languages)}
        self._max_length = max_length
        # A source that occurs in many directions is tokenised once.
        texts = {text for lines in sentences.values() for text in lines}
        self._pieces = {text: tokenizer.encode(text) if text.strip() else [] for text in texts}
        keys = [
            (d, row) for d, lines in sentences.items() for row, text in enumerate(lines) if self._pieces[text]
        ]
        specials = {
            direction: len(tokenizer.source_ids([], direction.src, direction.tgt)) for direction in sentences
        }
        lengths = np.array(
            [len(self._pieces[sentences[d][row]]) + specials[d] for d, row in keys], dtype=np.int64
        )
        self.truncated = int((lengths > max_length).sum())
        kind_of = {direction: self._kind(direction) for direction in sentences}
        kinds = np.array([kind_of[direction] for direction, _ in keys], dtype=np.int64)
        self._batches: list[tuple[Key, ...]] = []
        for kind in np.unique(kinds):
            order = np.argsort(-lengths, kind="stable")
            order = order[kinds[order] == kind]
            widths = np.minimum(lengths[order], max_length)
            # Within a batch, rows are sorted by target language, as in training, and thus by adapter.
            self._batches += [
                tuple(sorted((keys[index] for index in order[start:stop]), key=self._by_target))
                for start, stop in token_budget(widths, max_tokens)
            ]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> TranslationBatch:
        keys = self._batches[index]
        directions = [direction for direction, _ in keys]
        input_ids, attention_mask = padded([self._source_ids(*key) for key in keys], self._tokenizer.pad_id)
        prompts = [
            [*self._tokenizer.decoder_prompt(direction.src, direction.tgt), *self._prefix]
            for direction in directions
        ]
        src, tgt = language_indices(directions, self._languages)
        return TranslationBatch(
            input_ids, attention_mask, torch.tensor(prompts), src, tgt, keys, len(self._prefix)
        )

    def __iter__(self) -> Iterator[TranslationBatch]:
        return (self[index] for index in range(len(self)))

    def _kind(self, direction: Direction) -> int:
        """0 for a direction between known languages; 1 from, 2 to, 3 between new ones."""
        tokenizer = self._tokenizer
        src, tgt = (
            tokenizer.language_id(code) >= tokenizer.output_size for code in (direction.src, direction.tgt)
        )
        return src + 2 * tgt

    def _by_target(self, key: Key) -> tuple[int, int]:
        direction, _ = key
        return self._index[direction.tgt], self._index[direction.src]

    def _source_ids(self, direction: Direction, row: int) -> list[int]:
        pieces = self._pieces[self._sentences[direction][row]]
        ids = self._tokenizer.source_ids(pieces, direction.src, direction.tgt)
        over = max(0, len(ids) - self._max_length)
        return ids if not over else self._tokenizer.source_ids(pieces[:-over], direction.src, direction.tgt)

    def in_order(self, translations: Iterable[tuple[Key, str]]) -> dict[Direction, list[str]]:
        """Translations, given in any order, in the order of their sources; "" for empty sources.

        Raises ValueError if a source that is not empty has no translation.
        """
        lines = {direction: [""] * len(sources) for direction, sources in self._sentences.items()}
        missing = {key for keys in self._batches for key in keys}
        for (direction, row), text in translations:
            lines[direction][row] = text
            missing.discard((direction, row))
        if missing:
            direction, row = min(missing, key=str)
            raise ValueError(
                f"not translated: {counted(len(missing), 'sentence')}, such as row {row} of {direction}"
            )
        return lines
