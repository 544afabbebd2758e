"""Task heads on the hidden states of a stock model: one label for a text, or a span in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def pooled(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the states of a text's tokens: (rows, length, d) to (rows, d)."""
    mask = attention_mask[..., None].to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1)


class Classifier(nn.Module):
    """Logits for a text, (rows, classes): dropout and a linear map on its pooled state."""

    def __init__(self, width: int, classes: int, dropout: float = 0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, classes)

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        return self.linear(self.dropout(pooled(states.float(), attention_mask)))

    def answers(self, logits: Tensor) -> Tensor:
        """The label of every text, (rows,)."""
        return logits.argmax(dim=-1)


class SpanFinder(nn.Module):
    """Logits for an answer's first and last token, (rows, length, 2); minus infinity outside the context."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, states: Tensor, context_mask: Tensor) -> Tensor:
        return self.linear(states.float()).masked_fill(context_mask[..., None] == 0, -torch.inf)

    def answers(self, logits: Tensor) -> Tensor:
        """First and last position of the best span that does not end before it begins, (rows, 2)."""
        start, end = logits.unbind(dim=-1)
        length = start.shape[1]
        sums = start[:, :, None] + end[:, None, :]
        backwards = torch.ones(length, length, dtype=torch.bool, device=sums.device).tril(-1)
        best = sums.masked_fill(backwards, -torch.inf).flatten(1).argmax(dim=1)
        return torch.stack([best // length, best % length], dim=1)
