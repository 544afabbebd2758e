"""Small random models: a network of every architecture, and a folder of every family."""

import pytest
import torch
from transformers import M2M100Config, MBartConfig, T5Config

from benchmarks.families import MADLAD_LANGUAGES, TEXT, write_family
from lslo_cli.architectures import TRANSLATION


def _fairseq(encoder_layers, decoder_layers):
    return {
        "vocab_size": 30,
        "d_model": 16,
        "encoder_layers": encoder_layers,
        "decoder_layers": decoder_layers,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "max_position_embeddings": 64,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "init_std": 0.3,
    }


def _t5(encoder_layers, decoder_layers):
    return T5Config(
        vocab_size=30,
        d_model=16,
        num_layers=encoder_layers,
        num_decoder_layers=decoder_layers,
        d_ff=24,
        d_kv=6,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        relative_attention_num_buckets=6,
        relative_attention_max_distance=9,
        dropout_rate=0.0,
        initializer_factor=2.0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=0,
    )


CONFIGS = {
    "m2m_100": lambda *depths: M2M100Config(**_fairseq(*depths)),
    "mbart": lambda *depths: MBartConfig(**_fairseq(*depths), scale_embedding=True),
    "t5": _t5,
}


@pytest.fixture(params=TRANSLATION)
def network(request):
    """From the depths of the stacks to a network in eval mode, of 30 ids and width 16, without dropout."""

    def make(encoder_layers, decoder_layers):
        torch.manual_seed(3)
        config = CONFIGS[request.param](encoder_layers, decoder_layers)
        return TRANSLATION[request.param].network(config).eval()

    return make


@pytest.fixture(scope="session")
def lines():
    """Three sentences in each of three languages, by the codes of FLORES-101."""
    return TEXT


@pytest.fixture(scope="session")
def madlad_languages():
    """Those that have a token in the model of MADLAD-400 that ``write_model`` writes."""
    return MADLAD_LANGUAGES


@pytest.fixture(scope="session")
def write_model():
    """From a folder and the key of a family to a model of it, in the files of its published models."""
    return write_family
