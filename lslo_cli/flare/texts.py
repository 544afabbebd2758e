"""Texts as token ids, and the batches of training and prediction."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lslo_cli.flare.examples import Question
from lslo_cli.flare.source import Side
from lslo_cli.nn.loss import IGNORED

POOL = 8
"""Batches sorted by length together: enough to save padding, few enough to stay random."""


@dataclass(frozen=True)
class Texts:
    """Token ids of texts, special tokens included; ``side`` is their padding side.

    ``contexts`` are the start and end (exclusive) of the part to look for an answer in, if any.
    """

    ids: tuple[tuple[int, ...], ...]
    pad_id: int
    side: Side = Side.RIGHT
    contexts: tuple[tuple[int, int], ...] = ()

    @property
    def longest(self) -> int:
        return max(map(len, self.ids))

    def lengths(self) -> list[int]:
        return [len(row) for row in self.ids]

    def rows(self, chosen: Sequence[int]) -> Texts:
        """The ``chosen`` texts, in that order."""
        contexts = tuple(self.contexts[row] for row in chosen) if self.contexts else ()
        return replace(self, ids=tuple(self.ids[row] for row in chosen), contexts=contexts)

    def padded(self, rows: Sequence[int], length: int | None = None) -> dict[str, Tensor]:
        """Rows as ``input_ids`` and ``attention_mask``, (rows, length); by default as long as the longest.

        With contexts there is a ``context_mask`` too.
        """
        chosen = [self.ids[row] for row in rows]
        length = length or max(map(len, chosen))
        ids = torch.full((len(chosen), length), self.pad_id)
        mask = torch.zeros(len(chosen), length, dtype=torch.long)
        for number, row in enumerate(chosen):
            span = slice(length - len(row), length) if self.side is Side.LEFT else slice(len(row))
            ids[number, span] = torch.tensor(row)
            mask[number, span] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self.contexts:
            inputs["context_mask"] = torch.zeros_like(mask)
            for number, (first, end) in enumerate(self.contexts[row] for row in rows):
                inputs["context_mask"][number, first:end] = 1
        return inputs


def encode(
    tokenizer: Any, texts: Iterable[tuple[str, str]], max_length: int, side: Side = Side.RIGHT
) -> Texts:
    """Texts, or pairs as the tokenizer joins them (an empty second part is none), cut to ``max_length``."""
    ids = tuple(
        tuple(tokenizer(first, second or None, truncation=True, max_length=max_length)["input_ids"])
        for first, second in texts
    )
    return Texts(ids, tokenizer.pad_token_id, side)


def encode_questions(tokenizer: Any, questions: Iterable[Question], max_length: int) -> tuple[Texts, Tensor]:
    """Questions with their contexts, and the first and last token of each answer, (rows, 2).

    An answer that was cut off has :data:`IGNORED` for positions. ``tokenizer`` must give the characters of
    each token.
    """
    ids, contexts, spans = [], [], []
    for question in questions:
        encoded = tokenizer(
            question.text,
            question.pair,
            truncation=True,
            max_length=max_length,
            return_offsets_mapping=True,
        )
        parts, offsets = encoded.sequence_ids(), encoded["offset_mapping"]
        inside = [position for position, part in enumerate(parts) if part == 1]
        start, end = question.label
        answer = [p for p in inside if offsets[p][0] < end and offsets[p][1] > start]
        whole = bool(answer) and offsets[inside[-1]][1] >= end
        ids.append(tuple(encoded["input_ids"]))
        contexts.append((inside[0], inside[-1] + 1))
        spans.append((answer[0], answer[-1]) if whole else (IGNORED, IGNORED))
    return Texts(tuple(ids), tokenizer.pad_token_id, contexts=tuple(contexts)), torch.tensor(spans)


def training_batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Rows in batches of similar length, in an order drawn from (seed, epoch)."""
    generator = random.Random(f"{seed} {epoch}")
    rows = list(range(len(lengths)))
    generator.shuffle(rows)
    batches = []
    for start in range(0, len(rows), size * POOL):
        batches += _cut(sorted(rows[start : start + size * POOL], key=lengths.__getitem__), size)
    generator.shuffle(batches)
    return batches


def prediction_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """All rows in batches, sorted by length."""
    return _cut(sorted(range(len(lengths)), key=lengths.__getitem__), size)


def _cut(rows: Sequence[int], size: int) -> list[list[int]]:
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]
