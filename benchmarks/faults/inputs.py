"""Damaged inputs: what the readers of JSON, TOML, artifacts and weights say to bytes that nobody meant.

    python -m benchmarks.faults.inputs --trials 3000 --seed 1

Every trial damages a sound file in a seeded way and reads it. Right is a value or an error of
``lslo_cli.errors`` (ValueError from a parser) in at most 10 lines and 10 seconds; anything else is a
fault and is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save

from lslo_cli.artifacts import store
from lslo_cli.artifacts.results import IndexStrategyResult
from lslo_cli.errors import LsloError
from lslo_cli.nn.files import read_tensors
from lslo_cli.parsing import parse_json, parse_toml
from lslo_cli.recipe.resolution import resolve

SOUND = {
    "json": json.dumps({"a": [1, 2.5, "é", None], "b": {"c": [True, {"d": "x"}]}}).encode(),
    "toml": b'name = "x"\nseed = 3\n[fit]\nlr = 0.01\nepochs = 2\n',
    "artifact": json.dumps(
        {"schema_id": "lslo/index-strategy", "version": 1, "result": {}, "digest": ""}
    ).encode(),
    "weights": save({"a": torch.ones(4, 4), "b": torch.zeros(3)}),
}
PIECES = [
    b"1e400",
    b'"\\ud800"',
    b"[" * 5000,
    b'{"a":' * 5000,
    b"a." * 5000,
    b"\xff\xfe",
    b"NaN",
    b"9" * 5000,
    b"\0" * 9,
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """``content`` cut, flipped, doubled, or with something strange in it."""
    at, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    match chance.randrange(5):
        case 0:
            return content[:at]
        case 1:
            return (
                content[:at]
                + bytes(byte ^ (1 << chance.randrange(8)) for byte in content[at:end])
                + content[end:]
            )
        case 2:
            return content[:end] + content[at:]
        case 3:
            return content[:at] + chance.choice(PIECES) + content[end:]
    return chance.choice(PIECES)


def readers(folder: Path) -> dict[str, Callable[[bytes], object]]:
    """What reads each kind of file, through a file where the reader wants one."""

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


def run(trials: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Outcomes by kind, and what went wrong."""
    chance, outcomes, faults = random.Random(seed), Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        read = readers(Path(folder))
        for trial in range(trials):
            kind = chance.choice(sorted(SOUND))
            content = damaged(SOUND[kind], chance)
            begin = time.perf_counter()
            try:
                read[kind](content)
                outcome = "read"
            except LsloError as error:
                outcome = f"exit {error.exit_code}"
                if len(f"{error.message}\n{error.hint}".splitlines()) > 10:
                    faults.append(f"trial {trial}, {kind}: a message of more than 10 lines")
            except ValueError:
                outcome = "refused"
            except Exception as error:
                outcome = "fault"
                faults.append(f"trial {trial}, {kind}: {error!r}")
            if time.perf_counter() - begin > 10:
                faults.append(f"trial {trial}, {kind}: more than 10 s")
            outcomes[f"{kind}: {outcome}"] += 1
    return outcomes, faults


def main() -> None:
    """Print the table of outcomes, and every fault; exit 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcomes, faults = run(given.trials, given.seed)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:24}{count:6,}")
    print(*faults, sep="\n")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
