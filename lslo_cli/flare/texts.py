"""Texts as token ids, and the batches of training and prediction."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from lslo_cli.flare.base_encoder import BaseTokenizer
from lslo_cli.flare.examples import Examples, Question
from lslo_cli.flare.parts import PartTokens, Segment
from lslo_cli.flare.source import Side
from lslo_cli.nn.loss import IGNORED

POOL = 8
"""Batches sorted by length together: enough to save padding, few enough to stay random."""


@dataclass(frozen=True)
class Texts:
    """Token ids of texts, special tokens included; ``side`` is their padding side.

    ``contexts`` are the start and end (exclusive) of the part to look for an answer in, if any. ``cut`` is
    the number of texts that were longer.
    """

    ids: tuple[tuple[int, ...], ...]
    pad_id: int
    side: Side = Side.RIGHT
    contexts: tuple[tuple[int, int], ...] = ()
    cut: int = 0

    @classmethod
    def of(
        cls,
        rows: Iterable[PartTokens],
        pad_id: int,
        side: Side = Side.RIGHT,
        contexts: Iterable[tuple[int, int]] = (),
    ) -> Texts:
        rows = tuple(rows)
        ids = tuple(tuple(row.ids) for row in rows)
        return cls(ids, pad_id, side, tuple(contexts), sum(not row.whole for row in rows))

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
    rows = [_truncated(tokenizer, first, second, max_length) for first, second in texts]
    return Texts.of(rows, tokenizer.pad_token_id, side)


def encode_joined(
    tokenizer: Any, sources: Examples, targets: Examples, max_length: int, side: Side = Side.RIGHT
) -> Texts:
    """Sources, each joined with its target; all their texts keep their share of ``max_length`` tokens."""
    rows = zip(sources, targets, strict=True)
    found = (_joined(tokenizer, Segment.of(one), Segment.of(other), max_length) for one, other in rows)
    return Texts.of(found, tokenizer.pad_token_id, side)


Span = tuple[int, int]
"""The first and last token of an answer."""


def encode_questions(
    tokenizer: Any, questions: Sequence[Question], max_length: int, sources: Examples = ()
) -> tuple[Texts, list[tuple[Span, ...]]]:
    """Questions with their contexts, and the spans of each one's right answers.

    ``sources``, if there are any, stand before the questions. If a row is longer than ``max_length``, each of
    its texts keeps its share. An answer that was cut off has :data:`IGNORED` for positions. ``tokenizer``
    must give the characters of each token.
    """
    texts, contexts, spans = [], [], []
    for question, source in zip_longest(questions, sources):
        first = Segment.before(source, question.text) if source else Segment(question.text)
        found = _joined(tokenizer, first, Segment(question.pair), max_length)
        context = len(first.ends) + 1  # the part after all of the first segment
        inside = [position for position, part in enumerate(found.parts) if part == context]
        texts.append(found)
        # A context without tokens has no answer; the first token stands for it, as some must be looked at.
        contexts.append((inside[0], inside[-1] + 1) if inside else (0, 1))
        spans.append(tuple(_span(found, inside, *label) for label in question.labels))
    return Texts.of(texts, tokenizer.pad_token_id, contexts=contexts), spans


def _span(found: PartTokens, inside: Sequence[int], start: int, end: int) -> Span:
    """The tokens ``inside`` a context of which characters ``start`` to ``end`` are an answer."""
    answer = [p for p in inside if found.offsets[p][0] < end and found.offsets[p][1] > start]
    whole = bool(answer) and found.offsets[inside[-1]][1] >= end
    return (answer[0], answer[-1]) if whole else (IGNORED, IGNORED)


def _joined(tokenizer: Any, first: Segment, second: Segment, max_length: int) -> PartTokens:
    """Two segments as the tokenizer joins them (an empty second is none), cut part by part."""
    if isinstance(tokenizer, BaseTokenizer):
        return tokenizer.part_tokens(first, second).cut(max_length)
    if not getattr(tokenizer, "is_fast", False):  # it knows no characters, and cuts the longer segment
        return _truncated(tokenizer, first.text, second.text, max_length)
    encoded = tokenizer(first.text, second.text or None, return_offsets_mapping=True, verbose=False)
    offsets, segments = encoded["offset_mapping"], encoded.sequence_ids()
    before = len(first.ends) + 1

    def part(segment: int | None, end: int) -> int | None:
        if segment is None:
            return None
        return before + second.part(end) if segment else first.part(end)

    parts = [part(segment, end) for segment, (_, end) in zip(segments, offsets, strict=True)]
    return PartTokens(encoded["input_ids"], parts, offsets).cut(max_length)


def _truncated(tokenizer: Any, first: str, second: str, max_length: int) -> PartTokens:
    """A text, or a pair, as the tokenizer joins and cuts them (an empty second part is none)."""
    if isinstance(tokenizer, BaseTokenizer):
        return tokenizer.part_tokens(Segment(first), Segment(second)).cut(max_length)
    texts = (first, second or None)
    ids = tokenizer(*texts, truncation=True, max_length=max_length)["input_ids"]
    whole = len(ids) < max_length or len(tokenizer(*texts, verbose=False)["input_ids"]) <= max_length
    return PartTokens(ids, [None] * len(ids), whole=whole)


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
