"""Source capture: which states arrive where, and that they are what the frozen model makes."""

import pytest
import torch

from lslo_cli.flare.architectures import blocks_of, layout_of
from lslo_cli.flare.attach import FlareSettings, attach_flare
from lslo_cli.flare.capture import capture
from lslo_cli.method.flare import SourceNorm


def seen_by_blocks(model, inputs):
    """What enters and leaves every block, by hooks of the test's own."""
    entered, left = {}, {}
    hooks = []
    for block in blocks_of(model):

        def enter(module, args, name=block.name):
            entered[name] = args[0]

        def leave(module, args, output, name=block.name):
            left[name] = output if torch.is_tensor(output) else output[0]

        hooks += [block.module.register_forward_pre_hook(enter), block.module.register_forward_hook(leave)]
    with torch.no_grad():
        model(**inputs)
    for hook in hooks:
        hook.remove()
    return entered, left


@pytest.mark.parametrize("offset", [0, 1])
def test_offset_0_gives_what_enters_a_block_and_1_what_leaves_it(stock, offset):
    model, inputs = stock.model(), stock.inputs()
    expected = seen_by_blocks(model, inputs)[offset]
    adapters = attach_flare(model, FlareSettings(source_layer_offset=offset, mask_padding=False))
    states = capture(model, adapters, inputs).by_block
    assert list(states) == list(adapters.blocks) == list(expected)
    for name, tensor in states.items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)


def test_offset_0_is_transformers_hidden_states(xlmr):
    model, inputs = xlmr.model(), xlmr.inputs()
    hidden = model(**inputs, output_hidden_states=True).hidden_states
    for offset in (0, 1):
        model = xlmr.model()
        adapters = attach_flare(model, FlareSettings(source_layer_offset=offset, mask_padding=False))
        states = capture(model, adapters, inputs).by_block
        for number in (1, 2, 3):
            torch.testing.assert_close(states[f"encoder.{number}"], hidden[number - 1 + offset])


def test_each_adapter_reads_the_states_of_its_own_block(xlmr):
    model = xlmr.model()
    adapters = attach_flare(model, FlareSettings())
    states = capture(model, adapters, xlmr.inputs(seed=2))
    read = {}
    original = adapters.source.read

    def read_and_note(name, block, target):
        read[name] = original(name, block, target)
        return read[name]

    adapters.source.read = read_and_note
    with adapters.source.of(states):
        model(**xlmr.inputs())
    assert len(read) == 6
    for name, tensor in read.items():
        assert tensor is states.by_block[".".join(name.split(".")[:2])]


def test_capture_is_without_dropout_and_adapters_and_leaves_the_mode_as_it_was(stock):
    model, inputs = stock.model(), stock.inputs()
    adapters = attach_flare(model, FlareSettings())
    quiet = capture(model, adapters, inputs)
    for adapter in adapters.by_name.values():
        adapter.lora_B.data.normal_()
    model.train()
    next(model.children()).eval()
    modes = [module.training for module in model.modules()]
    noisy = capture(model, adapters, inputs)
    assert [module.training for module in model.modules()] == modes
    for name, tensor in quiet.by_block.items():
        assert torch.equal(tensor, noisy.by_block[name])


def test_padding_is_masked_unless_it_is_to_be_fused(stock):
    model, inputs = stock.model(), stock.inputs()
    plain = capture(model, attach_flare(model, FlareSettings(mask_padding=False)), inputs)
    model = stock.model()
    masked = capture(model, attach_flare(model, FlareSettings()), inputs)
    first = next(iter(blocks_of(model))).stack
    padding = inputs["attention_mask"] == 0
    for name, states in masked.by_block.items():
        if name.startswith(first):
            assert not states[padding].any() and plain.by_block[name][padding].any()
            assert torch.equal(states[~padding], plain.by_block[name][~padding])


def test_states_of_a_text_do_not_depend_on_how_far_it_is_padded(xlmr):
    model = xlmr.model()
    adapters = attach_flare(model, FlareSettings())
    inputs = xlmr.inputs()
    longer = {name: torch.nn.functional.pad(tensor, (0, 4)) for name, tensor in inputs.items()}
    short, long = capture(model, adapters, inputs), capture(model, adapters, longer)
    for name, states in short.by_block.items():
        torch.testing.assert_close(states, long.by_block[name][:, :7])


def test_the_norm_of_a_pre_norm_block_can_be_applied_to_the_source(decoder):
    model, inputs = decoder.model(), decoder.inputs()
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data.uniform_(0.5, 2)
    plain = attach_flare(model, FlareSettings())
    states = capture(model, plain, inputs)
    norm = next(blocks_of(model)).module.get_submodule(layout_of(model).norm)
    first = plain.by_name["decoder.1.self_attn.q_proj"]
    first.lora_B.data.normal_()
    target = torch.randn(2, 7, 16)
    with pytest.raises(RuntimeError, match="did not read"), plain.source.of(states):
        raw = first(target)
    first._norm = (norm,)
    with pytest.raises(RuntimeError, match="did not read"), plain.source.of(states):
        normed = first(target)
    by_hand = type(states)({"decoder.1": norm(states.by_block["decoder.1"])})
    first._norm = (None,)
    with pytest.raises(RuntimeError, match="did not read"), plain.source.of(by_hand):
        torch.testing.assert_close(first(target), normed)
    assert not torch.allclose(raw, normed)


def test_settings_choose_the_norm(decoder, xlmr):
    adapters = attach_flare(decoder.model(), FlareSettings(source_norm=SourceNorm.INPUT))
    assert all(adapter._norm[0] is not None for adapter in adapters.by_name.values())
    post_norm = attach_flare(xlmr.model(), FlareSettings(source_norm=SourceNorm.INPUT))
    assert all(adapter._norm[0] is None for adapter in post_norm.by_name.values())
