"""T5: RMS norms without bias, relative positions, attention that is not scaled (T5, mT5, MADLAD-400)."""

from __future__ import annotations

from lslo_cli.architectures.layout import Layout
from lslo_cli.method.sites import Kind, Stack

_SELF_ATTENTION = {
    Kind.Q: "layer.0.SelfAttention.q",
    Kind.K: "layer.0.SelfAttention.k",
    Kind.V: "layer.0.SelfAttention.v",
}
_CROSS_ATTENTION = {
    Kind.CROSS_Q: "layer.1.EncDecAttention.q",
    Kind.CROSS_K: "layer.1.EncDecAttention.k",
    Kind.CROSS_V: "layer.1.EncDecAttention.v",
}


def _feed_forward(place: int) -> dict[Kind, str]:
    return {
        Kind.FC1: f"layer.{place}.DenseReluDense.wi_0",
        Kind.FC2: f"layer.{place}.DenseReluDense.wo",
    }


LAYOUT = Layout(
    layers={Stack.ENCODER: "encoder.block", Stack.DECODER: "decoder.block"},
    matrices={
        Stack.ENCODER: _SELF_ATTENTION | _feed_forward(1),
        Stack.DECODER: _SELF_ATTENTION | _CROSS_ATTENTION | _feed_forward(2),
    },
    norm="layer.0.layer_norm",
)
