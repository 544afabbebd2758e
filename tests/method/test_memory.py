from lslo_cli.method.families import SHAPES
from lslo_cli.method.memory import LOGITS_AT_A_TIME, estimate_memory
from lslo_cli.method.shapes import ModelShape

M2M = SHAPES["m2m-124-615m"]


def test_full_fine_tuning_keeps_weights_gradients_and_two_moments():
    estimate = estimate_memory(M2M, 0, M2M.parameters, 4000)
    assert estimate.weights + estimate.training_state == 4 * 4 * M2M.parameters


def test_activations_grow_with_the_batch_and_the_logits_only_up_to_what_is_there_at_a_time():
    small, large = (estimate_memory(M2M, 0, 0, tokens) for tokens in (4000, 8000))
    assert large.activations == 2 * small.activations
    assert large.logits == small.logits == 4 * 2 * LOGITS_AT_A_TIME
    assert estimate_memory(ModelShape(2, 2, 16, 32, 100, 0), 0, 0, 50).logits == 4 * 2 * 50 * 100
