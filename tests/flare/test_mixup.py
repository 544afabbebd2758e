"""X-Mixup: mixing in one block, the ratio, the loss."""

import math

import pytest
import torch
import torch.nn.functional as F

from lslo_cli.errors import InputError
from lslo_cli.flare.mixup import XMixup, mixup_loss


@pytest.fixture
def mixed(xlmr):
    """A model with X-Mixup in block 2, a source and a target."""
    model = xlmr.model()
    return model, XMixup(model, block=2), xlmr.inputs(seed=2, length=6), xlmr.inputs(length=7)


def test_the_source_is_read_by_the_unchanged_model(xlmr, mixed):
    model, _, source, _ = mixed
    torch.testing.assert_close(model(**source).last_hidden_state, xlmr.model()(**source).last_hidden_state)


def test_the_target_is_mixed_from_that_block_on(xlmr, mixed):
    model, mixup, source, target = mixed
    model(**source)
    with mixup.source_was_read(source["attention_mask"], target["attention_mask"]):
        mixed = model(**target, output_hidden_states=True).hidden_states
    plain = xlmr.model()(**target, output_hidden_states=True).hidden_states
    same = [torch.equal(a, b) for a, b in zip(mixed, plain, strict=True)]
    assert same == [True, True, False, False]
    assert torch.equal(model(**target).last_hidden_state, plain[-1])


def test_the_mixture_is_its_equation(xlmr, mixed):
    model, mixup, source, target = mixed
    seen = {}
    attention = mixup.mixed.attention
    attention.register_forward_hook(
        lambda module, args, output: seen.setdefault("calls", []).append(output[0])
    )
    mixup.mixed.register_forward_hook(lambda module, args, output: seen.update(out=output[0]))
    model(**source)
    with mixup.source_was_read(source["attention_mask"], target["attention_mask"]):
        model(**target)
    h_s, h_t = seen["calls"]
    own, heads = attention.self, 2
    q, k, v = (
        m(x).unflatten(-1, (heads, -1)).transpose(1, 2)
        for m, x in ((own.query, h_t), (own.key, h_s), (own.value, h_s))
    )
    mask = source["attention_mask"][:, None, None, :].bool()
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    crossed = attention.output(context, h_t)
    ratio = 0.5 * 0.5  # lambda_0 sigmoid(0), as w and b start at zero
    torch.testing.assert_close(seen["out"], (1 - ratio) * h_t + ratio * crossed)


def test_the_entropy_of_even_attention_is_1(mixed):
    _, mixup, source, target = mixed
    mixup.mixed.attention.self.query.weight.data.zero_()
    mixup.mixed.attention.self.query.bias.data.zero_()
    states = torch.randn(2, 6, 16)
    _, entropy = mixup.mixed._cross(
        torch.randn(2, 7, 16), states, source["attention_mask"], target["attention_mask"]
    )
    torch.testing.assert_close(entropy, torch.ones(2))


def test_the_ratio_learns(mixed):
    model, mixup, source, target = mixed
    model(**source)
    with mixup.source_was_read(source["attention_mask"], target["attention_mask"]):
        model(**target).last_hidden_state.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in mixup.parameters())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_the_loss_by_value():
    source, target = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[0.0, 0.0]])
    loss = mixup_loss(
        source, target, torch.tensor([1]), torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 1.0]])
    )
    cross_entropies = 0.4 * -math.log(0.75) + 0.6 * math.log(2)
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert loss.item() == pytest.approx(cross_entropies + divergence + 2.0)


def test_other_architectures_and_blocks_are_refused(decoder, xlmr):
    with pytest.raises(InputError, match="cannot mix in block 1") as caught:
        XMixup(decoder.model(), block=1)
    assert caught.value.hint.startswith("leave x-mixup out of --runs")
    with pytest.raises(InputError, match="block 4") as caught:
        XMixup(xlmr.model(), block=4)
    assert caught.value.hint == "choose a block from 1 to 3: --set flare.mixup_block=2"
