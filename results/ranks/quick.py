"""Cheaper estimates: how much of the rank map is left, and of the cost.

    python results/ranks/quick.py --jobs 2
    python results/ranks/quick.py --summary > results/ranks/quick.md

Every variant is estimated in the shipped world with three seeds, and compared with the full estimate of
study.py. What is done is skipped; ``--worlds`` chooses other worlds.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from study import RESULTS, Study, call, experiment

from lslo_cli.method.languages import sample_directions
from lslo_cli.world import WORLD

WORLDS = ("shipped",)
SEEDS = (2, 3, 4)
CODES = tuple(WORLD)


def sampled(partners: int, seed: int) -> str:
    """The directions of a quick estimate in which each language has so many partners."""
    return ",".join(map(str, sample_directions(WORLD.values(), partners, seed)))


def variants(seed: int) -> dict[str, str]:
    """The flags of every variant by name; for gains alone nothing is pruned."""
    two = "--epochs 2 --set estimate-subspace.duration=1"
    return {
        "2 epochs": two,
        "1 epoch, unpruned": "--epochs 1 --target-ratio 0",
        "rank 2": "--rank 2",
        "6 partners": f"--directions {sampled(6, seed)}",
        "4 partners": f"--directions {sampled(4, seed)}",
        "2 partners": f"--directions {sampled(2, seed)}",
        "4 partners, 2 epochs": f"--directions {sampled(4, seed)} {two}",
    }


def folder(world: str, seed: int, variant: str) -> Path:
    return RESULTS / world / f"seed-{seed}-{variant.replace(', ', '-').replace(' ', '-')}"


def make(world: str, seed: int) -> None:
    """The full estimate of one world and seed, and all variants of it."""
    study = Study([world], [seed], ())
    study.make_base(world)
    study.estimate(world, seed)
    for variant, flags in variants(seed).items():
        made = folder(world, seed, variant)
        if not (made / "subspace.json").exists():
            common = f"{experiment(world, seed, made.name)} --index paper --resume --lr {study.rate('lslo')}"
            call(f"estimate-subspace {common} {flags}")


def table(worlds: Sequence[str]) -> str:
    """Spearman correlations with the full estimate, and relative cost, as Markdown."""
    from scipy.stats import spearmanr

    lines = [
        "# Cheaper estimates",
        "",
        "Cost is the target tokens trained on, over those of the full estimate. Gains and ranks are",
        f"Spearman correlations with the full estimate over twelve languages, means over {len(SEEDS)} seeds.",
        "",
    ]
    lines += ["| estimate | world | cost | gains | ranks |", "|" + " --- |" * 5]
    for world in worlds:
        full = {seed: read(RESULTS / world / f"seed-{seed}") for seed in SEEDS}
        pairs = list(combinations(SEEDS, 2))
        between = [spearmanr(full[one]["gains"], full[two]["gains"]).statistic for one, two in pairs]
        ranks = [spearmanr(full[one]["ranks"], full[two]["ranks"]).statistic for one, two in pairs]
        lines.append(f"| full, another seed | {world} | 1 | {fmean(between):.2f} | {fmean(ranks):.2f} |")
        for variant in variants(SEEDS[0]):
            found = {seed: read(folder(world, seed, variant)) for seed in SEEDS}
            cost = fmean(found[seed]["tokens"] / full[seed]["tokens"] for seed in SEEDS)
            cells = [
                fmean(spearmanr(found[seed][key], full[seed][key]).statistic for seed in SEEDS)
                for key in ("gains", "ranks")
            ]
            lines.append(f"| {variant} | {world} | {cost:.2f} | {cells[0]:.2f} | {cells[1]:.2f} |")
    return "\n".join(lines) + "\n"


def read(made: Path) -> dict:
    """Gains and ranks by language, and the target tokens that were trained on."""
    result = json.loads((made / "subspace.json").read_text())["result"]
    return {
        "gains": [result["gains"][code] for code in CODES],
        "ranks": [result["ranks"][code] for code in CODES],
        "tokens": sum(epoch["tokens"] for epoch in result["history"]),
    }


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before a job loads torch
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    worlds = options.worlds.split(",")
    if not options.summary:
        with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
            for made in [pool.submit(make, world, seed) for seed in SEEDS for world in worlds]:
                made.result()
    print(table(worlds), end="")


if __name__ == "__main__":
    main()
