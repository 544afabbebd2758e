"""Where stock transformers models keep what fusion needs: one entry for each architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from lslo_cli.errors import InputError, nearest


@dataclass(frozen=True)
class Architecture:
    """Names of modules.

    ``blocks`` is where each stack keeps its list of transformer blocks, seen from the model without its head.
    ``query``, ``value`` and ``norm`` are names inside a block; ``norm`` is what normalises the input of
    self-attention in pre-norm models and None in post-norm ones. ``causal`` are the stacks in which a
    position must not see later ones.
    """

    blocks: Mapping[str, str]
    query: str
    value: str
    norm: str | None = None
    causal: tuple[str, ...] = ()


_BERT = Architecture({"encoder": "encoder.layer"}, "attention.self.query", "attention.self.value")
_T5 = Architecture(
    {"encoder": "encoder.block", "decoder": "decoder.block"},
    "layer.0.SelfAttention.q",
    "layer.0.SelfAttention.v",
    norm="layer.0.layer_norm",
    causal=("decoder",),
)
_LLAMA = Architecture(
    {"decoder": "layers"}, "self_attn.q_proj", "self_attn.v_proj", norm="input_layernorm", causal=("decoder",)
)

ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "t5": _T5,
    "mt5": _T5,
    "llama": _LLAMA,
    "gemma2": _LLAMA,
}
"""By the ``model_type`` of config.json."""


@dataclass(frozen=True)
class Block:
    """A transformer block of a model; ``number`` counts from 1 in its stack."""

    stack: str
    number: int
    module: nn.Module

    @property
    def name(self) -> str:
        """Such as ``encoder.1``: what its states and its adapters are known by."""
        return f"{self.stack}.{self.number}"


def architecture_of(model: nn.Module) -> Architecture:
    """The entry of a model. Raises InputError for an architecture that is not in the table."""
    return _entry(model.config.model_type)


def decodes_only(model_type: str) -> bool:
    """Whether models of a type have no encoder. Raises InputError as :func:`architecture_of` does."""
    return "encoder" not in _entry(model_type).blocks


def blocks_of(model: nn.Module) -> Iterator[Block]:
    """The blocks of every stack that a model has, in the order in which they run."""
    body = model.base_model
    for stack, path in architecture_of(model).blocks.items():
        if hasattr(body, path.partition(".")[0]):  # an encoder may come without the decoder
            for number, module in enumerate(body.get_submodule(path), start=1):
                yield Block(stack, number, module)


def _entry(model_type: str) -> Architecture:
    if model_type not in ARCHITECTURES:
        raise InputError(
            f"FLARE does not know the architecture '{model_type}'.{nearest(model_type, ARCHITECTURES)}",
            f"choose a model of one of these: {', '.join(ARCHITECTURES)}",
        )
    return ARCHITECTURES[model_type]
