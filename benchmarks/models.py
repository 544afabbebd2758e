"""Random models and batches of the measured sizes."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.method.sites import SiteSet
from lslo_cli.recipe import Recipe
from lslo_cli.training.batches import Batch

ADAPTERS = Recipe().adapter_settings(SiteSet.ALL)
"""A recipe's settings of adapters, by default."""


@dataclass(frozen=True)
class Shape:
    """A model's size and its batch: ``sentences`` of ``length`` tokens on both sides."""

    layers: int
    d_model: int
    ffn_dim: int
    heads: int
    vocabulary: int
    sentences: int
    length: int

    @property
    def tokens(self) -> int:
        """Tokens of one side of the batch."""
        return self.sentences * self.length

    @property
    def products(self) -> int:
        """Floating point operations in the matrix products of one forward pass, without attention."""
        attention, feed_forward = 4 * self.d_model**2, 2 * self.d_model * self.ffn_dim
        per_token = self.layers * (3 * attention + 2 * feed_forward) + self.vocabulary * self.d_model
        return 2 * self.tokens * per_token


SHAPES = {
    "cpu": Shape(layers=2, d_model=1024, ffn_dim=4096, heads=16, vocabulary=8000, sentences=64, length=30),
    "world": Shape(layers=3, d_model=64, ffn_dim=256, heads=4, vocabulary=1000, sentences=120, length=15),
    "615M": Shape(
        layers=12, d_model=1024, ffn_dim=4096, heads=16, vocabulary=256125, sentences=272, length=30
    ),
    "deep": Shape(layers=6, d_model=256, ffn_dim=1024, heads=4, vocabulary=8000, sentences=14, length=30),
    "tiny": Shape(layers=1, d_model=16, ffn_dim=32, heads=2, vocabulary=60, sentences=6, length=4),
}
"""By name: layers of a CPU benchmark, the built-in world's base, M2M-124 615M, one whose weights and
activations are in about the proportion of NLLB-200 3.3B with batches of 4,000 tokens, and one for tests."""


def new_model(shape: Shape, device: str, dropout: float = 0.0) -> M2M100ForConditionalGeneration:
    """A random model of M2M100's architecture, frozen."""
    config = M2M100Config(
        vocab_size=shape.vocabulary,
        d_model=shape.d_model,
        encoder_layers=shape.layers,
        decoder_layers=shape.layers,
        encoder_ffn_dim=shape.ffn_dim,
        decoder_ffn_dim=shape.ffn_dim,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        dropout=dropout,
        attention_dropout=dropout,
        activation_dropout=0.0,
        init_std=shape.d_model**-0.5,
    )
    torch.manual_seed(1)
    with torch.device(device):
        return M2M100ForConditionalGeneration(config).requires_grad_(False)


def twin(model: nn.Module) -> nn.Module:
    """A copy of a model that shares the memory of its weights but not their ``requires_grad``."""
    shared = {
        id(tensor): nn.Parameter(tensor.detach(), requires_grad=False)
        if isinstance(tensor, nn.Parameter)
        else tensor.detach()
        for tensor in (*model.parameters(), *model.buffers())
    }
    return copy.deepcopy(model, shared)


def new_batch(shape: Shape, languages: int, device: str, seed: int = 1) -> Batch:
    """Sentences without padding, of random ids and random directions in the order of training batches."""
    pick = random.Random(seed)
    directions = sorted(tuple(reversed(pick.sample(range(languages), 2))) for _ in range(shape.sentences))
    generator = torch.Generator().manual_seed(seed)
    size = (shape.sentences, shape.length)
    input_ids, labels = (torch.randint(4, shape.vocabulary, size, generator=generator) for _ in range(2))
    target, source = torch.tensor(directions).T.contiguous()
    batch = Batch(input_ids, torch.ones_like(input_ids), labels, source, target, tokens=labels.numel())
    return batch.to(device)


@contextmanager
def precision(dtype: str, device: str) -> Iterator[None]:
    """Autocast to ``dtype``, or nothing for float32."""
    with torch.autocast(torch.device(device).type, getattr(torch, dtype), enabled=dtype != "float32"):
        yield
