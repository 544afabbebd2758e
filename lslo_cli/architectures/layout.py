"""The names of a transformers model's modules that both papers need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lslo_cli.method.sites import Kind, Stack


@dataclass(frozen=True)
class Layout:
    """Names of modules.

    ``layers`` is the path of each stack's list of layers, from the model without its head. ``matrices`` are
    names inside a layer, by stack, of the matrices that can carry an adapter. ``norm`` normalises the input
    of self-attention in pre-norm models and is None in post-norm ones. ``causal`` are the stacks with a
    causal mask.
    """

    layers: Mapping[Stack, str]
    matrices: Mapping[Stack, Mapping[Kind, str]]
    norm: str | None = None
    causal: tuple[Stack, ...] = (Stack.DECODER,)
