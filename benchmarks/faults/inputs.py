"""Damaged inputs: the readers, then whole command lines, on random bytes.

    python -m benchmarks.faults.inputs --seed 1 --json results/benchmarks/faults/inputs.json

Every trial damages a valid file at random, by seed, and reads it. Expected: a value or an error of
``lslo_cli.errors`` (ValueError from a parser); from a command exit code 0, 2, 3 or 4, in at most 10 lines and
10 seconds, and no partial files.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save

from benchmarks.faults import commands
from benchmarks.faults.mutations import damaged
from benchmarks.faults.trials import Trials, main
from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import IndexStrategyResult
from lslo_cli.errors import LsloError
from lslo_cli.nn.files import read_tensors
from lslo_cli.parsing import parse_json, parse_toml
from lslo_cli.recipe.resolution import resolve

OF_READERS, OF_COMMANDS = 3000, 500
"""Trials."""
SOUND = {
    "json": json.dumps({"a": [1, 2.5, "é", None], "b": {"c": [True, {"d": "x"}]}}).encode(),
    "toml": b'name = "x"\nseed = 3\n[fit]\nlr = 0.01\nepochs = 2\n',
    "artifact": json.dumps(
        {"schema_id": "lslo/index-strategy", "version": 1, "result": {}, "digest": ""}
    ).encode(),
    "weights": save({"a": torch.ones(4, 4), "b": torch.zeros(3)}),
}


def readers(folder: Path) -> dict[str, Callable[[bytes], object]]:
    """The reader of each kind of file, through a file if the reader needs one."""

    def placed(name: str, content: bytes) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return {
        "json": parse_json,
        "toml": lambda content: (parse_toml(content.decode()), resolve(str(placed("a.toml", content)))),
        "artifact": lambda content: store.read(placed("a.json", content), IndexStrategyResult),
        "weights": lambda content: read_tensors(placed("a.safetensors", content), "train again"),
    }


def run(
    trials: Trials,
    folder: Path,
    seed: int,
    only: Sequence[str] = (),
    of_readers: int = OF_READERS,
    of_commands: int = OF_COMMANDS,
) -> None:
    """Damage inputs of the readers, then of whole command lines."""
    if not only:
        read(trials, folder, seed, of_readers)
    if of_commands:
        commands.run(trials, folder / "laboratory", seed, of_commands, only)


def read(trials: Trials, folder: Path, seed: int, count: int) -> None:
    """Damage a valid file at random and read it, ``count`` times."""
    chance, read = random.Random(seed), readers(folder)
    for number in trials.within(range(count)):
        kind = chance.choice(sorted(SOUND))
        content, wrong = damaged(SOUND[kind], chance), []
        begin = time.perf_counter()
        try:
            read[kind](content)
            outcome = "read"
        except LsloError as error:
            outcome = f"exit code {error.exit_code}"
            if len(f"{error.message}\n{error.hint}".splitlines()) > 10:
                wrong.append("a message of more than 10 lines")
        except ValueError:
            outcome = "refused"
        except Exception as error:
            outcome = "fault"
            wrong.append(repr(error))
        if time.perf_counter() - begin > 10:
            wrong.append("more than 10 s")
        trials.note(f"reader of {kind}", outcome, wrong, f"trial {number}")


if __name__ == "__main__":
    main(__doc__, run)
