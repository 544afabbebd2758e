"""Distributed ranks: training stages and evaluation in two processes against one, and with one of two killed.

    python -m benchmarks.faults.ranks --seed 1 --json results/benchmarks/faults/ranks.json

Two processes with half the ``--accumulate`` make the updates of one, dropout included: expected are the same
weights and losses up to the order of sums, and the same translations. If one of two is killed, the other ends
with exit code 4 and a message; one that still waits for it at the start, where torch blocks signals, ends by
torchrun's SIGTERM or SIGKILL.
"""

from __future__ import annotations

import random
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from benchmarks.faults.forked import Running, start
from benchmarks.faults.laboratory import Laboratory, Stage, contents
from benchmarks.faults.trials import Trials, main

STAGES = (
    "base train", "weight-learn", "estimate-subspace", "train", "train, all weights", "evaluate",
    "flare train", "flare evaluate",
)  # fmt: skip
DROPOUT = ("fit.dropout=0.3", "fit.attention_dropout=0.2", "base.dropout=0.3")
CLOSE = 1e-3
"""The largest difference attributed to the order of sums, after some updates at a rate of 0.02."""
DEATHS = 2
"""Kills of a process at a random moment, by stage."""
NOTICED = 20
"""The most seconds until the other process ends by itself."""


def run(trials: Trials, folder: Path, seed: int, only: Sequence[str] = (), deaths: int = DEATHS) -> None:
    """Test every stage that trains, or ``only`` these."""
    laboratory, chance = Laboratory.made(folder, tuple(only) or STAGES), random.Random(seed)
    for stage in trials.within(laboratory.stages):
        compare(trials, laboratory, stage)
        for _ in range(deaths):
            lose(trials, laboratory, stage, chance)


def compare(trials: Trials, laboratory: Laboratory, stage: Stage) -> None:
    """Run a stage in one process and in two."""
    found, wrong = [], []
    for processes in (1, 2):
        trial = laboratory.fresh(stage)
        ends = [each.ended() for each in together(with_settings(stage, processes), trial, processes)]
        wrong += [problem for ended in ends for problem in ended.complaints(0)]
        found.append(contents(trial))
    if stage.name == "flare train":  # its updates double: it has no batches to share out
        wrong += [f"{name} is made by one only" for name in found[0].keys() ^ found[1].keys()]
        return trials.note(f"two against one: {stage.name}", "the same files", wrong)
    wrong = wrong or list(differences(*found))
    trials.note(f"two against one: {stage.name}", "as one", wrong)


def lose(trials: Trials, laboratory: Laboratory, stage: Stage, chance: random.Random) -> None:
    """Kill one of two processes, and check how the other ends and that the stage can be repeated."""
    trial = laboratory.fresh(stage)
    ranks, lost = together(with_settings(stage, 2), trial, 2), chance.randrange(2)
    time.sleep(chance.uniform(0.2, 1.2) * laboratory.seconds(stage))
    ranks[lost].signal(signal.SIGKILL)
    if not ranks[lost].ended().was_killed:
        ranks[1 - lost].ended()
        return trials.note(f"one of two killed: {stage.name}", "done before")
    begin, alive = time.monotonic(), ranks[1 - lost]
    while not alive.is_over() and time.monotonic() < begin + NOTICED:
        time.sleep(0.1)
    waited = not alive.is_over()
    if waited:
        alive.signal(signal.SIGTERM)
    other = alive.ended(longest=time.monotonic() - alive.begin + NOTICED)
    outcome = "done before" if other.code == 0 else f"exit code {other.code}"
    if waited and other.code == 124:  # torch blocks signals while it waits for the first rendezvous
        outcome, wrong = "ended by SIGKILL", []
    else:
        wrong = [] if other.code == 0 else other.complaints(143 if waited else 4)
        if other.code and not re.search("--resume|the same line again", other.errors):
            wrong.append(f"it does not say how to go on: {other.errors}")
    again = laboratory.run(with_settings(stage, 1), trial)
    wrong += again.complaints(0)
    trials.note(f"one of two killed: {stage.name}", outcome, wrong, f"rank {lost}")


def with_settings(stage: Stage, processes: int) -> Stage:
    """A stage with dropout, and updates of two batches in one process or in two."""
    if "evaluate" in stage.name or "flare" in stage.name:
        return stage
    accumulate = 2 // processes
    settings = (f"fit.accumulate={accumulate}", f"base.accumulate={accumulate}", *DROPOUT)
    return replace(stage, line=(*stage.line, *(word for each in settings for word in ("--set", each))))


def together(stage: Stage, folder: Path, processes: int) -> list[Running]:
    """A stage in several processes as torchrun starts them."""
    if processes == 1:
        return [start(*stage.line, folder=folder)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        start(*stage.line, folder=folder, environment={**shared, "RANK": str(n), "LOCAL_RANK": str(n)})
        for n in range(processes)
    ]


def differences(one: dict[str, Any], two: dict[str, Any]) -> Iterator[str]:
    """The differences between the outputs of two processes and of one, up to the order of sums."""
    yield from (f"{name} is made by one only" for name in sorted(one.keys() ^ two.keys()))
    for name in sorted(one.keys() & two.keys()):
        if name.endswith(".safetensors"):
            yield from _weights(name, *(load(each[name]) for each in (one, two)))
        elif name.endswith("training.json"):
            losses = [_losses(each[name]) for each in (one, two)]
            if not torch.allclose(*map(torch.tensor, losses), atol=CLOSE):
                yield f"{name}: losses {losses[0]} and {losses[1]}"
        elif name.endswith("txt") and one[name] != two[name]:
            yield f"{name} is another"
    if len(one) == 0:
        yield "nothing was made"


def _weights(name: str, one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> Iterator[str]:
    largest = max(float((one[key].float() - two[key].float()).abs().max()) for key in one)
    if one.keys() != two.keys() or largest > CLOSE:
        yield f"{name} differs by {largest:.2g}"


def _losses(artifact: Any) -> list[float]:
    """All losses that a training records."""
    if isinstance(artifact, dict):
        own = [float(value) for key, value in artifact.items() if key == "loss"]
        return own + [loss for value in artifact.values() for loss in _losses(value)]
    return [loss for value in artifact for loss in _losses(value)] if isinstance(artifact, list) else []


if __name__ == "__main__":
    main(__doc__, run)
