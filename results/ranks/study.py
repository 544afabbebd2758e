"""The study of rank maps: four worlds, five seeds, one budget; what is finished is kept.

    python results/ranks/study.py --jobs 2             # everything, two commands at a time
    python results/ranks/summary.py > results/ranks/summary.md      # tables of what is there

Run it in the root of a checkout, any number of times: what is done is skipped, and what was interrupted goes
on after its last epoch. A job is a process of one thread that runs the commands of one world and seed after
another. ``--worlds``, ``--seeds`` and ``--only`` choose, ``--dry-run`` prints the commands.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from filelock import FileLock

from lslo_cli.method.ranks import RankMap

RESULTS = Path("results/ranks")
WORLDS = {"shipped": "demo", "rotated": "world-rotated", "equal": "world-equal", "related": "world-related"}
"""The recipe of every world; that of the shipped one has its base in the package."""
SEEDS = (2, 3, 4, 5, 6)
TUNING_SEED = 1
RATES = {
    "full": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3),
    "lora": (1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 6e-3),
    "lslo": (5e-4, 1e-3, 2e-3, 3e-3, 6e-3),
}
TUNED_IN = {"full": Path("results/adapters/full"), "lslo": Path("results/adapters/gaussian-all")}
"""The study of adapters tuned these two with the same seed, flags and rates; its runs are read."""
BUDGET = "same-as:2,2,8"
SHARED_RANK = 48
"""The rank of one LoRA for all that has the parameters of 2;2;8 on twelve languages: 8 x 2 + 4 x 8."""
COMMON = "--set train.curve_rows=0 --set run.threads=1"


@dataclass(frozen=True)
class Run:
    """A run of the study: its name, what it trains, and the method whose tuned learning rate it takes."""

    name: str
    flags: str
    method: str = "lslo"
    lenders: Mapping[str, str] = field(default_factory=dict)
    """Who uses whose adapter in place of one of their own, in the world of relatives; else nobody."""

    @property
    def estimated(self) -> bool:
        return self.name.startswith("auto")


def auto(rule: str, *, gps: str = "") -> Run:
    """A rank map by one of the rules."""
    name = f"auto-{rule}" + (f"-gps{gps}" if gps else "")
    return Run(name, f"--ranks auto --set train.rule={rule} --budget {BUDGET} --gps {gps or 0}")


BASE = Run("base", "")
RUNS = (
    Run("2-2-8-gps0.9", "--ranks 2,2,8 --gps 0.9"),
    auto("mixture", gps="auto"),
    auto("levels", gps="auto"),
    auto("gain", gps="auto"),
    Run("4-4-4", "--ranks 4,4,4 --gps 0"),
    Run(f"lora-r{SHARED_RANK}", f"--method lora --ranks {SHARED_RANK} --gps 0", "lora"),
    Run("full", "--method full --gps 0", "full"),
    auto("sign", gps="auto"),
    auto("spectrum", gps="auto"),
    auto("kept", gps="auto"),
    auto("gain"),
    Run("2-2-8", "--ranks 2,2,8 --gps 0"),
    Run(
        "borrowed",
        "--ranks high=2,medium=2,qki=10,qsa=10,qgo=10,qha=10,very-low=0 --gps 0",
        lenders={"qka": "qki", "qsi": "qsa", "qgi": "qgo", "qhe": "qha"},
    ),
)
"""What is compared with the first. All but full fine-tuning have the parameters of 2;2;8."""
FIRST = 7
"""How many of them are made in every world and seed before the others."""


@dataclass(frozen=True)
class Study:
    """What was asked for on the command line."""

    worlds: Sequence[str]
    seeds: Sequence[int]
    runs: Sequence[Run]
    jobs: int = 1
    dry_run: bool = False
    said: set[str] = field(default_factory=set)

    def lslo(self, command: str, makes: Path, lenders: Mapping[str, str] | None = None) -> None:
        """Run a command that leaves a file, unless it is there."""
        if makes.exists() or command in self.said:
            return
        self.said.add(command)
        print(f"lslo {command}", flush=True)
        if not self.dry_run:
            with lending(lenders or {}):
                call(command)

    def alone(self, name: str) -> FileLock | nullcontext:
        """A lock on what several worlds or seeds need: who comes second waits."""
        if self.dry_run:
            return nullcontext()
        RESULTS.mkdir(parents=True, exist_ok=True)
        return FileLock(RESULTS / f".{name}.lock")

    def do(self) -> None:
        """The first runs in every world and seed, then the others; a job makes one world and seed."""
        first, others = self.runs[:FIRST], self.runs[FIRST:]
        units = [(world, seed, first) for seed in self.seeds for world in self.worlds]
        units += [(world, seed, others) for world in self.worlds for seed in self.seeds]
        if self.dry_run:
            for unit in units:
                self.make(*unit)
            return
        with ProcessPoolExecutor(self.jobs, get_context("spawn")) as pool:
            for made in [pool.submit(self.make, *unit) for unit in units]:
                made.result()

    def make(self, world: str, seed: int, runs: Sequence[Run]) -> None:
        self.make_base(world)
        for run in runs:
            if world == "related" or not run.lenders:
                self.train(world, seed, run)
                self.evaluate(world, seed, run)
        self.evaluate(world, seed, BASE)

    def make_base(self, world: str) -> None:
        recipe = WORLDS[world]
        if world == "shipped":
            return
        with self.alone(recipe):
            model = Path("models", recipe)
            resume = "--resume" if model.with_name(f".{model.name}.training").exists() else ""
            self.lslo(f"base train --recipe {recipe}-base --out {model} {resume}", model / "training.json")

    def rate(self, method: str) -> float:
        """The learning rate of a method with the lowest loss on dev rows, on the shipped world."""
        name = f"seed-{TUNING_SEED}"
        runs = TUNED_IN.get(method, RESULTS / "tuning") / name / "runs"
        experiment = (
            f"--recipe demo --results {RESULTS / 'tuning'} --name {name} --seed {TUNING_SEED} {COMMON}"
        )
        with self.alone(method):
            losses = {}
            for rate in RATES[method]:
                makes = runs / f"lr{rate:g}" / "training.json"
                if method not in TUNED_IN:
                    flags = f"--method lora --ranks {SHARED_RANK} --gps 0 --lr {rate} --run lr{rate:g}"
                    self.lslo(f"train {experiment} {flags} --resume", makes)
                if makes.exists():
                    losses[rate] = json.loads(makes.read_text())["result"]["dev_losses"][-1]
        return min(losses, key=losses.__getitem__) if losses else RATES[method][0]

    def estimate(self, world: str, seed: int) -> None:
        common = experiment(world, seed, f"seed-{seed}")
        self.lslo(
            f"estimate-subspace {common} --index paper --resume --lr {self.rate('lslo')}",
            RESULTS / world / f"seed-{seed}" / "subspace.json",
        )

    def train(self, world: str, seed: int, run: Run) -> None:
        folder = RESULTS / world / f"seed-{seed}"
        makes = folder / "runs" / run.name / "training.json"
        if makes.exists():
            return
        if run.estimated:
            self.estimate(world, seed)
        flags = run.flags + (" --index paper" if run.method == "lslo" else "")
        self.lslo(
            f"train {experiment(world, seed, folder.name)} {flags} --lr {self.rate(run.method)} "
            f"--run {run.name} --resume",
            makes,
            run.lenders,
        )

    def evaluate(self, world: str, seed: int, run: Run) -> None:
        name = f"seed-{seed}"
        self.lslo(
            f"evaluate {experiment(world, seed, name)} --run {run.name}",
            RESULTS / world / name / "runs" / run.name / "evaluation.json",
            run.lenders,
        )


def call(command: str) -> None:
    """Run a command line of lslo in this process. Raises SystemExit where it fails."""
    from lslo_cli.__main__ import main

    sys.argv = ["lslo", *shlex.split(command)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


@contextmanager
def lending(lenders: Mapping[str, str]) -> Iterator[None]:
    """Let languages use the adapters of others: keys those of their values.

    The package has no such setting; whether it should is what the run ``borrowed`` asks.
    """
    from lslo_cli.nn import attach
    from lslo_cli.nn.groups import Slots

    own = attach._slots

    def slots(ranks: RankMap, languages: Sequence[str]) -> Slots:
        made = own(ranks, languages)
        places = [languages.index(lenders.get(code, code)) for code in languages]
        return replace(made, by_language=tuple(made.by_language[place] for place in places))

    attach._slots = slots if lenders else own
    try:
        yield
    finally:
        attach._slots = own


def experiment(world: str, seed: int, name: str) -> str:
    """The flags that choose an experiment."""
    return f"--recipe {WORLDS[world]} --results {RESULTS / world} --name {name} --seed {seed} {COMMON}"


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before a job loads torch
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--only", help="these runs, by name: 2-2-8-gps0.9,auto-gain")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    runs = [run for run in RUNS if not options.only or run.name in options.only.split(",")]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    study = Study(options.worlds.split(","), seeds, runs, options.jobs, options.dry_run)
    study.do()


if __name__ == "__main__":
    main()
