"""X-Mixup, a baseline: target states are mixed with the source by cross-attention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from lslo_cli.architectures.translation import Part
from lslo_cli.errors import InputError
from lslo_cli.flare.architectures import blocks_of

SOURCE_SHARE = 0.4
"""Weight of the source's cross-entropy in the loss; the target's has the rest."""

MAX_RATIO = 0.5
"""lambda_0: the largest weight of the source in a mixture."""


class MixedAttention(nn.Module):
    """Self-attention of one block of a BERT-like encoder, mixed across languages.

    ``h = (1 - lambda) h_t + lambda Attention(h_t, h_s, h_s)`` with h_t and h_s the self-attention outputs of
    the two texts, the same matrices Q, K, V and output in both attentions, and
    ``lambda = lambda_0 sigmoid(w H + b)`` by row, H being the mean entropy of the target's tokens in
    cross-attention over the logarithm of its width. w and b are learned. The pass over the source stores
    h_s; the pass over the target uses it.
    """

    _own: Tensor

    def __init__(self, attention: Part):
        super().__init__()
        self.attention = attention
        self.ratio = nn.Linear(1, 1)
        nn.init.zeros_(self.ratio.weight)
        nn.init.zeros_(self.ratio.bias)
        self.source: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        output, *rest = self.attention(hidden_states, *args, **kwargs)
        if self.source is None:
            self._own = output
            return (output, *rest)
        crossed, entropy = self._cross(output, *self.source)
        ratio = (
            MAX_RATIO * torch.sigmoid(self.ratio(entropy[:, None])).to(output.dtype)[..., None]
        )  # (rows, 1, 1)
        return ((1 - ratio) * output + ratio * crossed, *rest)

    def keep(self, mask: Tensor, target_mask: Tensor) -> None:
        """Use the last text read as the source; masks (rows, length) are 0 at the padding of either text."""
        device = self._own.device
        self.source = (self._own, mask.to(device), target_mask.to(device))

    def _cross(
        self, target: Tensor, source: Tensor, mask: Tensor, target_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-attention with this block's own matrices, and its mean entropy by row in [0, 1]."""
        inner = self.attention.self
        heads = inner.num_attention_heads

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (rows, heads, length, d_head)

        queries, keys, values = (
            split(inner.query(target)),
            split(inner.key(source)),
            split(inner.value(source)),
        )
        padding = mask[:, None, None, :] == 0
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[-1])
        log_weights = scores.float().masked_fill(padding, -torch.inf).log_softmax(dim=-1)
        weights = log_weights.exp()
        terms = weights * log_weights.masked_fill(padding, 0)  # 0 log 0 has no gradient of its own
        tokens = target_mask[:, None, :]  # padding queries too, but must not count
        entropy = -(terms.sum(dim=-1) * tokens).sum(dim=(1, 2)) / (heads * tokens.sum(dim=(1, 2)))
        width = mask.sum(dim=1).clamp(min=2).log()
        context = (weights.to(values.dtype) @ values).transpose(1, 2).flatten(2)
        return self.attention.output(context, target), entropy / width


class XMixup:
    """X-Mixup on an encoder: mixed attention in one block."""

    def __init__(self, model: PreTrainedModel, block: int):
        """``block`` counts from 1. Raises InputError for a missing block and for a model unlike BERT."""
        blocks: dict[int, Part] = {
            b.number: b.module
            for b in blocks_of(model)
            if hasattr(getattr(b.module, "attention", None), "self")
        }
        if block not in blocks:
            raise InputError(
                f"X-Mixup cannot mix in block {block} of a '{model.config.model_type}' model",
                f"choose a block from 1 to {len(blocks)}: --set flare.mixup_block={(len(blocks) + 1) // 2}"
                if blocks
                else "leave x-mixup out of --runs, or choose a BERT-like encoder as --model",
            )
        self._block = blocks[block]
        self.mixed = MixedAttention(self._block.attention)
        self._block.attention = self.mixed
        self._block.gradient_checkpointing = False  # recomputation in backward would find no source set
        self.mixed.ratio.to(next(model.parameters()).device)

    def parameters(self) -> list[nn.Parameter]:
        return list(self.mixed.ratio.parameters())

    def detach(self) -> None:
        """Restore the block's own attention."""
        self._block.attention = self.mixed.attention

    @contextmanager
    def source_was_read(self, mask: Tensor, target_mask: Tensor) -> Iterator[None]:
        """Inside the ``with`` block the model mixes target texts with the source texts it has just read.

        Masks are those of source and target, (rows, length).
        """
        self.mixed.keep(mask, target_mask)
        try:
            yield
        finally:
            self.mixed.source = None


def mixup_loss(
    source_logits: Tensor, target_logits: Tensor, labels: Tensor, source_first: Tensor, target_first: Tensor
) -> Tensor:
    """``0.4 CE(source) + 0.6 CE(target) + KL(source || target) + MSE(source, target)``.

    Logits are (rows, classes); the mean square error is between the states (rows, d) that represent the
    texts.
    """
    source, target = source_logits.float(), target_logits.float()
    divergence = F.kl_div(
        F.log_softmax(target, -1), F.log_softmax(source, -1), log_target=True, reduction="batchmean"
    )
    return (
        SOURCE_SHARE * F.cross_entropy(source, labels)
        + (1 - SOURCE_SHARE) * F.cross_entropy(target, labels)
        + divergence
        + F.mse_loss(target_first.float(), source_first.float())
    )
