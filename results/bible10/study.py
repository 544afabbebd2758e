"""The study of ten real languages: is LSLo worth it, and does its map follow the sizes of bitext?

It has three parts: with the straight base, with the rotated one, and with the straight base and more text.

    python results/bible10/study.py --jobs 2           # everything, two commands at a time
    python results/bible10/study.py --dry-run          # the commands that are left, and how long they take
    python results/bible10/summary.py                  # tables and figures of what is there, without training

Run it in the root of a checkout where ``data/bible10`` is the text (``all/``, ``ft/dev/``, ``ft/devtest/``)
and ``models/bible10`` the base, any number of times: what is done is skipped, what was interrupted goes on
after its last epoch, and a base that is missing is trained. Every command runs on one thread, but for the
training of a base without ``--jobs``. ``--parts``, ``--seeds`` and ``--only`` choose.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Lock

Text = dict[str, list[str]]
"""Lines by language, the same number of each."""

RESULTS = Path("results/bible10")
TEXT = Path("data/bible10")
SPREAD = Path("data/bible10-spread")
"""The text to fine-tune on, in pairs, and to test on; the verses that are taken are from all chapters."""
MORE = Path("data/bible10-more")
"""The same test, and more text to fine-tune on, from that of the base."""
VERSES = {"dev": 360, "devtest": 40, "more": 1000}
"""How many verses of each split the recipes take; ``more`` is the training split of ``MORE``."""
SEEDS = (2, 3, 4)
TUNING_SEED = 1
BUDGET = "same-as:2,2,8"
SHARED_RANK = 44
"""The rank of one LoRA for all that has the parameters of 2;2;8 on ten languages: 6 x 2 + 4 x 8."""


TUNED = {
    "full": "--method full --gps 0",
    "lora": f"--method lora --ranks {SHARED_RANK} --gps 0",
    "lslo": "--ranks 2,2,8 --gps 0.9 --index paper",
}
"""What has a learning rate of its own, and the flags that it is chosen for."""
PUBLISHED = {"full": 1e-4, "lslo": 3e-3}
"""The paper's rates, which are scored on the test text as well, to tell what choosing changes."""


@dataclass(frozen=True)
class Part:
    """A part of the study: a base, the text that it is fine-tuned on, and learning rates to choose from."""

    name: str
    recipe: str
    base: str
    """The recipe whose base it has; that which trains it is called BASE-base."""
    text: Path
    rates: Mapping[str, Sequence[float]]
    """Learning rates by method; empty where those chosen in the straight part are kept."""

    @property
    def folder(self) -> Path:
        return RESULTS / self.name

    @property
    def tuning(self) -> Path:
        """The experiments that learning rates are chosen by."""
        return RESULTS / ("tuning" if self.name == "straight" else f"tuning-{self.name}")

    def tuned(self, method: str, rate: float) -> Path:
        """The training that a rate is judged by."""
        return self.tuning / f"seed-{TUNING_SEED}" / "runs" / tuning_run(method, rate) / "training.json"


PARTS = {
    part.name: part
    for part in (
        Part(
            "straight",
            "bible10",
            "bible10",
            SPREAD,
            {
                "full": (5e-5, 1e-4, 2e-4, 3e-4, 5e-4),
                "lora": (3e-4, 1e-3, 2e-3, 3e-3, 6e-3),
                "lslo": (5e-4, 1e-3, 2e-3, 3e-3, 6e-3),
            },
        ),
        Part("rotated", "bible10-rotated", "bible10-rotated", SPREAD, {}),
        Part("more", "bible10-more", "bible10", MORE, {}),
    )
}
STRAIGHT, ROTATED, WITH_MORE = PARTS.values()


@dataclass(frozen=True)
class Run:
    """A run of the study: its name, what it trains, and the method whose tuned learning rate it takes."""

    name: str
    flags: str
    method: str = "lslo"

    @property
    def estimated(self) -> bool:
        return self.name.startswith("auto")


MIXTURE = f"--ranks auto --set train.rule=mixture --budget {BUDGET} --index paper"
RUNS = (
    Run("2-2-8-gps0.9", "--ranks 2,2,8 --gps 0.9 --index paper"),
    Run("full", TUNED["full"], "full"),
    Run(f"lora-r{SHARED_RANK}", TUNED["lora"], "lora"),
    Run("auto-mixture", f"{MIXTURE} --gps 0"),
    Run("4-4-4", "--ranks 4,4,4 --gps 0 --index paper"),
    Run("2-2-8", "--ranks 2,2,8 --gps 0 --index paper"),
    Run("auto-mixture-gpsauto", f"{MIXTURE} --gps auto"),
)
"""What is compared with the first. All but full fine-tuning have about the parameters of 2;2;8."""
FIRST = 4
"""How many of them are made with every seed of the straight base before those of the rotated one."""
CONTROL = ("2-2-8-gps0.9", "auto-mixture")
"""What is made with the rotated base, whose question is where the map goes."""
WORTH = ("2-2-8-gps0.9", "full", f"lora-r{SHARED_RANK}")
"""What is made with more text, whose question is which method is worth it."""

SECONDS = {
    "base train": 9000,
    "weight-learn": 250,
    "estimate-subspace": 250,
    "train --recipe bible10-more": 450,
    "train": 250,
    "evaluate": 90,
}
"""How long a command takes on one core, measured; that of the base is reckoned: on two it took 6,400."""


@dataclass(frozen=True)
class Study:
    """What was asked for on the command line."""

    parts: Sequence[str] = tuple(PARTS)
    seeds: Sequence[int] = SEEDS
    runs: Sequence[Run] = RUNS
    settings: Sequence[str] = ()
    jobs: int = 1
    dry_run: bool = False
    said: dict[str, float] = field(default_factory=dict)
    """The commands that were run or printed, with the seconds that they are expected to take."""
    locks: defaultdict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))
    """One for what several bases or seeds need: who comes second waits."""

    def lslo(self, command: str, makes: Path) -> None:
        """Run a command that leaves a file, unless it is there."""
        command = " ".join([command, *(f"--set {setting}" for setting in self.settings)])
        if makes.exists() or command in self.said:
            return
        self.said[command] = next((each for name, each in SECONDS.items() if command.startswith(name)), 0)
        print(f"lslo {command}", flush=True)
        if not self.dry_run:
            program = [sys.executable, "-m", "lslo_cli", *shlex.split(command)]
            subprocess.run(program, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)

    def do(self) -> None:
        """Make all runs, those first that tell most; a job makes those of one part and seed.

        With several jobs, missing bases are trained from the beginning, beside the runs of those that are
        there. A command that fails ends its job, and the study when the other jobs are done.
        """
        if not self.dry_run:
            spread_text()
        first, others = self.runs[:FIRST], self.runs[FIRST:]
        control = [run for run in self.runs if run.name in CONTROL]
        worth = [run for run in self.runs if run.name in WORTH]
        units = [(STRAIGHT, first), (ROTATED, control), (STRAIGHT, others)]
        units += [(WITH_MORE, worth[:2]), (WITH_MORE, worth[2:])]
        chosen = [PARTS[name] for name in self.parts]
        with ThreadPoolExecutor(self.jobs) as pool:
            jobs = [pool.submit(self.make_base, part) for part in chosen if self.jobs > 1]
            for part, runs in units:
                if part in chosen:
                    jobs += [pool.submit(self.make, part, seed, runs) for seed in self.seeds]
            jobs += [pool.submit(self.learn_index, part) for part in chosen if part is not WITH_MORE]
            try:
                for job in jobs:
                    job.result()
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise

    def make(self, part: Part, seed: int, runs: Sequence[Run]) -> None:
        self.make_base(part)
        self.make_base(STRAIGHT)  # which rates are chosen with
        self.evaluate(part, seed, "base")
        for run in runs:
            self.train(part, seed, run)
            self.evaluate(part, seed, run.name)

    def learn_index(self, part: Part) -> None:
        """Learn where source and target index, with one seed: what tells least, so it comes last."""
        self.make_base(part)
        flags = f"{experiment(part, SEEDS[0])} --lr {self.rate(part, 'lslo')} --resume"
        self.lslo(f"weight-learn {flags}", part.folder / f"seed-{SEEDS[0]}" / "index-strategy.json")

    def make_base(self, part: Part) -> None:
        """Train a base, unless it is there."""
        model = Path("models", part.base)
        with self.locks[part.base]:
            resume = " --resume" if model.with_name(f".{model.name}.training").exists() else ""
            threads = " --set run.threads=1" if self.jobs > 1 else ""  # alone, it has the recipe's two
            flags = f"--recipe {part.base}-base --data {TEXT / 'all'} --out {model}{threads}{resume}"
            self.lslo(f"base train {flags}", model / "training.json")

    def rate(self, part: Part, method: str) -> float:
        """The learning rate of a method with the lowest loss on dev rows after the last epoch."""
        if not part.rates:
            return self.rate(STRAIGHT, method)
        with self.locks[f"{part.name} {method}"]:
            losses = {}
            for rate in part.rates[method]:
                makes = part.tuned(method, rate)
                flags = f"{experiment(part, TUNING_SEED, part.tuning)} {TUNED[method]}"
                self.lslo(f"train {flags} --lr {rate} --run {makes.parent.name} --resume", makes)
                if makes.exists():
                    losses[rate] = json.loads(makes.read_text())["result"]["dev_losses"][-1]
            rates = part.rates[method]
            best = min(losses, key=losses.__getitem__) if losses else rates[len(rates) // 2]
            if part is STRAIGHT and method in PUBLISHED:
                for rate in dict.fromkeys((PUBLISHED[method], best)):
                    self.evaluate(part, TUNING_SEED, tuning_run(method, rate), part.tuning)
            return best

    def train(self, part: Part, seed: int, run: Run) -> None:
        folder = part.folder / f"seed-{seed}"
        makes = folder / "runs" / run.name / "training.json"
        if makes.exists():
            return
        flags = f"{experiment(part, seed)} --lr {self.rate(part, run.method)}"
        if run.estimated:
            self.lslo(f"estimate-subspace {flags} --index paper --resume", folder / "subspace.json")
        self.lslo(f"train {flags} {run.flags} --run {run.name} --resume", makes)

    def evaluate(self, part: Part, seed: int, run: str, results: Path | None = None) -> None:
        makes = (results or part.folder) / f"seed-{seed}" / "runs" / run / "evaluation.json"
        self.lslo(f"evaluate {experiment(part, seed, results)} --run {run}", makes)


def experiment(part: Part, seed: int, results: Path | None = None) -> str:
    """The flags that choose an experiment."""
    place = f"--results {results or part.folder} --name seed-{seed} --seed {seed}"
    return f"--recipe {part.recipe} {place} --data {part.text}"


def tuning_run(method: str, rate: float) -> str:
    """The name of a run that a learning rate is chosen by."""
    return f"{method}-lr{rate:g}"


def spread_text() -> None:
    """Write both texts with the verses that the recipes take first; those to train on are cut into pairs.

    Rows lie by chapter, so the first hundred would be of a few chapters of one book. Test rows with a
    sentence that stands in the other texts as well are left out: such verses were learned, not translated.
    The rows that follow those to train on, which learning rates are chosen by, are the same in both.
    """
    whole, dev, test = (read(TEXT / folder) for folder in ("all", "ft/dev", "ft/devtest"))
    known = {code: {*whole[code], *dev[code]} for code in test}
    rows = [
        row
        for row in range(len(next(iter(test.values()))))
        if not any(lines[row] in known[code] for code, lines in test.items())
    ]
    unknown = {code: [lines[row] for row in rows] for code, lines in test.items()}
    tested = spread(unknown, VERSES["devtest"])
    few = spread(dev, VERSES["dev"])
    more = {
        code: [*lines[: VERSES["more"]], *few[code][VERSES["dev"] :]]
        for code, lines in spread(whole, VERSES["more"]).items()
    }
    write(SPREAD / "dev", in_pairs(few, VERSES["dev"]))
    write(SPREAD / "devtest", tested)
    write(MORE / "dev", in_pairs(more, VERSES["more"]))
    write(MORE / "devtest", tested)


def spread(text: Text, first: int) -> Text:
    """The text with ``first`` rows at equal distances before all others."""
    rows = len(next(iter(text.values())))
    chosen = [number * rows // first for number in range(first)]
    order = [*chosen, *sorted({*range(rows)} - {*chosen})]
    return {code: [lines[row] for row in order] for code, lines in text.items()}


def in_pairs(text: Text, first: int) -> Text:
    """The text whose ``first`` rows are each cut into rows of two languages, empty in the others.

    A verse in ten languages becomes five rows, and an epoch translates it once from and once into each
    language. Which languages meet is drawn for every verse, so that all directions have about as many rows.
    """
    codes, random = sorted(text), Random(1)
    cut: Text = {code: [] for code in text}
    for row in range(first):
        random.shuffle(codes)
        for pair in zip(codes[::2], codes[1::2], strict=True):
            for code, lines in text.items():
                cut[code].append(lines[row] if code in pair else "")
    return {code: [*cut[code], *lines[first:]] for code, lines in text.items()}


def read(folder: Path) -> Text:
    """The lines of a folder's files by their stems."""
    return {
        path.stem: path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        for path in sorted(folder.glob("*.txt"))
    }


def write(folder: Path, text: Text) -> None:
    """Write a split of the text that the study takes; a file that is there may be read by another process."""
    folder.mkdir(parents=True, exist_ok=True)
    for code, lines in text.items():
        path, content = folder / f"{code}.txt", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--only", help="these runs, by name: 2-2-8-gps0.9,auto-mixture")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="settings", help="KEY=VALUE for all")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that are left")
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if not options.dry_run and not (TEXT / "all").is_dir():
        sys.exit(f"there is no text at {TEXT}: link it there, with all/, ft/dev/ and ft/devtest/ in it")
    study = Study(
        options.parts.split(","),
        [int(seed) for seed in options.seeds.split(",")],
        [run for run in RUNS if not options.only or run.name in options.only.split(",")],
        options.settings,
        1 if options.dry_run else options.jobs,
        options.dry_run,
    )
    study.do()
    if options.dry_run:
        hours = sum(study.said.values()) / 3600
        print(f"{len(study.said)} commands, about {hours:.1f} hours of a core", file=sys.stderr)


if __name__ == "__main__":
    main()
