"""Lines under torchrun and accelerate: the flags of lslo reach lslo, and nodes find each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.cli.app import app
from lslo_cli.recipe import to_toml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "several-gpus.md").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = re.findall(r"^    ((?:torchrun|accelerate launch) .+)$", PAGE, flags=re.MULTILINE)
TRAIN = get_command(app).commands["train"]


def passed_on(line: list[str]) -> list[str]:
    """What a launcher would start, by its own reading of a line."""
    if line[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        read = get_args_parser().parse_args(line[1:])
    else:
        from accelerate.commands.launch import launch_command_parser

        read = launch_command_parser().parse_args(line[2:])
    assert read.no_python
    return [read.training_script, *read.training_script_args]


@pytest.mark.parametrize("line", LINES)
def test_every_flag_reaches_lslo(line):
    words = shlex.split(line)
    command = words[words.index("lslo") :]
    assert passed_on(words) == command
    TRAIN.make_context("train", command[2:])
    flags = [flag for parameter in TRAIN.params for flag in parameter.opts if flag.startswith("--")]
    assert "--run" in flags and len(flags) > 30
    for flag in flags:
        assert passed_on([*words, flag, "x"]) == [*command, flag, "x"]


def test_both_launchers_and_several_nodes_are_documented():
    assert [line.split()[0] for line in LINES] == ["torchrun", "accelerate", "torchrun"]
    assert "--nnodes 2" in LINES[2]


@pytest.mark.slow
def test_two_nodes_train_what_one_process_does(tiny, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(to_toml(tiny.recipe()), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    lslo = [sys.executable, "-m", "lslo_cli", "train", "--recipe", str(recipe), "--results", str(tmp_path)]
    node = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    node += [
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        place,
        "--local-addr",
        "127.0.0.1",
        "--no-python",
        "--",
    ]
    lines = [
        [*lslo, "--run", "alone", "--accumulate", "2"],
        [*node, *lslo, "--run", "nodes", "--accumulate", "1"],
        [*node, *lslo, "--run", "nodes", "--accumulate", "1"],
    ]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings)
        for line in lines
    ]
    for process in started:
        said = process.communicate(timeout=600)[0]
        assert process.returncode == 0, said
    losses = [
        [epoch["loss"] for epoch in json.loads(run.training.read_text())["result"]["history"]]
        for run in map(ExperimentFolder(tmp_path / "tiny").run, ("alone", "nodes"))
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
