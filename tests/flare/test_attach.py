"""Fusion adapters in stock models: what they compute, what they train, and that no source is lost."""

import re

import pytest
import torch
import torch.nn.functional as F
import transformers as hf

from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare.attach import FlareSettings, attach_flare, detach, merge
from lslo_cli.flare.capture import capture
from lslo_cli.flare.source import SourceStates
from lslo_cli.method.flare import Phi
from lslo_cli.nn.recompute import recompute

every_phi = pytest.mark.parametrize("phi", list(Phi))


def trained(adapters, seed=5):
    """Adapters whose B is no longer zero."""
    generator = torch.Generator().manual_seed(seed)
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_(0, 0.3, generator=generator)
    return adapters


def fused(stock, model, adapters, target, source):
    with adapters.source.of(capture(model, adapters, source)):
        return stock.output(model, target)


@torch.no_grad()
@every_phi
def test_a_new_adapter_is_the_base_model_exactly(stock, phi):
    model, target = stock.model(), stock.inputs()
    before = stock.output(model, target)
    stacks = ("encoder",) if phi is Phi.CROSS_ATTENTION else None
    if stock.decodes_only and stacks:
        pytest.skip("a decoder has no cross-attention")
    adapters = attach_flare(model, FlareSettings(phi=phi, stacks=stacks))
    assert torch.equal(fused(stock, model, adapters, target, stock.inputs(seed=2)), before)


@torch.no_grad()
def test_off_is_the_base_model_and_taking_adapters_out_restores_it(stock):
    model, target = stock.model(), stock.inputs()
    before, names = stock.output(model, target), set(model.state_dict())
    adapters = trained(attach_flare(model, FlareSettings(elsewhere=True)))
    changed = fused(stock, model, adapters, target, stock.inputs(seed=2))
    assert not torch.allclose(changed, before, atol=1e-3)
    with adapters.source.off():
        assert torch.equal(stock.output(model, target), before)
    detach(model, adapters)
    assert torch.equal(stock.output(model, target), before)
    assert set(model.state_dict()) == names


def test_adding_a_source_of_zeros_is_plain_lora(stock):
    model, target = stock.model(), stock.inputs()
    adapters = trained(attach_flare(model, FlareSettings(phi=Phi.ADD)))
    with adapters.source.of(capture(model, adapters, target).zeros()):
        fusion = stock.output(model, target)
    plain_model = stock.model()
    plain = attach_flare(plain_model, FlareSettings(phi=None))
    plain.load_state_dict(adapters.state_dict())
    torch.testing.assert_close(fusion, stock.output(plain_model, target))


def test_the_source_changes_what_a_trained_adapter_computes(stock):
    model, target = stock.model(), stock.inputs()
    adapters = trained(attach_flare(model, FlareSettings()))
    one, other = (fused(stock, model, adapters, target, stock.inputs(seed=seed)) for seed in (2, 3))
    assert not torch.allclose(one, other, atol=1e-4)


def test_an_adapter_is_its_equation():
    torch.manual_seed(0)
    config = hf.BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    adapters = trained(attach_flare(hf.BertModel(config), FlareSettings(rank=4, alpha=6.0)))
    query, value = adapters.by_name.values()
    s, t = torch.randn(2, 2, 5, 8).unbind(0)
    with adapters.source.of(SourceStates({"encoder.1": s})):
        query(t)
        y = value(t)
    W, b, A, B = value.base.weight, value.base.bias, value.lora_A, value.lora_B
    expected = t @ W.T + b + 6 / 4 * (F.relu(s @ A.T) + F.relu(t @ A.T)) @ B.T
    torch.testing.assert_close(y, expected)


def test_only_adapters_train_and_one_A_serves_source_and_target(stock):
    model = stock.model()
    adapters = trained(attach_flare(model, FlareSettings(phi=Phi.ADD)))
    states = capture(model, adapters, stock.inputs(seed=2))
    assert not any(tensor.requires_grad for tensor in states.by_block.values())
    with adapters.source.of(states):
        stock.output(model, stock.inputs()).square().sum().backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, p in model.named_parameters() if re.search(r"lora_[AB]$", name)}
    assert {id(p) for p in adapters.parameters()} == {id(p) for p in model.parameters() if p.requires_grad}
    adapter = next(iter(adapters.by_name.values()))
    assert [name for name, _ in adapter.named_parameters() if "base" not in name] == ["lora_A", "lora_B"]


def test_A_learns_from_the_source_too():
    """With a target of zeros, all of A's gradient comes through the source."""
    config = hf.BertConfig(vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    adapters = trained(attach_flare(hf.BertModel(config), FlareSettings(phi=Phi.ADD)))
    query, value = adapters.by_name.values()
    with adapters.source.of(SourceStates({"encoder.1": torch.ones(1, 4, 16)})):
        query(torch.zeros(1, 4, 16))
        value(torch.zeros(1, 4, 16)).sum().backward()
    assert value.lora_A.grad.abs().sum() > 0


def test_xlmr_large_has_786432_parameters_on_query_and_value():
    with torch.device("meta"):
        model = hf.XLMRobertaModel(
            hf.XLMRobertaConfig(
                vocab_size=250002,
                hidden_size=1024,
                num_hidden_layers=24,
                num_attention_heads=16,
                intermediate_size=4096,
                max_position_embeddings=514,
                type_vocab_size=1,
            )
        )
    adapters = attach_flare(model, FlareSettings(rank=8))
    assert sum(parameter.numel() for parameter in adapters.parameters()) == 786_432


def test_ordinary_lora_elsewhere_covers_every_linear_map_and_reads_no_source(stock):
    model = stock.model()
    linear = sum(isinstance(m, torch.nn.Linear) for m in model.modules()) - stock.output_maps
    adapters = attach_flare(model, FlareSettings(elsewhere=True))
    assert len(adapters.by_name) == linear
    fusing = [name for name, adapter in adapters.by_name.items() if adapter.phi]
    assert sorted(fusing) == sorted(adapters.source.readers)
    assert len(fusing) == 2 * len(adapters.blocks)


def test_a_merged_lora_is_the_same_function_of_a_stock_model(stock):
    model, inputs = stock.model(), stock.inputs()
    names = set(model.state_dict())
    adapters = trained(attach_flare(model, FlareSettings(phi=None, elsewhere=True)))
    before = stock.output(model, inputs)
    merge(model, adapters)
    torch.testing.assert_close(stock.output(model, inputs), before, rtol=1e-4, atol=1e-5)
    assert set(model.state_dict()) == names


def test_a_fusion_cannot_be_merged(xlmr):
    model = xlmr.model()
    before = model.state_dict()
    adapters = trained(attach_flare(model, FlareSettings()))
    with pytest.raises(RuntimeError, match="fuses with add-relu"):
        merge(model, adapters)
    detach(model, adapters)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_forgetting_the_source_is_an_error(stock):
    model = stock.model()
    attach_flare(model, FlareSettings())
    with pytest.raises(RuntimeError, match="ran without a source"):
        stock.output(model, stock.inputs())


def test_a_source_that_an_adapter_does_not_read_is_an_error(xlmr):
    model, inputs = xlmr.model(), xlmr.inputs()
    adapters = attach_flare(model, FlareSettings())
    states = capture(model, adapters, inputs)
    model.encoder.layer = model.encoder.layer[:2]
    with (
        pytest.raises(RuntimeError, match="2 of 6 fusion adapters did not read it: encoder.3"),
        adapters.source.of(states),
    ):
        model(**inputs)


def test_texts_of_unequal_length_are_an_error_until_the_source_is_resized(stock):
    model, target, source = stock.model(), stock.inputs(length=7), stock.inputs(seed=2, length=5)
    adapters = trained(attach_flare(model, FlareSettings()))
    states = capture(model, adapters, source)
    with pytest.raises(RuntimeError, match="7 positions.*5"), adapters.source.of(states):
        stock.output(model, target)
    first = adapters.blocks[0].partition(".")[0]
    with adapters.source.of(states.resized(7, stack=first)):
        stock.output(model, target)


def test_gradient_checkpointing_gives_the_same_gradients(stock):
    gradients = []
    for checkpointing in (False, True):
        model = stock.model()
        adapters = trained(attach_flare(model, FlareSettings(phi=Phi.ADD)))
        states = capture(model, adapters, stock.inputs(seed=2))
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if checkpointing:
            recompute(model, adapters.source.recomputing)
        model.train()
        with adapters.source.of(states):
            loss = stock.output(model, stock.inputs()).square().mean()
        loss.backward()  # the blocks run once more here, when the source is no longer set
        gradients.append([parameter.grad.clone() for parameter in adapters.parameters()])
    torch.testing.assert_close(*gradients)
    assert all(gradient.abs().sum() > 0 for gradient in gradients[0])


def test_checkpointing_of_transformers_own_is_an_error_and_no_silence(xlmr):
    model = xlmr.model()
    adapters = trained(attach_flare(model, FlareSettings()))
    states = capture(model, adapters, xlmr.inputs(seed=2))
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    model.train()
    with adapters.source.of(states):
        loss = xlmr.output(model, xlmr.inputs()).sum()
    with pytest.raises(RuntimeError, match="without a source"):
        loss.backward()


def test_cross_attention_is_refused_where_later_words_must_not_be_seen(decoder):
    with pytest.raises(UsageError, match="every position see"):
        attach_flare(decoder.model(), FlareSettings(phi=Phi.CROSS_ATTENTION))


def test_an_unknown_architecture_is_named():
    model = hf.GPT2Model(hf.GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(InputError, match="'gpt2'"):
        attach_flare(model, FlareSettings())


def test_an_offset_other_than_0_and_1_is_refused():
    with pytest.raises(UsageError, match="cannot be 2"):
        FlareSettings(source_layer_offset=2)


@pytest.mark.parametrize("phi", [Phi.ADD, Phi.CROSS_ATTENTION])
def test_a_model_in_half_precision_keeps_adapters_in_float32(xlmr, phi):
    model = xlmr.model().bfloat16()
    adapters = trained(attach_flare(model, FlareSettings(phi=phi)))
    output = fused(xlmr, model, adapters, xlmr.inputs(), xlmr.inputs(seed=2))
    assert output.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in adapters.parameters()} == {torch.float32}
    reference = xlmr.model()
    exact = attach_flare(reference, FlareSettings(phi=phi))
    exact.load_state_dict(adapters.state_dict())
    expected = fused(xlmr, reference, exact, xlmr.inputs(), xlmr.inputs(seed=2))
    torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
