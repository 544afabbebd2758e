import pytest

from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.families import SHAPES
from lslo_cli.method.memory import LOGITS_AT_A_TIME, base_bytes, estimate_memory
from lslo_cli.method.shapes import ModelShape

M2M = SHAPES["m2m-124-615m"]
NLLB = SHAPES["nllb-200-3.3b"]


def test_full_fine_tuning_keeps_weights_gradients_and_two_moments():
    estimate = estimate_memory(M2M, 0, M2M.parameters, 4000)
    assert estimate.weights + estimate.training_state == 4 * 4 * M2M.parameters


def test_activations_grow_with_the_batch_and_the_logits_only_up_to_what_is_there_at_a_time():
    small, large = (estimate_memory(M2M, 0, 0, tokens) for tokens in (4000, 8000))
    assert large.activations == 2 * small.activations
    assert large.logits == small.logits == 4 * 2 * LOGITS_AT_A_TIME
    assert estimate_memory(ModelShape(2, 2, 16, 32, 100, 0), 0, 0, 50).logits == 4 * 2 * 50 * 100


def test_a_base_in_fewer_bits_takes_less_but_its_embedding_is_not_quantised():
    whole, half, quantised = (base_bytes(NLLB, dtype) for dtype in BaseDtype)
    assert whole == 2 * half == 4 * NLLB.parameters
    embedding = 256_206 * 2048
    assert quantised == pytest.approx(2 * embedding + 0.516 * (NLLB.parameters - embedding), rel=1e-3)
    extra, dtype = 1000, BaseDtype.BFLOAT16
    compact, plain = (estimate_memory(NLLB, extra, extra, 4000, each) for each in (dtype, BaseDtype.FLOAT32))
    assert compact.weights == half + 4 * extra
    assert compact.logits - plain.logits == 4 * embedding  # the loss multiplies by a float32 copy
    assert (compact.training_state, compact.activations) == (plain.training_state, plain.activations)


def test_recomputation_leaves_what_layers_are_given_and_one_layer():
    shape = ModelShape(6, 3, 10, 40, 100, 10**6)
    kept, again = (estimate_memory(shape, 5, 5, 7, recompute=each) for each in (False, True))
    one_encoder_layer, one_decoder_layer = 8 * 10 + 3 * 40, 16 * 10 + 3 * 40
    assert kept.activations == 4 * 7 * (6 * one_encoder_layer + 3 * one_decoder_layer)
    assert again.activations == 4 * 7 * (10 * (6 + 3 + 2) + one_decoder_layer)
    shallow = ModelShape(1, 1, 10, 40, 100, 10**6)
    both = [estimate_memory(shallow, 5, 5, 7, recompute=each).activations for each in (False, True)]
    assert both[1] <= both[0]


def test_adapters_on_the_3_3b_model_take_at_most_0_4_of_full_fine_tuning():
    adapters = 18_000_000
    full = estimate_memory(NLLB, 0, NLLB.parameters, 4000).total
    full_again = estimate_memory(NLLB, 0, NLLB.parameters, 4000, recompute=True).total
    for dtype in BaseDtype:
        again = estimate_memory(NLLB, adapters, adapters, 4000, dtype, recompute=True).total
        assert again < 0.2 * full
        assert again < 0.31 * full_again
