import threading

import pytest
import torch
from accelerate.state import PartialState

from lslo_cli.tasks.setup import prepare
from lslo_cli.training.device import attention_for, length_multiple, open_device, seed_dropout


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


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_where_there_is_no_cuda_a_stage_runs_on_the_cpu_whatever_else_there_is(tiny, monkeypatch, device):
    monkeypatch.setattr(PartialState, "_shared_state", {})  # as in a new process
    monkeypatch.setattr("accelerate.state.is_mps_available", lambda *_, **__: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert open_device(tiny.recipe(**{"run.device": device})).device.type == "cpu"


def test_an_earlier_stage_keeps_its_device_and_precision(tiny):
    first = open_device(tiny.recipe(**{"run.device": "cpu", "run.precision": "bf16"}))
    second = open_device(tiny.recipe(**{"run.device": "cpu"}))
    x = torch.ones(2, 2)
    for stage, precision, dtype in ((first, "bf16", torch.bfloat16), (second, "no", torch.float32)) * 2:
        assert stage.mixed_precision == precision
        with stage.autocast():
            assert (x @ x).dtype == dtype


def test_the_device_of_an_earlier_stage_is_not_that_of_a_later_one(tiny):
    open_device(tiny.recipe(**{"run.device": "cpu"}))
    PartialState().device = torch.device("cuda", 0)  # as after a first stage on a GPU
    assert open_device(tiny.recipe(**{"run.device": "cpu"})).device.type == "cpu"


def test_a_stage_computes_with_its_own_number_of_threads(tiny):
    before = torch.get_num_threads()
    try:
        one, three, free = (
            open_device(tiny.recipe(**{"run.device": "cpu", "run.threads": number}))
            for number in (before + 1, before + 3, None)
        )
        for stage, threads in ((free, before), (one, before + 1), (three, before + 3), (free, before)):
            with stage.autocast():
                assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_one_thread_at_a_time_computes(tiny):
    first, second = (open_device(tiny.recipe(**{"run.device": "cpu"})) for _ in range(2))
    entered = threading.Event()

    def compute():
        with second.autocast():
            entered.set()

    with first.autocast(), second.autocast():  # the thread that computes may enter again
        other = threading.Thread(target=compute)
        other.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    other.join()


def test_dropout_is_seeded_as_torch_does():
    ones = torch.ones(200)
    torch.manual_seed(2**62 + 7)
    expected = torch.dropout(ones, 0.5, train=True)
    seed_dropout(torch.device("cpu"), 2**62 + 7)
    assert torch.equal(torch.dropout(ones, 0.5, train=True), expected)
    assert not torch.equal(torch.dropout(ones, 0.5, train=True), expected)
