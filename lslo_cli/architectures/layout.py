"""What a transformers model calls its parts: names alone, as far as both papers need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lslo_cli.method.sites import Kind, Stack


@dataclass(frozen=True)
class Layout:
    """Names of modules.

    ``layers`` is where each stack keeps its list of layers, seen from the model without its head.
    ``matrices`` are names inside a layer, by stack; a matrix that carries no adapter is not among them.
    ``norm`` is what normalises the input of self-attention in pre-norm models and None in post-norm ones.
    ``causal`` are the stacks in which a position must not see later ones.
    """

    layers: Mapping[Stack, str]
    matrices: Mapping[Stack, Mapping[Kind, str]]
    norm: str | None = None
    causal: tuple[Stack, ...] = (Stack.DECODER,)
