"""mBART: M2M100's layers, with learned positions and a norm of the embeddings (mBART-50)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from transformers import MBartForConditionalGeneration, PreTrainedModel

from lslo_cli.architectures.m2m_100 import M2M100
from lslo_cli.architectures.translation import Part


class MBart(M2M100):
    """Names and layers are those of M2M100."""

    model_type = "mbart"
    network = MBartForConditionalGeneration

    def published(self, model: PreTrainedModel, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the keys by which CTranslate2 knows pre-norm layers and mBART-50."""
        return {**config, "normalize_before": True, "tokenizer_class": "MBart50Tokenizer"}

    def embed_sources(self, encoder: Part, ids: Tensor) -> Tensor:
        x = encoder.layernorm_embedding(encoder.embed_tokens(ids) + encoder.embed_positions(ids))
        return F.dropout(x, encoder.dropout, encoder.training)

    def embed_targets(self, decoder: Part, ids: Tensor, first: int, length: int) -> Tensor:
        table = decoder.embed_positions
        first += table.offset
        return decoder.layernorm_embedding(decoder.embed_tokens(ids) + table.weight[first : first + length])

    def compute_positions(self, model: PreTrainedModel) -> None:
        """Positions are learned."""
