"""The shape of a translation model: enough to count what adapters add without loading weights."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.sites import Kind, Layer, Site, SiteSet, layers, sites
from lslo_cli.method.span import Span


@dataclass(frozen=True)
class ModelShape:
    """Depth and widths of an encoder-decoder model, and the number of its parameters, tied ones counted once.

    ``attention_dim`` is the width of all heads together, None where it is ``d_model``.
    """

    encoder_layers: int
    decoder_layers: int
    d_model: int
    ffn_dim: int
    vocab_size: int
    parameters: int
    attention_dim: int | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        return layers(self.encoder_layers, self.decoder_layers)

    def sites(self, site_set: SiteSet = SiteSet.ALL) -> tuple[Site, ...]:
        return sites(self.encoder_layers, self.decoder_layers, site_set)

    def matrix(self, kind: Kind) -> tuple[int, int]:
        """(d_out, d_in) of a matrix: fc2 maps ffn_dim to d_model, others d_model to attention or ffn_dim."""
        if kind.is_attention:
            return self.attention_dim or self.d_model, self.d_model
        return (self.ffn_dim, self.d_model) if kind is Kind.FC1 else (self.d_model, self.ffn_dim)

    def adapter(self, kind: Kind, span: Span) -> tuple[int, int]:
        """(d_out, d_in) of a matrix's adapter: B is (d_out, r) and A (r, d_in)."""
        return span.of(kind, self.matrix(kind), self.d_model)
