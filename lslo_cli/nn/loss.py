"""The training loss: label-smoothed cross-entropy as fairseq defines it (eq. 1 with smoothing)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

IGNORED = -100
"""The label of padding."""


def label_smoothed_loss(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Sum over tokens of ``(1 - s - s_i) nll + s_i sum(nll over the vocabulary)``, ``s_i = s / (V - 1)``.

    ``logits`` is (tokens, V), ``labels`` (tokens,). This is fairseq's smoothing, which spreads s over the
    V - 1 wrong tokens; torch's spreads it over all V, so it is asked for ``s V / (V - 1)``. Computed in
    float32 whatever the logits are.
    """
    vocabulary = logits.shape[-1]
    spread = smoothing * vocabulary / (vocabulary - 1)
    return F.cross_entropy(logits.float(), labels, label_smoothing=spread, reduction="sum")


class TranslationLoss(nn.Module):
    """The summed loss of a batch, language tokens included as in fairseq; only real tokens are projected.

    A module of its own, so that whatever wraps a model for distribution or mixed precision wraps the loss.
    """

    def __init__(self, model: nn.Module, smoothing: float):
        super().__init__()
        self.model = model
        self.smoothing = smoothing

    def forward(self, batch) -> torch.Tensor:
        """``batch`` has input_ids, attention_mask (batch, s) and labels (batch, t) padded with -100."""
        config = self.model.config
        labels = batch.labels
        decoder_input = torch.full_like(labels, config.decoder_start_token_id)
        decoder_input[:, 1:] = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, config.pad_token_id)
        hidden = self.model.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            decoder_input_ids=decoder_input,
            use_cache=False,
        ).last_hidden_state  # (batch, t, d_model)
        real = labels != IGNORED
        return label_smoothed_loss(self.model.lm_head(hidden[real]), labels[real], self.smoothing)
