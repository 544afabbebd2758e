"""An encoder with a head for labels or spans, tuned on English and transferred."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lslo_cli.flare.examples import Examples, Pairs, Question
from lslo_cli.flare.heads import Classifier, SpanFinder, pooled
from lslo_cli.flare.task_model import FusedBatch, Prepared, TaskModel
from lslo_cli.flare.texts import Span, Texts, encode, encode_joined, encode_questions
from lslo_cli.method.task_scores import best_grades, overlap
from lslo_cli.nn.loss import IGNORED


@dataclass
class HeadModel(TaskModel):
    """``backbone`` computes hidden states, ``head`` logits from them."""

    head: Classifier | SpanFinder

    def texts(self, examples: Examples, max_length: int) -> Texts:
        pairs = ((example.text, example.pair) for example in examples)
        return encode(self.tokenizer, pairs, max_length, self.side)

    def prepared(self, examples: Examples, max_length: int) -> Prepared:
        """Labels are class numbers, or the first and last token of an answer."""
        return self._prepared(examples, max_length)

    def joined(self, pairs: Pairs, max_length: int) -> Prepared:
        """The source before the target; answers are still found in the target's context.

        If both do not fit into ``max_length`` tokens, each of their texts keeps its share.
        """
        return self._prepared(pairs.target, max_length, pairs.source)

    def _prepared(self, examples: Examples, max_length: int, sources: Examples = ()) -> Prepared:
        """Examples, each after its source if there are ``sources``."""
        if questions := [example for example in examples if isinstance(example, Question)]:
            texts, spans = encode_questions(self.tokenizer, questions, max_length, sources)
            first = torch.tensor([span for span, *_ in spans])
            return Prepared.of(texts, first, tuple(spans))
        if sources:
            texts = encode_joined(self.tokenizer, sources, examples, max_length, self.side)
        else:
            texts = self.texts(examples, max_length)
        labels = torch.tensor([example.label for example in examples])
        return Prepared.of(texts, labels)

    def read(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The head's logits of texts, and their pooled states (rows, d)."""
        inputs = {name: tensor.to(self.backbone.device) for name, tensor in inputs.items()}
        context = inputs.pop("context_mask", inputs["attention_mask"])
        states = self.backbone(**inputs).last_hidden_state
        return self.head(states, context), pooled(states.float(), inputs["attention_mask"])

    def logits(self, batch: FusedBatch) -> Tensor:
        with batch.reading():
            return self.read(batch.inputs(self.backbone.device))[0]

    def loss(self, batch: FusedBatch) -> Tensor:
        logits = self.logits(batch)
        return F.cross_entropy(logits, batch.labels(logits.device))

    def answers(self, batch: FusedBatch) -> Tensor:
        answers = self.head.answers(self.logits(batch))
        if isinstance(self.head, Classifier):
            return answers
        spans = zip(batch.rows, map(tuple, answers.tolist()), strict=True)
        return torch.tensor([best_grades(_grades, found, batch.split.answers[row]) for row, found in spans])

    def modules(self) -> dict[str, nn.Module]:
        return {"head": self.head}

    def fresh(self) -> Self:
        return replace(self, head=copy.deepcopy(self.head))


def _grades(found: Span, right: Span) -> tuple[float, float]:
    """Exact match and token F1 of a span by first and last token; zero if the right one was cut off."""
    if IGNORED in right:
        return 0.0, 0.0
    tokens, expected = (range(first, last + 1) for first, last in (found, right))
    return float(found == right), overlap(tokens, expected)
