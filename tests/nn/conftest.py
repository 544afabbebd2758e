import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.method.shapes import ModelShape

VOCABULARY = 30


@pytest.fixture
def model():
    """A random M2M100 of two encoder layers and one decoder layer, in eval mode, without dropout."""
    config = M2M100Config(
        vocab_size=VOCABULARY,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        dropout=0.0,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        init_std=0.2,
    )
    torch.manual_seed(3)
    return M2M100ForConditionalGeneration(config).eval()


@pytest.fixture
def shape(model):
    """The same model as a shape, for counting."""
    config = model.config
    return ModelShape(config.encoder_layers, config.decoder_layers, 16, 24, VOCABULARY, 0)
