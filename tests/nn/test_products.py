"""Every way to compute routed updates against the definition, row by row with its own merged matrix.

The Triton kernels run on a CUDA device, or in Triton's interpreter in a process of their own.
"""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F

from lslo_cli.errors import UsageError
from lslo_cli.method.adapters import AdapterKernel
from lslo_cli.method.strategy import Index
from lslo_cli.nn import products as choosing
from lslo_cli.nn.groups import Groups, Slots
from lslo_cli.nn.products import choice, products
from lslo_cli.nn.route import Route
from lslo_cli.nn.routed import routed_linear
from lslo_cli.nn.sorting import SortedProducts

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

RAGGED = Slots(ranks=(2, 1, 8, 3, 70), by_language=(0, 1, 2, 3, 4))
SHARED = Slots(ranks=(3,), by_language=(0, 0, 0, 0, 0))
BATCHES = {
    "mixed": [2, 0, 3, 4, 1, 0, 3],
    "sorted": [0, 0, 1, 3, 4],
    "with absent languages": [4, 1, 4],
    "of one row": [4],
}

needs_triton = pytest.mark.skipif(
    not find_spec("triton") or (DEVICE == "cpu" and not IS_INTERPRETED),
    reason="needs Triton and a CUDA device, or Triton's interpreter",
)
kernels = pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(kernel, marks=needs_triton if kernel is AdapterKernel.TRITON else ())
        for kernel in AdapterKernel
        if kernel is not AdapterKernel.AUTO
    ],
)
batches = pytest.mark.parametrize("languages", BATCHES.values(), ids=BATCHES.keys())
slot_maps = pytest.mark.parametrize("slots", [RAGGED, SHARED], ids=["ragged", "shared"])
feed_forward = pytest.mark.parametrize(("d_in", "d_out"), [(24, 96), (96, 24)], ids=["fc1", "fc2"])


def random(*shape):
    return torch.randn(*shape, device=DEVICE)


def matrices(slots, d_in=40, d_out=24, span=None):
    """Frozen weight and bias, then A and B with a third of their entries pruned.

    With ``span`` A reads that many inputs only and B writes that many outputs.
    """
    torch.manual_seed(1)
    weight, bias = random(d_out, d_in), random(d_out)
    lora_A, lora_B = random(slots.width, span or d_in), random(span or d_out, slots.width)
    for matrix in (lora_A, lora_B):
        matrix.masked_fill_(torch.rand_like(matrix) < 1 / 3, 0.0).requires_grad_()
    return weight, bias, lora_A, lora_B


def merged(x, weight, bias, lora_A, lora_B, slots, languages):
    """F.linear(x, W + B_l A_l) row by row, in double precision; B_l A_l is added to the upper left of W."""
    x, weight, bias, lora_A, lora_B = (
        None if tensor is None else tensor.double() for tensor in (x, weight, bias, lora_A, lora_B)
    )
    columns = [slots.columns[slots.by_language[language]] for language in languages]
    rest = (0, weight.shape[1] - lora_A.shape[1], 0, len(weight) - len(lora_B))
    rows = [
        F.linear(row, weight + F.pad(lora_B[:, own] @ lora_A[own], rest), bias)
        for row, own in zip(x, columns, strict=True)
    ]
    return torch.stack(rows)


def assert_close(one, other, tolerance):
    """Equal up to a fraction of the largest entry."""
    assert (one.double() - other).abs().max() <= tolerance * other.abs().max()


def assert_equal_with_gradients(got, wanted, inputs, tolerance=1e-5):
    assert_close(got, wanted, tolerance)
    torch.manual_seed(2)
    weights = torch.randn_like(wanted)
    for one, other in zip(
        torch.autograd.grad((got * weights.to(got.dtype)).sum(), inputs),
        torch.autograd.grad((wanted * weights).sum(), inputs),
        strict=True,
    ):
        assert one.dtype is other.dtype
        assert_close(one, other.double(), tolerance)


def made(kernel, languages, slots, dtype=torch.float32):
    return products(kernel, torch.tensor(languages, device=DEVICE), slots, dtype, d=24)


@kernels
@batches
@slot_maps
def test_every_kernel_computes_the_merged_map_of_each_row_with_its_gradients(kernel, languages, slots):
    weight, bias, A, B = matrices(slots)
    x = random(len(languages), 5, 40).requires_grad_()
    got = routed_linear(x, weight, bias, A, B, made(kernel, languages, slots))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, slots, languages), (x, A, B))


@kernels
@batches
def test_without_a_weight_it_is_the_update_alone(kernel, languages):
    _, _, A, B = matrices(RAGGED)
    x = random(len(languages), 5, 40).requires_grad_()
    got = routed_linear(x, None, None, A, B, made(kernel, languages, RAGGED))
    zero = torch.zeros(24, 40, device=DEVICE)
    assert_equal_with_gradients(got, merged(x, zero, None, A, B, RAGGED, languages), (x, A, B))


@kernels
@batches
@slot_maps
@feed_forward
def test_adapters_of_the_first_units_leave_the_others_to_the_frozen_map(
    kernel, languages, slots, d_in, d_out
):
    weight, bias, A, B = matrices(slots, d_in, d_out, span=24)
    x = random(len(languages), 5, d_in).requires_grad_()
    got = routed_linear(x, weight, bias, A, B, made(kernel, languages, slots))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, slots, languages), (x, A, B))


@kernels
@feed_forward
def test_the_update_alone_is_as_wide_as_the_adapter(kernel, d_in, d_out):
    _, _, A, B = matrices(RAGGED, d_in, d_out, span=24)
    x = random(7, 5, d_in).requires_grad_()
    got = routed_linear(x, None, None, A, B, made(kernel, BATCHES["mixed"], RAGGED))
    zero = torch.zeros(24, d_in, device=DEVICE)
    assert_equal_with_gradients(got, merged(x, zero, None, A, B, RAGGED, BATCHES["mixed"]), (x, A, B))


@kernels
@feed_forward
def test_a_narrower_adapter_of_an_input_without_gradient_gets_its_own(kernel, d_in, d_out):
    weight, bias, A, B = matrices(RAGGED, d_in, d_out, span=24)
    x = random(7, 5, d_in)
    got = routed_linear(x, weight, bias, A, B, made(kernel, BATCHES["mixed"], RAGGED))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, RAGGED, BATCHES["mixed"]), (A, B))


@kernels
@pytest.mark.parametrize(("d_in", "d_out"), [(136, 544), (544, 136)])
def test_a_span_that_ends_inside_a_tile(kernel, d_in, d_out):
    weight, bias, A, B = matrices(RAGGED, d_in, d_out, span=136)
    languages = [row % 5 for row in range(23)]
    x = random(23, 9, d_in).requires_grad_()
    got = routed_linear(x, weight, bias, A, B, made(kernel, languages, RAGGED))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, RAGGED, languages), (x, A, B))


@kernels
@feed_forward
def test_narrower_adapters_under_autocast(kernel, d_in, d_out):
    dtype = torch.float16 if IS_INTERPRETED else torch.bfloat16
    weight, bias, A, B = matrices(RAGGED, d_in, d_out, span=24)
    x = random(7, 5, d_in).requires_grad_()
    with torch.autocast(DEVICE, dtype):
        got = routed_linear(x, weight, bias, A, B, made(kernel, BATCHES["mixed"], RAGGED, dtype))
    wanted = merged(x, weight, bias, A, B, RAGGED, BATCHES["mixed"])
    assert_equal_with_gradients(got, wanted, (x, A, B), tolerance=0.02)


@kernels
def test_rows_of_one_token_and_no_bias_will_do(kernel):
    weight, _, A, B = matrices(RAGGED)
    x = random(5, 1, 40).requires_grad_()
    got = routed_linear(x, weight, None, A, B, made(kernel, BATCHES["sorted"], RAGGED))
    assert_equal_with_gradients(got, merged(x, weight, None, A, B, RAGGED, BATCHES["sorted"]), (x, A, B))


@kernels
def test_more_tokens_and_outputs_than_a_tile_holds(kernel):
    weight, bias, A, B = matrices(RAGGED, d_in=136, d_out=152)
    languages = [row % 5 for row in range(23)]
    x = random(23, 9, 136).requires_grad_()
    got = routed_linear(x, weight, bias, A, B, made(kernel, languages, RAGGED))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, RAGGED, languages), (x, A, B))


@kernels
def test_an_input_that_needs_no_gradient_gets_none_and_the_adapter_its_own(kernel):
    weight, bias, A, B = matrices(RAGGED)
    x = random(7, 5, 40)
    got = routed_linear(x, weight, bias, A, B, made(kernel, BATCHES["mixed"], RAGGED))
    assert_equal_with_gradients(got, merged(x, weight, bias, A, B, RAGGED, BATCHES["mixed"]), (A, B))


@kernels
def test_input_and_gradient_of_any_layout_will_do(kernel):
    weight, bias, A, B = matrices(RAGGED)
    across = random(40, 5, 7).requires_grad_()
    x = across.transpose(0, 2)
    got = routed_linear(x, weight, bias, A, B, made(kernel, BATCHES["mixed"], RAGGED)).transpose(1, 2)
    wanted = merged(x, weight, bias, A, B, RAGGED, BATCHES["mixed"]).transpose(1, 2)
    assert_equal_with_gradients(got, wanted, (across, A, B))
    summed = routed_linear(x, weight, bias, A, B, made(kernel, [0] * 7, RAGGED)).sum()
    gradients = torch.autograd.grad(merged(x, weight, bias, A, B, RAGGED, [0] * 7).sum(), (A, B))
    for one, other in zip(torch.autograd.grad(summed, (A, B)), gradients, strict=True):
        assert_close(one, other.double(), 1e-5)


@kernels
def test_under_autocast_everything_is_computed_in_its_format_and_gradients_keep_theirs(kernel):
    dtype = torch.float16 if IS_INTERPRETED else torch.bfloat16  # the interpreter knows no bfloat16 products
    weight, bias, A, B = matrices(RAGGED)
    x = random(7, 5, 40).requires_grad_()
    with torch.autocast(DEVICE, dtype):
        got = routed_linear(x, weight, bias, A, B, made(kernel, BATCHES["mixed"], RAGGED, dtype))
    assert got.dtype is dtype
    wanted = merged(x, weight, bias, A, B, RAGGED, BATCHES["mixed"])
    assert_equal_with_gradients(got, wanted, (x, A, B), tolerance=0.02)


@pytest.mark.skipif(not find_spec("triton"), reason="Triton is not installed")
@pytest.mark.skipif(IS_INTERPRETED, reason="is what the interpreter runs")
@pytest.mark.filterwarnings("default")
def test_the_triton_kernels_are_right_in_tritons_interpreter():
    from triton import __version__

    if tuple(map(int, __version__.split(".")[:2])) < (3, 9):
        pytest.skip(f"the interpreter of Triton {__version__} cannot count with numpy 2.4")
    chosen = "triton and not interpreter"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen],
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "skipped" not in run.stdout


def test_rows_are_sorted_only_where_an_adapter_has_several_runs():
    assert isinstance(made(AdapterKernel.SORTED, [3, 3, 0, 1, 1], RAGGED), Groups)
    mixed = made(AdapterKernel.SORTED, [3, 0, 1, 3, 1], RAGGED)
    assert isinstance(mixed, SortedProducts)
    assert (mixed.order.tolist(), mixed.products.rows) == ([1, 2, 4, 0, 3], (1, 2, 2))
    assert isinstance(made(AdapterKernel.SORTED, [3, 0, 3], SHARED), Groups)


# Choosing


@pytest.mark.parametrize(
    ("device", "dtype", "d", "R", "kernel"),
    [
        ("cpu", torch.float32, 1024, 48, AdapterKernel.RUNS),
        ("cpu", torch.float32, 64, 48, AdapterKernel.SORTED),
        ("cpu", torch.bfloat16, 1024, 48, AdapterKernel.MASKED),
        ("cpu", torch.bfloat16, 1024, 400, AdapterKernel.RUNS),
        ("cuda", torch.float32, 1024, 48, AdapterKernel.MASKED),
        ("cuda", torch.bfloat16, 64, 48, AdapterKernel.MASKED),
        ("cuda", torch.bfloat16, 1024, 400, AdapterKernel.TRITON),
    ],
)
def test_the_choice_depends_on_device_format_and_size(device, dtype, d, R, kernel, monkeypatch):
    monkeypatch.setattr(choosing, "_is_sound", lambda *_: True)
    assert choice(torch.device(device), dtype, d, R) is kernel


def test_kernels_that_are_wrong_or_fail_are_not_chosen_and_say_so(monkeypatch):
    def fail(*_):
        raise RuntimeError("out of shared memory")

    site = torch.device("cuda"), torch.bfloat16, 1024, 48
    monkeypatch.setattr(choosing, "find_spec", lambda name: object())
    for outcome, message in ((lambda *_: 0.5, "off by 0.5"), (fail, "out of shared memory")):
        monkeypatch.setattr(choosing, "_disagreement", outcome)
        choosing._is_sound.cache_clear()
        with pytest.warns(UserWarning, match=message):
            assert choice(*site) is AdapterKernel.MASKED
    monkeypatch.setattr(choosing, "_disagreement", lambda *_: 0.001)
    choosing._is_sound.cache_clear()
    assert choice(*site) is AdapterKernel.TRITON
    choosing._is_sound.cache_clear()


@needs_triton
def test_triton_agrees_with_masked_products_before_it_is_chosen():
    dtype = torch.float16 if IS_INTERPRETED else torch.bfloat16
    assert choosing._disagreement(torch.device(DEVICE), dtype) < 0.01


def test_where_a_kernel_does_not_run_it_is_refused(monkeypatch):
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="run.adapter_kernel=triton needs Triton"):
        made(AdapterKernel.TRITON, [0], RAGGED)


def test_all_sites_of_a_model_use_the_kernel_that_is_asked_for():
    route = Route(AdapterKernel.SORTED)
    languages = torch.tensor([1, 0, 1])
    with route.of(languages, languages):
        made_of = [route.products(index, 3, RAGGED, torch.float32, 24) for index in Index]
        assert [type(one) for one in made_of] == [SortedProducts, SortedProducts]
        assert route.products(Index.SOURCE, 3, RAGGED, torch.float32, 24) is made_of[0]
