"""Beam search with fairseq's rules, over the hypotheses of all sentences of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lslo_cli.models.decoder import IncrementalDecoder
from lslo_cli.nn.route import Route
from lslo_cli.search.generate import target_limit
from lslo_cli.search.prediction import best_continuations, log_prob, writes_language

if TYPE_CHECKING:
    from lslo_cli.models.base import BaseModel
    from lslo_cli.search.stream import TranslationBatch

Ranked = tuple[list[int], float]
"""The pieces of a hypothesis, and its score."""

LEAVING = 0.25
"""Finished sentences are dropped from a batch when they are this share; earlier, copying costs more."""

NOTHING = -1
"""Marks the end of a hypothesis."""


def best(ranked: Sequence[Sequence[Ranked]]) -> list[list[int]]:
    """The pieces of the best hypothesis of every sentence; none for a sentence without a hypothesis."""
    return [found[0][0] if found else [] for found in ranked]


@torch.no_grad()
def ranked_search(
    base: BaseModel,
    batch: TranslationBatch,
    route: Route | None = None,
    *,
    count: int = 1,
    beam: int = 5,
    max_length_a: float = 0.0,
    max_length_b: int = 200,
    length_penalty: float = 1.0,
    no_repeat_ngram: int = 0,
) -> list[list[Ranked]]:
    """Up to ``count`` finished hypotheses of every sentence of ``batch``, best first.

    They are ids of pieces, without special tokens, with their scores. Each row is translated into the
    language that ends its prompt, so a batch may mix target languages. A hypothesis has at most
    ``max_length_a * source length + max_length_b`` tokens before ``</s>``, language token included, where
    source length is the padded length of the batch, as in fairseq. Its score is the sum of its
    log-probabilities, those of language token and ``</s>`` included, over their number to the power
    ``length_penalty``; a sentence is done once it has ``beam`` finished hypotheses. The token of a new
    language has no probability: it is a prompt, which does not count. The prefix of a batch counts as its
    language tokens do. If ``no_repeat_ngram`` is not 0, no n-gram of that size occurs twice in a hypothesis.
    ``beam`` is at most one less than the vocabulary, as in fairseq, since padding is never chosen.

    ``route`` is that of the attached adapters, if any, and is set here, since finished sentences leave the
    batch. Raises ValueError for a model in training mode.
    """
    model = base.model
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() before translating")
    batch = batch.to(model.device)
    head, pad, end = model.get_output_embeddings(), model.config.pad_token_id, model.config.eos_token_id
    beam = min(beam, head.out_features - 1)
    longest = target_limit(model, int(max_length_a * batch.input_ids.shape[1] + max_length_b))
    languages = (batch.source_language, batch.target_language)
    decoder = IncrementalDecoder(model, batch.input_ids, batch.attention_mask, route or Route(), languages)
    states = decoder.read_prompt(batch.prompt_ids)  # (sentences, prompt, d)
    hidden, scores = states[:, -1:], torch.zeros(len(batch), 1, device=model.device)
    before = batch.prompt_ids.shape[1] - batch.prefix
    named = int(writes_language(head, batch.prompt_ids[:, :before]))
    if counted := named + batch.prefix:
        log_probabilities = log_prob(head, states[:, -1 - counted : -1], batch.prompt_ids[:, -counted:])
        scores = log_probabilities.sum(dim=1, keepdim=True)
    begun = batch.prompt_ids[:, before:]
    hypotheses = Hypotheses(scores, begun, beam, longest, length_penalty, end, named, count)
    for _ in range(states.shape[1] - 1, longest):
        repeated = repeating(hypotheses.tokens, no_repeat_ngram, pad) if no_repeat_ngram else None
        never = [pad, *base.tokenizer.unused]
        hypotheses.extend(*best_continuations(head, hidden, hypotheses.scores, 2 * beam, never, repeated))
        staying = hypotheses.leave()
        if not len(hypotheses):
            break
        if staying is not None:
            decoder.keep(staying)
        hidden = decoder.read(hypotheses.tokens[:, :, -1], hypotheses.parents)
    else:
        hypotheses.end(log_prob(head, hidden, torch.full_like(hypotheses.parents, end)))
    return hypotheses.ranked()


def repeating(tokens: Tensor, size: int, pad: int) -> Tensor:
    """For hypotheses (sentences, hypotheses, length), the tokens that would repeat an n-gram of ``size``.

    The result is (sentences, hypotheses, n), filled with ``pad``.
    """
    length = tokens.shape[2]
    if length < size:
        return tokens[:, :, :0]
    windows, last = tokens.unfold(2, size, 1), tokens[:, :, length - size + 1 :]
    seen_before = (windows[..., :-1] == last[:, :, None]).all(dim=3)
    return torch.where(seen_before, windows[..., -1], pad)


class Hypotheses:
    """The live hypotheses of every sentence, and the best finished ones.

    ``tokens`` (sentences, hypotheses, length) are pieces, without language token; ``parents`` (sentences,
    hypotheses) are the indices of the hypotheses of the previous step that they continue. A sentence is done
    once ``beam`` hypotheses are finished; its best ones then no longer change.
    """

    def __init__(
        self,
        language: Tensor,
        begun: Tensor,
        beam: int,
        longest: int,
        length_penalty: float,
        end: int,
        named: int = 1,
        count: int = 1,
    ):
        """Start with one hypothesis per sentence: the tokens ``begun`` (sentences, n), with n possibly 0.

        ``language`` (sentences, 1) is the log-probability of its language token and of ``begun``. ``longest``
        counts the language token; the length for ``length_penalty`` counts it and the token ``end``;
        ``named`` is 0 if there is no language token. The best ``count`` of each sentence are kept.
        """
        sentences, device = len(language), language.device
        self.tokens = begun[:, None]
        self.parents = torch.zeros(sentences, 1, dtype=torch.long, device=device)
        self.scores = language
        self._beam = beam
        self._length_penalty = length_penalty
        self._end = end
        self._uncounted = named + 1
        self._finished = torch.zeros(sentences, dtype=torch.long, device=device)
        self._best_scores = torch.full((sentences, count), -torch.inf, device=device)
        self._best = torch.full((sentences, count, longest), NOTHING, device=device)
        self._rows = torch.arange(sentences, device=device)
        self._translations, self._translation_scores = self._best.clone(), self._best_scores.clone()

    def __len__(self) -> int:
        """The number of sentences still in the batch."""
        return len(self._rows)

    def extend(self, scores: Tensor, parents: Tensor, tokens: Tensor) -> None:
        """Extend with each sentence's best continuations, (sentences, 2 x beam), best first.

        Those among the first ``beam`` that end are finished; the first ``beam`` that do not end stay live.
        The first time there may be fewer, at least ``beam`` + 1, of which one ends. What may not be chosen
        has a score of -inf: it may stay live, so that all sentences have equally many, but is never finished.
        """
        ends = (tokens == self._end) & (scores > -torch.inf)
        self._finish(scores[:, : self._beam], parents[:, : self._beam], ends[:, : self._beam])
        alive = ends.long().argsort(dim=1, stable=True)[:, : self._beam]
        self.scores = scores.gather(1, alive)
        self.parents = parents.gather(1, alive)
        continued = _select(self.tokens, self.parents)
        self.tokens = torch.cat((continued, tokens.gather(1, alive)[:, :, None]), dim=2)

    def end(self, log_probs: Tensor) -> None:
        """Finish every live hypothesis; ``log_probs`` (sentences, hypotheses) are those of ``</s>``."""
        scores, parents = (self.scores + log_probs).sort(dim=1, descending=True)
        self._finish(scores, parents, torch.ones_like(scores, dtype=torch.bool))

    def leave(self) -> Tensor | None:
        """Drop the sentences that are done, if there are enough of them.

        Returns the indices of those that stay, or None if all do.
        """
        done = self._finished >= self._beam
        if done.sum() < LEAVING * len(self):
            return None
        self._note()
        staying = (~done).nonzero()[:, 0]
        for name in ("tokens", "parents", "scores", "_finished", "_best_scores", "_best", "_rows"):
            setattr(self, name, getattr(self, name)[staying])
        return staying

    def ranked(self) -> list[list[Ranked]]:
        """The best finished hypotheses of every sentence, also of dropped ones, in the order of the batch."""
        self._note()
        return [
            [
                (row[: row.index(NOTHING)] if NOTHING in row else row, score)
                for row, score in zip(rows, scores, strict=True)
                if score > -torch.inf
            ]
            for rows, scores in zip(
                self._translations.tolist(), self._translation_scores.tolist(), strict=True
            )
        ]

    def _note(self) -> None:
        self._translations[self._rows] = self._best
        self._translation_scores[self._rows] = self._best_scores

    def _finish(self, scores: Tensor, parents: Tensor, ends: Tensor) -> None:
        """Record continuations that end, each (sentences, beam), best first."""
        length, count = self.tokens.shape[2], self._best.shape[1]
        # All have the same length, so the first of them are the best, until the sentence is done.
        ends = ends & (self._finished[:, None] + ends.cumsum(dim=1) <= self._beam)
        first = (~ends).long().argsort(dim=1, stable=True)[:, :count]
        normalised = scores.gather(1, first) / (length + self._uncounted) ** self._length_penalty
        normalised = torch.where(ends.gather(1, first), normalised, -torch.inf)
        found = torch.full_like(self._best[:, : first.shape[1]], NOTHING)
        found[:, :, :length] = _select(self.tokens, parents.gather(1, first))
        # Stable sort: of equal scores, the one finished sooner comes first.
        known = torch.cat((self._best_scores, normalised), dim=1)
        self._best_scores, order = known.sort(dim=1, descending=True, stable=True)
        self._best_scores, order = self._best_scores[:, :count], order[:, :count]
        self._best = _select(torch.cat((self._best, found), dim=1), order)
        self._finished += ends.sum(dim=1)


def _select(tokens: Tensor, indices: Tensor) -> Tensor:
    """The hypotheses at ``indices`` (sentences, n): (sentences, n, length)."""
    return tokens.gather(1, indices[:, :, None].expand(-1, -1, tokens.shape[2]))
