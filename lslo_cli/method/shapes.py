"""The shape of a translation model: enough to count parameters without loading weights."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.sites import Kind, Layer, Site, SiteSet, layers, sites
from lslo_cli.method.span import Span


@dataclass(frozen=True)
class ModelShape:
    """Depth and widths of a model of the M2M100 architecture, or of mBART's.

    ``learned_positions`` are the rows of each stack's table of positions, 0 where they are sinusoids. A
    model that learns them, as mBART does, also norms its embeddings.
    """

    encoder_layers: int
    decoder_layers: int
    d_model: int
    ffn_dim: int
    vocab_size: int
    learned_positions: int = 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        return layers(self.encoder_layers, self.decoder_layers)

    def sites(self, site_set: SiteSet = SiteSet.ALL) -> tuple[Site, ...]:
        return sites(self.encoder_layers, self.decoder_layers, site_set)

    def matrix(self, kind: Kind) -> tuple[int, int]:
        """(d_out, d_in) of a matrix: square in attention, d_model against ffn_dim in fc1 and fc2."""
        if kind is Kind.FC1:
            return self.ffn_dim, self.d_model
        if kind is Kind.FC2:
            return self.d_model, self.ffn_dim
        return self.d_model, self.d_model

    def adapter(self, kind: Kind, span: Span) -> tuple[int, int]:
        """(d_out, d_in) of a matrix's adapter: B is (d_out, r) and A (r, d_in)."""
        return span.of(self.matrix(kind), self.d_model)

    @property
    def parameters(self) -> int:
        """All parameters, the tied embedding counted once: 614,990,848 for M2M-124 615M.

        An attention block is four biased d x d projections, a feed-forward block two biased matrices;
        every block has a layer norm before it and every stack one at its end.
        """
        d, f = self.d_model, self.ffn_dim
        norm = 2 * d
        attention = 4 * (d * d + d) + norm
        feed_forward = 2 * d * f + f + d + norm
        encoder = self.encoder_layers * (attention + feed_forward) + norm
        decoder = self.decoder_layers * (2 * attention + feed_forward) + norm
        positions = 2 * (self.learned_positions * d + norm) if self.learned_positions else 0
        return self.vocab_size * d + encoder + decoder + positions


SHAPES: dict[str, ModelShape] = {
    "m2m-124-615m": ModelShape(12, 12, 1024, 4096, 256_125),
    "m2m-124-175m": ModelShape(6, 6, 512, 2048, 256_125),
    "m2m-100-418m": ModelShape(12, 12, 1024, 4096, 128_112),
    "m2m-100-1.2b": ModelShape(24, 24, 1024, 8192, 128_112),
    "nllb-200-600m": ModelShape(12, 12, 1024, 4096, 256_206),
    "nllb-200-1.3b": ModelShape(24, 24, 1024, 8192, 256_206),
    "nllb-200-3.3b": ModelShape(24, 24, 2048, 8192, 256_206),
    "small-100": ModelShape(12, 3, 1024, 4096, 128_112),
    "mbart-50": ModelShape(12, 12, 1024, 4096, 250_054, learned_positions=1026),
}
"""Shapes known by name, so that counts need no download."""
