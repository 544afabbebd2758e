import json
import sys

import pytest
import torch

from benchmarks import flare
from lslo_cli.method.flare import Phi

SIZE = flare.SIZES["tiny"]
HEAD = flare.CLASSES * (SIZE.width + 1)
LORA = SIZE.layers * 2 * 2 * SIZE.width * 8  # A and B of query and value
PROJECTION = SIZE.width * (SIZE.translator_width + 1)
CROSS_ATTENTION = SIZE.layers * 2 * 3 * 8 * 9


@pytest.fixture
def setting():
    return flare.Setting(SIZE, "cpu", "float32")


def test_every_method_is_measured_beside_lora_and_input_fusion():
    rows = {row.pop("variant"): row for row in flare.run("tiny", "cpu", "float32", repeats=1)}
    assert rows["LoRA"]["over LoRA"] == rows["LoRA"]["peak over LoRA"] == 1
    assert rows["input fusion"]["over input fusion"] == 1
    assert {f"FLARE {phi}" for phi in Phi} | {"FLARE-MT", "X-Mixup"} < set(rows)
    extra = {name: row["more than LoRA"] for name, row in rows.items()}
    assert rows["LoRA"]["trained"] == LORA + HEAD
    assert extra["FLARE add-relu"] == extra["FLARE mul"] == extra["input fusion"] == 0
    assert extra["FLARE cross-attention"] == CROSS_ATTENTION
    assert extra["FLARE-MT"] == PROJECTION
    assert extra["X-Mixup"] == 2


def test_states_that_are_kept_give_the_same_loss_as_states_that_are_read_in_every_step(setting):
    losses = []
    for keep in (False, True):
        torch.manual_seed(3)
        losses.append(setting.flare(Phi.ADD_RELU, keep).loss())
    torch.testing.assert_close(*losses)


def test_kept_states_take_a_tensor_for_each_block_and_in_flare_mt_one_for_all(setting):
    texts = SIZE.rows * SIZE.length * 4
    assert setting.flare(Phi.ADD, keep=True).kept_bytes() == SIZE.layers * SIZE.width * texts
    assert setting.flare_mt(keep=True).kept_bytes() == SIZE.translator_width * texts
    assert setting.flare(Phi.ADD).kept_bytes() == 0


def test_the_result_is_written_with_its_machine(tmp_path, monkeypatch, capsys):
    path = tmp_path / "flare.json"
    arguments = ["--shape", "tiny", "--device", "cpu", "--repeats", "1", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["benchmarks.flare", *arguments])
    flare.main()
    written = json.loads(path.read_text())
    assert written["shape"] == "tiny" and written["machine"]["threads"] == 1
    assert "FLARE cross-attention" in capsys.readouterr().out
