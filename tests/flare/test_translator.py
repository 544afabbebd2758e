"""FLARE-MT: a frozen translation encoder, with and without LSLo adapters, and one projection."""

import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.translator import LatentTexts, LatentTranslation, read_target
from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import Index, uniform
from lslo_cli.nn.attach import attach
from tests.adapters import ADAPTERS


@pytest.fixture
def translator():
    """A tiny random M2M100 as every lslo base is."""
    torch.manual_seed(3)
    config = M2M100Config(
        vocab_size=40,
        d_model=12,
        encoder_layers=2,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        init_std=0.3,
    )
    return M2M100ForConditionalGeneration(config)


IDS = torch.tensor([[5, 6, 7, 2, 8, 9, 10], [5, 6, 2, 1, 1, 1, 1]])
MASK = (IDS != 1).long()


def test_every_block_reads_the_same_projected_states(xlmr, translator):
    model = xlmr.model()
    adapters = attach_flare(model, FlareSettings())
    latent = LatentTranslation(12, 16, adapters.blocks)
    states = read_target(translator.get_encoder(), IDS, MASK)
    source = latent(LatentTexts(states, MASK))
    assert len({id(tensor) for tensor in source.by_block.values()}) == 1
    expected = translator.eval().get_encoder()(input_ids=IDS, attention_mask=MASK).last_hidden_state
    expected = latent.projection(expected) * MASK[..., None]  # no source at padding, so no c either
    torch.testing.assert_close(source.by_block["encoder.2"], expected)
    assert sum(parameter.numel() for parameter in latent.parameters()) == 12 * 16 + 16


def test_the_projection_learns_through_all_blocks_and_the_encoder_does_not(xlmr, translator):
    model = xlmr.model()
    adapters = attach_flare(model, FlareSettings())
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_()
    latent = LatentTranslation(12, 16, adapters.blocks)
    with adapters.source.of(latent(LatentTexts(read_target(translator.get_encoder(), IDS, MASK), MASK))):
        model(**xlmr.inputs()).last_hidden_state.square().sum().backward()
    assert latent.projection.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in translator.get_encoder().parameters())


def test_the_encoder_reads_in_eval_mode_and_keeps_its_own(translator):
    encoder = translator.get_encoder()
    translator.train()
    assert torch.equal(read_target(encoder, IDS, MASK), read_target(encoder, IDS, MASK))
    assert translator.get_encoder().training


def test_an_lslo_adapter_of_the_encoder_takes_part_by_the_language_read(translator):
    adapters = attach(
        translator, uniform(Index.SOURCE, 2, 1), RankMap({"jv": 2, "en": 2}), ["jv", "en"], ADAPTERS
    )
    for adapter in adapters.by_site.values():
        adapter.lora_B.data.normal_()
    encoder, route = translator.get_encoder(), adapters.route
    jv, en = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    from_jv, from_en = (
        read_target(encoder, IDS, MASK, route, languages) for languages in ((jv, en), (en, jv))
    )
    assert not torch.allclose(from_jv, from_en)
    with pytest.raises(RuntimeError, match="outside of Route"):
        read_target(encoder, IDS, MASK)
