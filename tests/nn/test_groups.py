"""Groups of rows and the routed linear map: every form against the merged matrix of each row."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lslo_cli.nn.groups import Groups, Slots
from lslo_cli.nn.norms import note_inputs
from lslo_cli.nn.routed import routed_linear

SLOTS = Slots(ranks=(2, 1, 8, 3), by_language=(0, 1, 2, 3))
SHARED = Slots(ranks=(3,), by_language=(0, 0, 0, 0))
MIXED, SORTED, ABSENT, ONE_ROW = [2, 0, 3, 2, 1, 0, 3], [0, 0, 1, 3, 3], [3, 0, 3], [2]

forms = pytest.mark.parametrize("form", [Groups.runs, Groups.masked])
batches = pytest.mark.parametrize("languages", [MIXED, SORTED, ABSENT, ONE_ROW])
slot_maps = pytest.mark.parametrize("slots", [SLOTS, SHARED])


def random(*shape):
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def matrices(slots, d_in=6, d_out=5):
    """Frozen weight and bias, then A and B with a third of their entries pruned."""
    torch.manual_seed(1)
    weight, bias = random(d_out, d_in).detach(), random(d_out).detach()
    lora_A, lora_B = random(slots.width, d_in), random(d_out, slots.width)
    for matrix in (lora_A, lora_B):
        matrix.data.masked_fill_(torch.rand(matrix.shape) < 1 / 3, 0.0)
    return weight, bias, lora_A, lora_B


def merged(x, weight, bias, lora_A, lora_B, slots, languages):
    """F.linear(x, W + B_l A_l) row by row."""
    columns = [slots.columns[slots.by_language[language]] for language in languages]
    rows = [
        F.linear(row, weight + lora_B[:, own] @ lora_A[own], bias)
        for row, own in zip(x, columns, strict=True)
    ]
    return torch.stack(rows)


def assert_equal_with_gradients(got, wanted, inputs):
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
    torch.manual_seed(2)
    weights = torch.randn_like(wanted)
    for one, other in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((wanted * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@forms
@batches
@slot_maps
def test_every_form_is_the_merged_map_of_each_row_with_its_gradients(form, languages, slots):
    weight, bias, A, B = matrices(slots)
    x = random(len(languages), 4, 6)
    got = routed_linear(x, weight, bias, A, B, form(torch.tensor(languages), slots))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, slots, languages), (x, A, B))


@forms
@batches
def test_without_a_weight_it_is_the_update_alone(form, languages):
    _, _, A, B = matrices(SLOTS)
    x = random(len(languages), 4, 6)
    got = routed_linear(x, None, None, A, B, form(torch.tensor(languages), SLOTS))
    zero = torch.zeros(5, 6, dtype=torch.double)
    assert_equal_with_gradients(got, merged(x, zero, None, A, B, SLOTS, languages), (x, A, B))


@forms
def test_an_input_that_needs_no_gradient_gets_none_and_the_adapter_its_own(form):
    weight, bias, A, B = matrices(SLOTS)
    x = random(7, 4, 6).detach()
    got = routed_linear(x, weight, bias, A, B, form(torch.tensor(MIXED), SLOTS))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, SLOTS, MIXED), (A, B))


@forms
def test_a_gradient_of_any_layout_will_do(form):
    weight, bias, A, B = matrices(SLOTS)
    x = random(7, 4, 6)
    heads = routed_linear(x, weight, bias, A, B, form(torch.tensor(MIXED), SLOTS)).transpose(1, 2)
    assert_equal_with_gradients(heads, merged(x, weight, bias, A, B, SLOTS, MIXED).transpose(1, 2), (x, A, B))


@forms
def test_under_autocast_everything_is_computed_in_its_format_and_gradients_keep_theirs(form):
    weight, bias, A, B = (tensor.detach().float() for tensor in matrices(SLOTS))
    A.requires_grad_(), B.requires_grad_()
    x = random(7, 4, 6).detach().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        got = routed_linear(x, weight, bias, A, B, form(torch.tensor(MIXED), SLOTS))
    assert got.dtype is torch.bfloat16
    wanted = merged(x, weight, bias, A, B, SLOTS, MIXED)
    torch.testing.assert_close(got.float(), wanted, rtol=0.05, atol=0.1)
    gradients = torch.autograd.grad(got.float().square().sum(), (x, A, B))
    for one, other in zip(gradients, torch.autograd.grad(wanted.square().sum(), (x, A, B)), strict=True):
        assert one.dtype is torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.05 * other.abs().max().item())


def test_runs_are_neighbours_of_one_adapter():
    groups = Groups.runs(torch.tensor([1, 1, 0, 2, 2, 2, 1]), SLOTS)
    assert groups.rows == (2, 1, 3, 1)
    assert groups.parts == (1, 0, 2, 1)
    assert Groups.runs(torch.tensor([1, 1, 0]), SHARED).rows == (3,)


def test_the_output_of_a_layer_norm_is_made_again_instead_of_kept():
    weight, bias, A, B = matrices(SLOTS)
    groups = Groups.runs(torch.tensor(MIXED), SLOTS)
    norm = nn.LayerNorm(6).double().requires_grad_(False)
    nn.init.normal_(norm.weight)
    x = random(7, 4, 6)
    wanted = routed_linear(norm(x), weight, bias, A, B, groups)
    note_inputs(norm)
    kept = set()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.add(t.data_ptr()) or t, lambda t: t):
        normed = norm(x)
        got = routed_linear(normed, weight, bias, A, B, groups)
    assert x.data_ptr() in kept and normed.data_ptr() not in kept
    assert_equal_with_gradients(got, wanted, (x, A, B))
