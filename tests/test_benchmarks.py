"""Benchmarks at a size that takes no time: they run, compare like with like, and write what they measured."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import __main__ as everything
from benchmarks import (
    batches,
    decode,
    gpu,
    languages,
    loss,
    measure,
    memory,
    models,
    pipeline,
    pruned,
    sites,
    stacks,
    targets,
    train_step,
)
from benchmarks.measure import Timings
from lslo_cli.method.adapters import AdapterKernel
from lslo_cli.nn import products
from lslo_cli.processes import context


@pytest.fixture(autouse=True)
def _without_peers_that_are_not_ours(monkeypatch):
    """Only what lslo itself depends on, wherever the tests run."""
    own = measure.installed
    monkeypatch.setattr(
        measure, "installed", lambda name: None if name in ("peft", "ctranslate2") else own(name)
    )


@pytest.fixture(autouse=True)
def _with_small_matrices(monkeypatch):
    monkeypatch.setitem(measure.SQUARE, "cpu", 64)


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
    d_in_and_out = (5 + 8) * (16 + 16)  # every matrix of both stacks, fc1 and fc2 by d_model units
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


def test_the_cost_of_languages_is_measured_for_every_number_of_them(monkeypatch):
    # Processes that need not import torch again.
    monkeypatch.setattr(languages, "multiprocessing", SimpleNamespace(get_context=lambda _: context()))
    few, more = languages.run("tiny")
    assert (few["languages"], few["directions"], few["pairs"]) == (3, 6, 60)
    assert (more["languages"], more["directions"], more["pairs"]) == (6, 30, 300)
    assert few["over linear"] == 1 and more["over linear"] > 0


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
    assert targets.projection(results) == {
        "training hours": pytest.approx(45 / 3600),
        "evaluation hours": pytest.approx(1.0),
    }


def test_a_variant_that_fails_leaves_its_reason_and_the_others_their_rows(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(train_step, "full", fail)
    rows = train_step.run("tiny", "cpu", "float32", repeats=1, only="^full fine-tuning$|^LSLo 2;2;8$")
    assert [row["variant"] for row in rows] == ["frozen base", "LSLo 2;2;8", "full fine-tuning"]
    assert rows[2] == {"variant": "full fine-tuning", "failed": "RuntimeError: no kernel image"}
    assert measure.table(rows).splitlines()[-1].endswith("RuntimeError: no kernel image")


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_pruned_updates_are_the_same_however_they_are_computed(monkeypatch):
    monkeypatch.setattr(pruned, "D", 40)
    monkeypatch.setattr(pruned, "TOKENS", (7,))
    rows = pruned.run("cpu", "float32", repeats=1)
    ways = ["as it is", "entries in use", "sparse matrices"]
    assert [row["update"] for row in rows] == len(pruned.RANKS) * ways
    assert {row["over as it is"] for row in rows if row["update"] == "as it is"} == {1.0}


# On a GPU, in one go


def test_every_kernel_is_compared_with_the_definition_at_every_site():
    rows = sites.run("tiny", "cpu", "float32", repeats=1)
    assert len(rows) == 3 * 3 * 2 * len(["frozen map", "runs", "sorted", "masked"])
    for row in rows:
        assert row["seconds"] > 0
        assert row["products"] == "frozen map" or 0 < row["gradients off by"] < 1e-6


def test_a_kernel_that_is_wrong_shows_in_its_errors(monkeypatch):
    monkeypatch.setattr(
        sites, "routed_linear", lambda x, weight, bias, A, B, _: (x + A.sum() + B.sum()) @ weight.T
    )
    rows = sites.run("tiny", "cpu", "float32", repeats=1)
    assert all(row["output off by"] > 0.1 for row in rows if row["products"] != "frozen map")


def test_stacks_run_forward_and_backward_without_the_loss():
    rows = stacks.run("tiny", "cpu", "float32", repeats=1)
    assert [row["variant"] for row in rows] == ["frozen base, eager", "LSLo 2;2;8, eager"]
    assert all(row["over eager"] == 1 for row in rows)


class Children:
    """Sections in this process instead of one of their own, but for those that are told to hang or crash."""

    def __init__(self, hanging=(), crashing=()):
        self.hanging, self.crashing, self.commands = hanging, crashing, {}

    def __call__(self, command, timeout, **_):
        arguments = command[command.index("benchmarks.gpu") + 1 :]
        name = arguments[1]
        self.commands[name] = arguments
        if name in self.hanging:
            raise subprocess.TimeoutExpired(command, timeout)
        if name in self.crashing:
            return SimpleNamespace(returncode=-11, stderr="an illegal memory access")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["benchmarks.gpu", *arguments])
            gpu.main()
        return SimpleNamespace(returncode=0, stderr="")


def run_on_gpu(monkeypatch, path, children, *arguments):
    monkeypatch.setattr(gpu.subprocess, "run", children)
    argv = ["benchmarks.gpu", "--shape", "tiny", "--device", "cpu", "--repeats", "1", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", [*argv, *arguments])
    gpu.main()
    return json.loads(path.read_text())


def test_all_that_a_gpu_has_to_show_is_in_one_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(products, "CASES", products.CASES)  # which a failure changes, in the child
    monkeypatch.setattr(decode, "WORK", {"tiny": (2, 2)})
    path = tmp_path / "results" / "h100.json"
    chosen = [name for name in gpu.SECTIONS if name != "compiled stacks"]  # which takes minutes on a CPU
    written = run_on_gpu(monkeypatch, path, Children(), "--only", *chosen)
    assert list(written["sections"]) == chosen
    failed = {name: section for name, section in written["sections"].items() if "failed" in section}
    assert set(failed) <= {"tiles"}  # for which there may be no Triton
    assert {"operation", "GB/s"} <= set(written["sections"]["rates"]["rows"][0])
    steps = {row["variant"]: row for row in written["sections"]["train_step"]["rows"]}
    assert {"frozen base", "LSLo 2;2;8", "LSLo 2;2;64", "full fine-tuning"} < set(steps)
    assert {"tokens/s", "of peak", "training MiB"} < set(steps["LSLo 2;2;8"])
    assert "LSLo 2;2;8, masked" in [row["variant"] for row in written["sections"]["kernels"]["rows"]]
    assert written["lang12 study"]["training hours"] > 0
    reached = {row["what"]: row["reached"] for row in written["targets"]}
    assert reached["LSLo step over frozen-base step, 2;2;8"] in ("yes", "no")
    assert reached["step of PEFT's single LoRA over LSLo step"] == "not measured"
    assert written["minutes"] < 5 and written["machine"]["device"] == "cpu"
    assert "evaluation hours" in capsys.readouterr().out


def test_a_section_that_hangs_or_crashes_is_recorded_and_the_next_trust_triton_less(tmp_path, monkeypatch):
    monkeypatch.setattr(products, "CASES", products.CASES)
    children = Children(hanging=["rates"], crashing=["sites"])
    path = tmp_path / "h100.json"
    written = run_on_gpu(monkeypatch, path, children, "--only", "rates", "sites", "loss")
    failed = {name: section.get("failed") for name, section in written["sections"].items()}
    assert failed["rates"] == "took longer than 60 seconds"
    assert failed["sites"] == "ended with -11: an illegal memory access"
    assert failed["loss"] is None
    assert "--without-triton" not in children.commands["rates"]
    assert "--without-triton" in children.commands["loss"]
    assert AdapterKernel.TRITON not in [case.kernel for case in products.CASES]
    assert {row["reached"] for row in written["targets"]} == {"no", "not measured"}


def test_when_the_time_is_up_nothing_more_is_begun(tmp_path, monkeypatch):
    children = Children()
    path = tmp_path / "h100.json"
    written = run_on_gpu(monkeypatch, path, children, "--only", "rates", "loss", "--minutes", "0.1")
    assert {section["failed"] for section in written["sections"].values()} == {"no time was left"}
    assert not children.commands


def test_together_the_sections_that_matter_most_fit_into_twenty_minutes():
    first = ["rates", "sites", "train_step", "kernels", "decode", "pipeline", "loss"]
    assert list(gpu.SECTIONS)[: len(first)] == first
    assert sum(gpu.SECTIONS[name].seconds for name in first) <= 20 * 60


@pytest.mark.slow
def test_sections_run_in_processes_of_their_own(tmp_path):
    path = tmp_path / "h100.json"
    flags = ["--shape", "tiny", "--device", "cpu", "--repeats", "1", "--only", "rates", "sites"]
    command = [sys.executable, "-m", "benchmarks.gpu", *flags, "--json", str(path)]
    subprocess.run(command, check=True, cwd=Path(gpu.__file__).parents[1])
    assert all("rows" in section for section in json.loads(path.read_text())["sections"].values())


def test_memory_is_measured_beside_its_estimate_in_every_case():
    rows = memory.run("tiny")
    assert [(row["trained"], row["recompute"]) for row in rows] == [
        (trained, again)
        for trained in (memory.FULL, "LSLo on float32", "LSLo on bfloat16")
        for again in (False, True)
    ]
    by_case = {(row["trained"], row["recompute"]): row for row in rows}
    assert all(row["measured"] > 0 and row["estimated over measured"] > 0 for row in rows)
    assert by_case["LSLo on bfloat16", True]["measured"] < by_case["LSLo on float32", True]["measured"]
    assert rows[0][f"measured over {memory.FULL}"] == 1
