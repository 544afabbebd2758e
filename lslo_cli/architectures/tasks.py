"""Layouts of encoders and language models that FLARE adapts."""

from __future__ import annotations

from lslo_cli.architectures.layout import Layout
from lslo_cli.method.sites import Kind, Stack

BERT = Layout(
    layers={Stack.ENCODER: "encoder.layer"},
    matrices={Stack.ENCODER: {Kind.Q: "attention.self.query", Kind.V: "attention.self.value"}},
)
LLAMA = Layout(
    layers={Stack.DECODER: "layers"},
    matrices={Stack.DECODER: {Kind.Q: "self_attn.q_proj", Kind.V: "self_attn.v_proj"}},
    norm="input_layernorm",
)
