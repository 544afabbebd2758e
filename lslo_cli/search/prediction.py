"""Next-token prediction: the best continuations over a large vocabulary, and the probability of one token.

A row of logits is as long as the vocabulary, so passes over it are kept to a minimum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

LOGITS = 2**26
"""The most logits in memory at a time."""

CACHED = 2**17
"""Logits that fit in a processor's cache."""

BLOCK = 32
"""Size of the blocks of tokens whose maxima are compared first."""


def best_continuations(
    head: nn.Linear,
    hidden: Tensor,
    scores: Tensor,
    count: int,
    never: Sequence[int],
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``count`` best continuations of a sentence's hypotheses by one token that is not in ``never``.

    ``hidden`` is (sentences, hypotheses, d), ``scores`` (sentences, hypotheses) those of the hypotheses so
    far, ``excluded`` (sentences, hypotheses, n) tokens that may not follow; probabilities are not
    renormalised. Returns the new scores, the indices of the continued hypotheses and the tokens, each
    (sentences, count), best first; fewer if there are fewer. Of tokens that may not follow the score is -inf.
    """
    found = []
    for logits, part in _logits(head, hidden):
        offsets = scores[part] - _log_sum_exp(logits)
        logits[:, :, never] = -torch.inf
        if excluded is not None:
            logits.scatter_(2, excluded[part], -torch.inf)
        found.append(_largest(logits, offsets, count))
    totals, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return totals, indices // head.out_features, indices % head.out_features


def log_prob(head: nn.Linear, hidden: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of one token after each hidden state; ``tokens`` and result (sentences, hypotheses)."""
    return torch.cat(
        [
            logits.gather(2, tokens[part][:, :, None])[:, :, 0] - _log_sum_exp(logits)
            for logits, part in _logits(head, hidden)
        ]
    )


def writes_language(head: nn.Linear, prompt_ids: Tensor) -> bool:
    """Whether the prompts (sentences, p) end in a language token that the model can generate.

    There may be none, or that of a new language, which has no logit; all prompts of a batch are of one kind.
    """
    return prompt_ids.shape[1] > 1 and bool((prompt_ids[:, 1] < head.out_features).all())


def _logits(head: nn.Linear, hidden: Tensor) -> Iterator[tuple[Tensor, slice]]:
    """Float32 logits (sentences, hypotheses, vocabulary), some sentences at a time, with their slice."""
    step = max(1, LOGITS // (hidden.shape[1] * head.out_features))
    for start in range(0, len(hidden), step):
        part = slice(start, start + step)
        yield head(hidden[part]).float(), part


def _log_sum_exp(logits: Tensor) -> Tensor:
    """torch.logsumexp over the vocabulary. A CPU is twice as fast on chunks that fit in its cache."""
    rows = logits.flatten(0, 1)
    step = max(1, CACHED // rows.shape[1]) if rows.device.type == "cpu" else len(rows)
    return torch.cat([chunk.logsumexp(dim=1) for chunk in rows.split(step)]).view(logits.shape[:2])


def _largest(logits: Tensor, offsets: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of a sentence's ``logits + offsets``, and their indices in its flattened logits.

    They are in the blocks with the ``count`` largest maxima, which one fast pass finds; torch.topk over all
    logits is several times slower.
    """
    sentences, hypotheses, vocabulary = logits.shape
    blocks = vocabulary // BLOCK
    whole = blocks * BLOCK
    maxima = logits[:, :, :whole].unflatten(2, (blocks, BLOCK)).amax(dim=3) + offsets[:, :, None]
    chosen = maxima.flatten(1).topk(min(count, hypotheses * blocks), sorted=False).indices
    starts = chosen // blocks * vocabulary + chosen % blocks * BLOCK  # (sentences, count)
    inside = starts[:, :, None] + torch.arange(BLOCK, device=logits.device)
    rest = torch.arange(hypotheses * vocabulary, device=logits.device).view(hypotheses, -1)[:, whole:]
    indices = torch.cat((inside.flatten(1), rest.flatten().expand(sentences, -1)), dim=1)
    totals = logits.flatten(1).gather(1, indices) + offsets.gather(1, indices // vocabulary)
    totals, best = totals.topk(min(count, totals.shape[1]))
    return totals, indices.gather(1, best)
