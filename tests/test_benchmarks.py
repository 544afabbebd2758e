"""Benchmarks at a size that takes no time: they run, compare like with like, and write what they measured."""

import json
import sys

import pytest
import torch

from benchmarks import __main__ as everything
from benchmarks import batches, loss, measure, models, pipeline, train_step
from benchmarks.measure import Timings


@pytest.fixture(autouse=True)
def _without_peers_that_are_not_ours(monkeypatch):
    """Only what lslo itself depends on, wherever the tests run."""
    own = measure.installed
    monkeypatch.setattr(
        measure, "installed", lambda name: None if name in ("peft", "ctranslate2") else own(name)
    )


# Measuring


def test_timings_have_a_median_a_spread_and_a_ratio_by_round():
    slow, fast = Timings((2.0, 4.0, 9.0)), Timings((1.0, 2.0, 3.0))
    assert (slow.median, fast.median) == (4.0, 2.0)
    assert fast.spread == pytest.approx(0.25)
    assert slow.over(fast) == 2.0
    assert Timings((3.0,)).spread == 0.0


def test_calls_take_turns_in_alternating_order():
    made = []
    calls = {name: lambda name=name: made.append(name) for name in "abc"}
    timings = measure.alternate(calls, repeats=2, warm_up=1)
    assert "".join(made) == "cba" + "abc" + "cba"
    assert {name: len(timing.seconds) for name, timing in timings.items()} == dict.fromkeys("abc", 2)


def test_what_is_saved_for_backward_counts_once_and_without_the_weights():
    x, weight = torch.randn(10, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)

    def forward():
        h = x.view(5, 2, 4)
        return (h @ weight).sum() + (h.exp() * h.view(10, 4).view(5, 2, 4)).sum()

    kept = 2 * x.nbytes  # x for two products, its exponential
    assert measure.saved_bytes(forward, [weight]) == kept
    assert measure.saved_bytes(forward) == kept + weight.nbytes


def test_the_peak_is_what_is_held_at_a_time():
    def call():
        a = torch.zeros(1000)
        b = a + 1
        del a
        return b.exp()

    assert measure.peak_bytes(call, "cpu") == pytest.approx(2 * 4000, rel=0.01)


def test_a_table_has_words_to_the_left_and_numbers_to_the_right():
    rows = [{"name": "a", "n": 1234, "x": 0.12345}, {"name": "long", "n": None, "x": 2.0}]
    assert measure.table(rows).splitlines() == [
        "name      n      x",
        "a     1,234  0.123",
        "long      -      2",
    ]


def test_a_machine_is_described_by_device_threads_and_versions():
    described = measure.machine()
    assert described["device"] == "cpu"
    assert described["threads"] == torch.get_num_threads()
    assert described["versions"]["torch"] == torch.__version__


# Training step


def tiny_variants():
    base = models.new_model(models.SHAPES["tiny"], "cpu")
    made = train_step.variants(models.SHAPES["tiny"], "cpu")
    return {name: make(models.twin(base)) for name, make in made.items()}


def test_all_forms_of_lslo_compute_the_same_loss_and_gradients():
    compared = tiny_variants()
    forms = [compared[f"LSLo 2;2;8{form}"] for form in ("", ", masked", ", merged by sentence")]
    for parameters in zip(*(form.parameters for form in forms), strict=True):
        for parameter in parameters:
            parameter.data.copy_(parameters[0].data)
    losses = [form.forward("float32") for form in forms]
    gradients = [torch.autograd.grad(one, form.parameters) for one, form in zip(losses, forms, strict=True)]
    for value, of_form in zip(losses[1:], gradients[1:], strict=True):
        torch.testing.assert_close(value, losses[0])
        for ours, theirs in zip(of_form, gradients[0], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_twins_share_weights_but_not_gradients():
    base = models.new_model(models.SHAPES["tiny"], "cpu")
    twin = models.twin(base).requires_grad_(True)
    assert not any(parameter.requires_grad for parameter in base.parameters())
    assert twin.lm_head.weight is twin.model.shared.weight
    for ours, theirs in zip(twin.parameters(), base.parameters(), strict=True):
        assert ours.data_ptr() == theirs.data_ptr()


def test_a_step_leaves_no_gradient_behind_and_the_frozen_base_is_the_yardstick():
    for variant in tiny_variants().values():
        variant.step("float32")
        assert all(parameter.grad is None for parameter in variant.objective.parameters())
    frozen, ours = train_step.run("tiny", "cpu", "float32", repeats=1, only="^LSLo 2;2;8$")
    assert (frozen["variant"], frozen["over frozen"], frozen["trained"]) == ("frozen base", 1.0, 0)
    d_in_and_out = 9 * (16 + 16) + 4 * (16 + 32)  # attention matrices, then fc1 and fc2 of both stacks
    assert ours["trained"] == 12 / 3 * (2 + 2 + 8) * d_in_and_out


# The others


def test_the_loss_by_chunks_is_off_by_no_more_than_the_plain_one_and_smaller():
    plain, ours = loss.run("tiny", "cpu", "float32", repeats=1)
    assert ours["loss off by"] < 1e-6 and plain["loss off by"] < 1e-6
    assert ours["memory over naive"] < 1


def test_our_batches_pad_less_than_random_ones():
    by_name = {row["batches"]: row for row in batches.run("tiny")}
    assert 1 <= by_name["ours"]["padded over real"] < by_name["random"]["padded over real"]
    assert by_name["ours"]["number"] <= by_name["random"]["number"]


def test_the_profile_gives_every_part_its_time():
    rows = pipeline.profile_rows("tiny", "cpu", "float32")
    by_part = {row.pop("part"): row for row in rows}
    assert list(by_part) == [*pipeline.PARTS, "sum"]
    assert by_part["optimiser"]["frozen ms"] == 0 < by_part["optimiser"]["full ms"]
    for way, total in by_part.pop("sum").items():
        assert sum(row[way] for row in by_part.values()) == pytest.approx(total)
        assert by_part["attention"][way] > 0 and by_part["vocabulary loss"][way] > 0


def test_everything_is_measured_in_one_go_and_a_failure_costs_only_itself(tmp_path, monkeypatch, capsys):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(loss, "run", out_of_memory)
    path = tmp_path / "results" / "all.json"
    arguments = ["benchmarks", "--shape", "tiny", "--device", "cpu", "--repeats", "1", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", arguments)
    everything.main()
    written = json.loads(path.read_text())
    assert written["machine"]["device"] == "cpu"
    assert list(written["tiny"]) == ["train_step", "loss", "batches", "pipeline", "decode"]
    assert written["tiny"]["loss"] == {"failed": "OutOfMemoryError: no room"}
    assert written["tiny"]["pipeline"]["loop"][0]["tokens/s"] > 0
    assert "LSLo 2;2;8, 100 languages" in capsys.readouterr().out


def test_the_study_is_projected_from_the_rates_of_training_and_of_translation():
    results = {
        "pipeline": {"loop": [{"tokens/s": 131_604 * 2 * 40}]},
        "decode": [{"variant": "ours with LSLo 2;2;8, mixed", "sentences per second": 133_584 / 3600}],
    }
    assert everything.projection(results) == {
        "training hours": pytest.approx(45 / 3600),
        "evaluation hours": pytest.approx(1.0),
    }
