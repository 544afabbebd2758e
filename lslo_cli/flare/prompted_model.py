"""A decoder that reads a prompt and answers in words, as Llama and Gemma do in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import GenerationConfig

from lslo_cli.flare.examples import Example, Examples, Pairs, Question
from lslo_cli.flare.parts import PartTokens
from lslo_cli.flare.prompts import cut_prompt, fused_prompt, prompt_tokens
from lslo_cli.flare.task_model import FusedBatch, Prepared, TaskModel
from lslo_cli.flare.tasks import Task
from lslo_cli.flare.texts import Texts
from lslo_cli.method.task_scores import best_grades, normalised_answer, overlap
from lslo_cli.nn.loss import IGNORED


@dataclass
class PromptedModel(TaskModel):
    """``backbone`` is a frozen language model whose own output layer answers; no head is added.

    A prompt is fused with the source's prompt, position by position, and every token of the answer with the
    last state of that prompt, in training and in generation.

    An answer is the first line of greedy search, without case and punctuation: the number of the label that
    it names, or the number of labels if it names none; in question answering it is graded, and ``labels``
    are 1. An answer to a question has at most ``answer_tokens`` tokens.
    """

    task: Task
    answer_tokens: int

    @property
    def shortest(self) -> int:
        """The words of a prompt, and a token of each text."""
        tokens = prompt_tokens(self.tokenizer, self.task.prompt(Question("", "a", "a", "", 0)))
        return tokens.words + len(set(tokens.parts) - {None})

    def texts(self, examples: Examples, max_length: int) -> Texts:
        """Prompts, each of whose texts keeps its beginning."""
        prompts = map(self.task.prompt, examples)
        return self._texts([cut_prompt(self.tokenizer, prompt, max_length) for prompt in prompts])

    def prepared(self, examples: Examples, max_length: int) -> Prepared:
        return self._prepared(self.texts(examples, max_length), examples)

    def joined(self, pairs: Pairs, max_length: int) -> Prepared:
        """The content of the source before the target's prompt; each gets half of the tokens."""
        prompts = (map(self.task.prompt, pairs.source), map(self.task.prompt, pairs.target))
        rows = [
            fused_prompt(self.tokenizer, source, target, max_length)
            for source, target in zip(*prompts, strict=True)
        ]
        return self._prepared(self._texts(rows), pairs.target)

    def logits(self, batch: FusedBatch) -> Tensor:
        """(rows, vocabulary) for the token after the prompt."""
        with batch.reading():
            return self.backbone(**batch.inputs(self.backbone.device), logits_to_keep=1).logits[:, -1]

    def loss(self, batch: FusedBatch) -> Tensor:
        """Mean cross-entropy of the answers' tokens, end tokens included."""
        inputs = batch.inputs(self.backbone.device)
        answers = self._answer_ids([batch.split.answers[row][0] for row in batch.rows])
        read = answers[:, :-1]  # the last token is predicted, not read
        ids = torch.cat([inputs["input_ids"], read.masked_fill(read == IGNORED, batch.split.texts.pad_id)], 1)
        mask = torch.cat([inputs["attention_mask"], (read != IGNORED).long()], 1)
        with batch.reading(ids.shape[1]):
            logits = self.backbone(
                input_ids=ids, attention_mask=mask, logits_to_keep=answers.shape[1], use_cache=False
            ).logits
        return F.cross_entropy(logits.float().flatten(0, 1), answers.flatten(), ignore_index=IGNORED)

    def answers(self, batch: FusedBatch) -> Tensor:
        written = zip(batch.rows, self.written(batch), strict=True)
        if self.task.labels:
            return torch.tensor([self._number(text) for _, text in written])
        return torch.tensor([best_grades(_grades, text, batch.split.answers[row]) for row, text in written])

    @torch.no_grad()
    def written(self, batch: FusedBatch) -> list[str]:
        """The first line that the model writes after each prompt."""
        inputs = batch.inputs(self.backbone.device)
        settings = GenerationConfig(
            max_new_tokens=self._longest(),
            do_sample=False,
            num_beams=1,
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=batch.split.texts.pad_id,
        )
        generator: Any = self.backbone  # it can generate, unlike the declared type
        with batch.writing(self.backbone):
            ids = generator.generate(**inputs, generation_config=settings)
        texts = self.tokenizer.batch_decode(ids[:, batch.length :], skip_special_tokens=True)
        return [text.strip().partition("\n")[0] for text in texts]

    def _prepared(self, texts: Texts, examples: Examples) -> Prepared:
        labels = [1 if isinstance(example, Question) else example.label for example in examples]
        answers = tuple(map(self._right, examples))
        return Prepared.of(texts, torch.tensor(labels), answers)

    def _right(self, example: Example | Question) -> tuple[str, ...]:
        if isinstance(example, Question):
            return example.answer, *(answer for answer, _ in example.others)
        return (self.task.labels[example.label],)

    def _number(self, written: str) -> int:
        written = normalised_answer(written)
        labels = [*map(normalised_answer, self.task.labels), written]
        return labels.index(written)

    def _longest(self) -> int:
        """The most tokens of an answer, its end token included."""
        labels = self.task.labels
        return max(len(self._answer(label)) for label in labels) if labels else self.answer_tokens

    def _answer(self, text: str) -> list[int]:
        return [*self._tokens(f" {text}"), self.tokenizer.eos_token_id]

    def _answer_ids(self, texts: Sequence[str]) -> Tensor:
        """(rows, longest), padded with IGNORED; truncated answers have no end token."""
        rows = [torch.tensor(self._answer(text)[: self._longest()]) for text in texts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED).to(
            self.backbone.device
        )

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _texts(self, rows: Sequence[PartTokens]) -> Texts:
        return Texts.of(rows, self.tokenizer.pad_token_id, self.side)


def _grades(written: str, right: str) -> tuple[float, float]:
    """Exact match and token F1 of the words of an answer."""
    written, right = normalised_answer(written), normalised_answer(right)
    return float(written == right), overlap(written.split(), right.split())
