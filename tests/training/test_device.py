import pytest

from lslo_cli.tasks.setup import prepare
from lslo_cli.training.device import attention_for, length_multiple, open_device


@pytest.mark.parametrize("precision, attention", [("fp32", "sdpa"), ("bf16", "eager")])
def test_bf16_on_a_cpu_trains_without_flash_attention(tiny, precision, attention):
    recipe = tiny.recipe(**{"run.device": "cpu", "run.precision": precision})
    assert attention_for(open_device(recipe)) == (None if attention == "sdpa" else attention)
    assert prepare(recipe).base.model.config._attn_implementation == attention


@pytest.mark.parametrize("precision, multiple", [("fp32", 1), ("bf16", 8)])
def test_bf16_on_a_cpu_trains_with_few_shapes(tiny, precision, multiple):
    setup = prepare(tiny.recipe(**{"run.device": "cpu", "run.precision": precision}))
    assert length_multiple(setup.accelerator) == multiple
    lengths = {batch.labels.shape[1] for batch in setup.training_batches().batches(1)}
    assert any(length % 8 for length in lengths) == (multiple == 1)
