"""The training loss: label-smoothed cross-entropy as fairseq defines it (eq. 1 with smoothing)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from lslo_cli.architectures import architecture_of
from lslo_cli.nn.compact import frozen_matrix, product_format

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Encode = Callable[["PreTrainedModel", Tensor, Tensor], Tensor]
"""From a model, input_ids and attention_mask (batch, s) to the encoder's states (batch, s, d)."""

IGNORED = -100
"""The label of padding."""

CHUNK_ENTRIES = 2**26
"""Logits computed at a time: 256 MiB in float32, 262 tokens with M2M-124's vocabulary."""


def projected_loss(
    hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float, chunk: int | None = None
) -> Tensor:
    """Sum over tokens of ``(1 - s - s_i) nll + s_i sum(nll over the vocabulary)``, ``s_i = s / (V - 1)``.

    This is fairseq's smoothing, which spreads s over the V - 1 wrong tokens; torch's spreads it over all V.
    ``hidden`` is (tokens, d), ``weight`` (V, d), ``labels`` (tokens,). The logits ``hidden @ weight.T`` are
    not stored: forward computes those of ``chunk`` tokens at a time, with the gradients, and backward only
    scales these, in place, so a second one raises RuntimeError. Products are in the format of ``hidden``, or
    autocast's, and all else is in float32 or better.
    """
    if not torch.is_grad_enabled():
        hidden, weight = hidden.detach(), weight.detach()
    chunk = chunk or max(1, CHUNK_ENTRIES // len(weight))
    return _ProjectedLoss.apply(hidden, weight, labels, smoothing, chunk)


class _ProjectedLoss(torch.autograd.Function):
    """See :func:`projected_loss`.

    With z = hW^T, f = s / (V - 1) and c = 1 - fV, a token's loss is ``logsumexp(z) - c z_y - f sum(z)`` and
    its gradient by z ``softmax(z) - c onehot(y) - f``. Only the softmax needs passes over all logits: the
    other two terms add a row of W, and the sum of its rows, to a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float, chunk: int
    ) -> Tensor:
        dtype = product_format(hidden)
        f = smoothing / (len(weight) - 1)
        c = 1 - f * len(weight)
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        d_hidden = torch.empty_like(hidden) if wants_hidden else None
        d_weight = torch.zeros_like(weight) if wants_weight else None
        projection = weight.to(dtype)
        exact = max(weight, projection, key=lambda matrix: matrix.dtype.itemsize)
        weight_sum = exact.sum(dim=0, dtype=torch.promote_types(exact.dtype, torch.float32))  # (d,)
        loss = weight_sum.new_zeros(())
        for start in range(0, len(labels), chunk):
            span = slice(start, start + chunk)
            h, y = hidden[span], labels[span]
            scores = (h.to(dtype) @ projection.T).to(loss.dtype)  # (chunk, V)
            loss -= c * scores.gather(1, y[:, None]).sum() + f * (h.to(loss.dtype) @ weight_sum).sum()
            highest = scores.amax(dim=1, keepdim=True)
            exp_scores = scores.sub_(highest).exp_()  # softmax times total
            total = exp_scores.sum(dim=1, keepdim=True)
            loss += (total.log() + highest).sum()
            if d_hidden is not None:
                expected = (exp_scores.to(dtype) @ projection) / total  # (chunk, d)
                d_hidden[span] = expected - f * weight_sum - c * exact[y].to(loss.dtype)
            if d_weight is not None:
                d_weight += exp_scores.T.to(dtype) @ (h / total).to(dtype)
            del scores, exp_scores  # free them before the next chunk's are allocated
        if d_weight is not None:
            d_weight -= f * hidden.sum(dim=0)
            d_weight.index_add_(0, labels, hidden.to(weight.dtype), alpha=-c)
        ctx.save_for_backward(d_hidden, d_weight)
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_weight = (
            None if gradient is None else gradient.mul_(grad) for gradient in ctx.saved_tensors
        )
        return d_hidden, d_weight, None, None, None


def encode_rows(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The encoder's states, with every row encoded separately."""
    encoder = model.get_encoder()
    # An encoder has no cache, but transformers warns of one if activations are recomputed.
    return encoder(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state


class SentencePairs(Protocol):
    """A training batch: input_ids, attention_mask (batch, s); labels (batch, t), padded with -100."""

    @property
    def input_ids(self) -> Tensor: ...
    @property
    def attention_mask(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...


class TranslationLoss(nn.Module):
    """The summed loss of a batch, language tokens included as in fairseq; only real tokens are projected.

    A module, so that wrappers for distribution or mixed precision include the loss.
    """

    def __init__(self, model: PreTrainedModel, smoothing: float, encode: Encode = encode_rows):
        """``encode`` computes the encoder's states."""
        super().__init__()
        self.model = model
        self.smoothing = smoothing
        self._encode = encode

    def forward(self, batch: SentencePairs) -> Tensor:
        """The loss of ``batch``, a scalar."""
        config = self.model.config
        labels = batch.labels
        decoder_input = torch.full_like(labels, config.decoder_start_token_id)
        decoder_input[:, 1:] = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, config.pad_token_id)
        hidden = self.model.get_decoder()(
            input_ids=decoder_input,
            encoder_hidden_states=self._encode(self.model, batch.input_ids, batch.attention_mask),
            encoder_attention_mask=batch.attention_mask,
            use_cache=False,
        ).last_hidden_state  # (batch, t, d_model)
        hidden = architecture_of(self.model).head_input(self.model, hidden)
        projection = frozen_matrix(self.model.get_output_embeddings())
        written = (labels != IGNORED) & (labels < len(projection))  # a new language's token is only read
        return projected_loss(hidden[written], projection, labels[written], self.smoothing)
