"""Routed adapters against the definition: one sentence at a time, with its own merged matrix."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lslo_cli.method.strategy import Index
from lslo_cli.nn.groups import Slots
from lslo_cli.nn.lslo import IndexMixture, LayerWeighting, LSLo, RoutedLoRA
from lslo_cli.nn.route import Route
from tests.adapters import ADAPTERS

D_IN, D_OUT, LENGTH = 6, 5, 4
OWN_SLOTS = Slots(ranks=(2, 1, 8, 3), by_language=(0, 1, 2, 3))

MIXED = ([2, 0, 3, 2, 1, 0, 3], [0, 1, 0, 3, 2, 3, 1])
SORTED = ([0, 0, 1, 3, 3], [1, 2, 2, 3, 3])
ABSENT = ([3, 0, 3], [0, 3, 0])  # nothing from or into languages 1 and 2
ONE_ROW = ([2], [1])

batches = pytest.mark.parametrize("languages", [MIXED, SORTED, ABSENT, ONE_ROW])
indices = pytest.mark.parametrize("index", list(Index))


def random_adapter(route, index=Index.SOURCE, slots=OWN_SLOTS):
    """An adapter in double precision whose B is not zero."""
    torch.manual_seed(1)
    adapter = RoutedLoRA(D_IN, D_OUT, slots, index, route, ADAPTERS.initialisation).double()
    nn.init.normal_(adapter.lora_B)
    return adapter


def random_base():
    torch.manual_seed(2)
    return nn.Linear(D_IN, D_OUT).double().requires_grad_(False)


def random_input(rows):
    torch.manual_seed(3)
    return torch.randn(rows, LENGTH, D_IN, dtype=torch.double, requires_grad=True)


def one_by_one(base, adapter, x, languages):
    """F.linear(x, W + B_l A_l) for each row, with gradients through A and B."""
    rows = []
    for row, language in zip(x, languages, strict=True):
        columns = adapter.slots.columns[adapter.slots.by_language[language]]
        weight = base.weight + adapter.lora_B[:, columns] @ adapter.lora_A[columns]
        rows.append(F.linear(row, weight, base.bias))
    return torch.stack(rows)


def gradients(output, *inputs):
    """Of a loss that weighs every entry of ``output`` differently."""
    torch.manual_seed(4)
    return torch.autograd.grad((output * torch.randn_like(output)).sum(), inputs)


def assert_same(layer, base, adapter, route, languages):
    source, target = map(torch.tensor, languages)
    selecting = languages[adapter.index is Index.TARGET]
    x = random_input(len(selecting))
    with route.of(source, target):
        output = layer(x)
    expected = one_by_one(base, adapter, x, selecting)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    inputs = (x, adapter.lora_A, adapter.lora_B)
    for got, wanted in zip(gradients(output, *inputs), gradients(expected, *inputs), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


@batches
@indices
def test_every_row_is_mapped_by_the_sum_of_the_frozen_matrix_and_its_languages_update(index, languages):
    route, base = Route(), random_base()
    adapter = random_adapter(route, index)
    assert_same(LSLo(base, adapter), base, adapter, route, languages)


@batches
@indices
def test_the_dense_form_gives_the_same_update(index, languages):
    route, base = Route(), random_base()
    adapter = random_adapter(route, index)
    assert_same(lambda x: base(x) + adapter(x), base, adapter, route, languages)


@batches
def test_a_shared_adapter_is_the_same_for_every_language(languages):
    route, base = Route(), random_base()
    adapter = random_adapter(route, slots=Slots(ranks=(3,), by_language=(0, 0, 0, 0)))
    assert_same(LSLo(base, adapter), base, adapter, route, languages)
    x = random_input(len(languages[0]))
    with route.of(*map(torch.tensor, languages)):
        torch.testing.assert_close(
            LSLo(base, adapter)(x), F.linear(x, base.weight + adapter.lora_B @ adapter.lora_A, base.bias)
        )


def test_autograd_agrees_with_finite_differences():
    route, base = Route(), random_base()
    adapter = random_adapter(route)
    layer = LSLo(base, adapter)
    with route.of(*map(torch.tensor, MIXED)):
        assert torch.autograd.gradcheck(lambda x, A, B: layer(x), (random_input(7), *adapter.parameters()))


def test_the_beams_of_a_sentence_share_its_adapter():
    route, base = Route(), random_base()
    layer = LSLo(base, random_adapter(route, Index.TARGET))
    x = random_input(len(MIXED[0])).detach()
    with route.of(*map(torch.tensor, MIXED)):
        once = layer(x)
        beams = layer(x.repeat_interleave(3, dim=0))
    torch.testing.assert_close(beams, once.repeat_interleave(3, dim=0))


def test_languages_absent_from_a_batch_get_no_gradient_and_the_others_do():
    route, base = Route(), random_base()
    adapter = random_adapter(route)
    with route.of(*map(torch.tensor, ABSENT)):
        LSLo(base, adapter)(random_input(3)).sum().backward()
    for language, is_present in enumerate([True, False, False, True]):
        columns = OWN_SLOTS.columns[language]
        assert adapter.lora_A.grad[columns].any() == is_present
        assert adapter.lora_B.grad[:, columns].any() == is_present


def test_a_new_adapter_changes_nothing_and_the_base_has_no_gradient():
    route, base = Route(), random_base()
    layer = LSLo(
        base, RoutedLoRA(D_IN, D_OUT, OWN_SLOTS, Index.SOURCE, route, ADAPTERS.initialisation).double()
    )
    x = random_input(7)
    with route.of(*map(torch.tensor, MIXED)):
        output = layer(x)
        output.sum().backward()
    assert torch.equal(output, base(x))
    assert base.weight.grad is None and base.bias.grad is None
    assert layer.adapter.lora_B.grad.any()


def test_a_starts_gaussian_with_variance_one_over_d_in_and_b_at_zero():
    torch.manual_seed(5)
    adapter = RoutedLoRA(400, 3, Slots((300,), (0,)), Index.SOURCE, Route(), ADAPTERS.initialisation)
    assert adapter.lora_A.std().item() == pytest.approx(400**-0.5, rel=0.01)
    assert adapter.lora_A.mean().item() == pytest.approx(0, abs=1e-3)
    assert not adapter.lora_B.any()


def test_outside_of_a_batch_an_adapter_raises():
    layer = LSLo(random_base(), random_adapter(Route()))
    with pytest.raises(RuntimeError, match="outside of Route.of"):
        layer(random_input(2))


def test_under_autocast_the_update_is_computed_as_the_base_is():
    route, base = Route(), random_base().float()
    adapter = random_adapter(route).float()
    layer = LSLo(base, adapter)
    x = random_input(7).detach().float()
    with route.of(*map(torch.tensor, MIXED)):
        with torch.autocast("cpu", torch.bfloat16):
            output = layer(x)
            output.float().sum().backward()
        exact = layer(x)
    assert output.dtype is torch.bfloat16
    assert adapter.lora_B.grad.dtype is torch.float32
    torch.testing.assert_close(output.float(), exact, rtol=0.05, atol=0.1)


# The index mixture (eq. 5)


def mixture(logits=(0.3, -0.4)):
    route, base = Route(), random_base()
    source, target = (random_adapter(route, index) for index in Index)
    nn.init.normal_(target.lora_A)
    weighting = LayerWeighting().double()
    weighting.logits.data = torch.tensor(logits, dtype=torch.double)
    return route, IndexMixture(base, source, target, weighting)


def test_a_mixture_adds_both_updates_by_their_weights():
    route, layer = mixture()
    x = random_input(7)
    with route.of(*map(torch.tensor, MIXED)):
        output = layer(x)
    weights = torch.tensor([0.3, -0.4], dtype=torch.double).exp()
    weights /= weights.sum()
    frozen = layer.base(x)
    expected = (
        frozen
        + weights[0] * (one_by_one(layer.base, layer.source, x, MIXED[0]) - frozen)
        + weights[1] * (one_by_one(layer.base, layer.target, x, MIXED[1]) - frozen)
    )
    torch.testing.assert_close(output, expected)


def test_the_gradients_of_a_mixture_agree_with_finite_differences():
    route, layer = mixture()
    with route.of(*map(torch.tensor, MIXED)):
        parameters = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        assert len(parameters) == 5
        assert torch.autograd.gradcheck(lambda x, *rest: layer(x), (random_input(7), *parameters))


@pytest.mark.parametrize("logits", [(0.0, 0.0), (3.0, -1.0), (-80.0, 80.0)])
def test_the_weights_of_a_layer_are_not_negative_and_sum_to_one(logits):
    weighting = LayerWeighting()
    weighting.logits.data = torch.tensor(logits)
    source, target = weighting()
    assert source >= 0 and target >= 0
    assert (source + target).item() == pytest.approx(1)


def test_a_new_layer_weighs_both_sides_alike():
    assert [weight.item() for weight in LayerWeighting()()] == [0.5, 0.5]
