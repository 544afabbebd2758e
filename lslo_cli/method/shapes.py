"""The shape of a translation model: enough to count adapters' parameters without loading weights."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.adapters import Span
from lslo_cli.method.sites import Kind, Layer, Site, SiteSet, Stack, layers, sites


@dataclass(frozen=True)
class ModelShape:
    """Depth and widths of an encoder-decoder model, and the number of its parameters, tied ones counted once.

    ``attention_dim`` is the width of all heads together, None if it is ``d_model``; ``decoder_ffn_dim`` is
    that of the decoder's feed-forward blocks, None if it is ``ffn_dim``, the encoder's.
    """

    encoder_layers: int
    decoder_layers: int
    d_model: int
    ffn_dim: int
    vocab_size: int
    parameters: int
    attention_dim: int | None = None
    decoder_ffn_dim: int | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        return layers(self.encoder_layers, self.decoder_layers)

    def sites(self, site_set: SiteSet = SiteSet.ALL) -> tuple[Site, ...]:
        return sites(self.encoder_layers, self.decoder_layers, site_set)

    def ffn(self, stack: Stack) -> int:
        """The width of the feed-forward blocks of a stack."""
        return self.decoder_ffn_dim or self.ffn_dim if stack is Stack.DECODER else self.ffn_dim

    def matrix(self, site: Site) -> tuple[int, int]:
        """(d_out, d_in) of a matrix: fc2 maps ffn to d_model, others d_model to attention or ffn."""
        if site.kind.is_attention:
            return self.attention_dim or self.d_model, self.d_model
        width = self.ffn(site.layer.stack)
        return (width, self.d_model) if site.kind is Kind.FC1 else (self.d_model, width)

    def adapter(self, site: Site, span: Span) -> tuple[int, int]:
        """(d_out, d_in) of a matrix's adapter: B is (d_out, r) and A (r, d_in)."""
        return span.of(site.kind, self.matrix(site), self.d_model)


@dataclass(frozen=True)
class BaseFacts:
    """A base model's shape and languages.

    ``languages`` are codes as experiments use them, none if only the model's vocabulary lists them;
    ``parameters`` counts tied ones once. ``source`` names the source of the facts.
    """

    name: str
    family: str
    architecture: str
    source: str
    shape: ModelShape
    parameters: int
    languages: tuple[str, ...]
