"""Rows of an embedding for new languages: read as any other, trained alone, and in nobody's way."""

import pytest
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration

from lslo_cli.nn.embedding import extend_embedding

VOCABULARY = 30
NEW = torch.tensor([[VOCABULARY, 5, 2], [VOCABULARY + 1, 6, 2]])
KNOWN = torch.tensor([[7, 5, 2], [9, 6, 2]])


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=VOCABULARY,
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=12,
        decoder_ffn_dim=12,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
    )
    return M2M100ForConditionalGeneration(config).eval().requires_grad_(False)


def logits(model, ids):
    return model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=ids).logits


def test_a_new_row_begins_as_the_relatives(model):
    expected = logits(model, KNOWN)
    rows = extend_embedding(model, {"tyv": 7, "crh": 9})
    assert rows.codes == ("tyv", "crh")
    assert torch.equal(logits(model, NEW), expected)


def test_outputs_without_a_new_language_keep_every_bit_whatever_its_row(model):
    expected = logits(model, KNOWN)
    rows = extend_embedding(model, {"tyv": 7, "crh": 9})
    torch.nn.init.normal_(rows.weight)
    assert torch.equal(logits(model, KNOWN), expected)
    assert not torch.equal(logits(model, NEW), expected)


def test_there_is_no_logit_for_a_new_language(model):
    extend_embedding(model, {"tyv": 7})
    assert logits(model, KNOWN).shape[-1] == model.lm_head.out_features == VOCABULARY


def test_only_the_rows_that_were_read_have_a_gradient(model):
    rows = extend_embedding(model, {"tyv": 7, "crh": 9})
    rows.weight.requires_grad_(True)
    logits(model, NEW[:1]).square().sum().backward()
    assert rows.weight.grad[0].any() and not rows.weight.grad[1].any()
    assert all(parameter.grad is None for parameter in model.parameters() if parameter is not rows.weight)


def test_the_gradient_of_a_row_is_that_of_finite_differences(model):
    model.double()
    rows = extend_embedding(model, {"tyv": 7})
    rows.weight.data = rows.weight.data.double()
    rows.weight.requires_grad_(True)
    ids = NEW[:1]

    def loss():
        return logits(model, ids).logsumexp(-1).sum()

    loss().backward()
    for entry in (0, 5):
        with torch.no_grad():
            values = []
            for step in (1e-6, -1e-6):
                rows.weight[0, entry] += step
                values.append(loss().item())
                rows.weight[0, entry] -= step
        assert rows.weight.grad[0, entry].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


def test_a_row_is_read_in_the_models_own_number_format(model):
    model.bfloat16()
    rows = extend_embedding(model, {"tyv": 7})
    assert rows.weight.dtype == torch.float32
    assert torch.equal(logits(model, NEW[:1]), logits(model, KNOWN[:1]))


def test_rows_are_saved_and_loaded_by_code(model):
    rows = extend_embedding(model, {"tyv": 7, "crh": 9})
    saved = rows.state_dict()
    assert list(saved) == ["embedding.tyv", "embedding.crh"]
    rows.weight.data.zero_()
    rows.load_state_dict({"another": torch.zeros(3), **saved})
    assert torch.equal(rows.weight[1], saved["embedding.crh"])
    with pytest.raises(KeyError, match=r"embedding\.crh"):
        rows.load_state_dict({"embedding.tyv": saved["embedding.tyv"]})
    with pytest.raises(RuntimeError, match=r"\(2, 1\), not \(2, 8\)"):
        rows.load_state_dict({key: row[:1] for key, row in saved.items()})
