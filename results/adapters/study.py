"""The study of how adapters are made: both spans and both starts on the built-in world, each at its own rate.

    python results/adapters/study.py                          # everything, one process
    python results/adapters/study.py --forms uniform-all      # several processes share the forms
    python results/adapters/summary.py                        # tables of what is there

Run it in the root of a checkout, any number of times: what is done is skipped, and what was interrupted goes
on after its last epoch. Every command runs on one thread. ``--dry-run`` prints the commands.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

RESULTS = Path("results/adapters")
FORMS = {
    f"{start}-{span}": f"--set adapters.initialisation={start} --set adapters.span={span}"
    for span in ("d_model", "all")
    for start in ("uniform", "gaussian")
}
"""How A starts, and the units of the feed-forward block that an adapter works on."""
SEEDS = (2, 3, 4)
TUNING_SEED = 1
RATES = (5e-4, 1e-3, 2e-3, 3e-3, 6e-3)
FULL_RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3)
RUNS = {
    "8-8-8": "--ranks 8,8,8 --gps 0",
    "2-2-8": "--ranks 2,2,8 --gps 0",
    "2-2-8-gps0.9": "--ranks 2,2,8 --gps 0.9",
}
TUNED = "--ranks 2,2,8 --gps 0.9 --index paper"
"""What the learning rate of a form is chosen for."""


def lslo(command: str, makes: Path, dry_run: bool) -> None:
    """Run a command that leaves a file, unless it is there."""
    if makes.exists():
        return
    print(f"lslo {command}", flush=True)
    if not dry_run:
        program = [sys.executable, "-m", "lslo_cli", *shlex.split(command)]
        subprocess.run(program, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)


def experiment(form: str, seed: int) -> str:
    """The flags that choose an experiment."""
    common = "--set train.curve_rows=0"
    place = f"--results {RESULTS / form} --name seed-{seed} --seed {seed}"
    return f"--recipe demo {place} {FORMS.get(form, '')} {common}"


def dev_losses(form: str, rates: tuple[float, ...], dry_run: bool) -> dict[float, float]:
    """The loss on dev rows after the last epoch, by learning rate."""
    flags = "--method full --gps 0" if form == "full" else TUNED
    losses = {}
    for rate in rates:
        run = f"lr{rate:g}"
        makes = RESULTS / form / f"seed-{TUNING_SEED}" / "runs" / run / "training.json"
        lslo(
            f"train {experiment(form, TUNING_SEED)} {flags} --lr {rate} --run {run} --resume", makes, dry_run
        )
        if makes.exists():
            losses[rate] = json.loads(makes.read_text())["result"]["dev_losses"][-1]
    return losses


def best(losses: dict[float, float], otherwise: float) -> float:
    """The rate with the lowest loss."""
    return min(losses, key=losses.__getitem__, default=otherwise)


def make(form: str, dry_run: bool) -> None:
    """Tune a form, then learn its index, estimate its subspaces, train its runs and score them, by seed.

    Index and estimate are made at the recipe's learning rate, the runs at the tuned one.
    """
    rate = best(dev_losses(form, RATES, dry_run), 3e-3)
    for seed in SEEDS:
        folder = RESULTS / form / f"seed-{seed}"
        common = experiment(form, seed)
        lslo(f"weight-learn {common} --resume", folder / "index-strategy.json", dry_run)
        lslo(f"estimate-subspace {common} --resume", folder / "subspace.json", dry_run)
        for run, flags in RUNS.items():
            made = folder / "runs" / run
            lslo(f"train {common} {flags} --lr {rate} --run {run} --resume", made / "training.json", dry_run)
            lslo(f"evaluate {experiment(form, seed)} --run {run}", made / "evaluation.json", dry_run)


def make_full(dry_run: bool) -> None:
    """The base and full fine-tuning, which know nothing of forms."""
    rate = best(dev_losses("full", FULL_RATES, dry_run), 5e-4)
    for seed in SEEDS:
        runs = RESULTS / "full" / f"seed-{seed}" / "runs"
        lslo(f"evaluate {experiment('full', seed)} --run base", runs / "base/evaluation.json", dry_run)
        lslo(
            f"train {experiment('full', seed)} --method full --gps 0 --lr {rate} --run full --resume",
            runs / "full/training.json",
            dry_run,
        )
        lslo(f"evaluate {experiment('full', seed)} --run full", runs / "full/evaluation.json", dry_run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--forms", default=",".join([*FORMS, "full"]))
    parser.add_argument("--rates-only", action="store_true", help="only choose the learning rates")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    for form in options.forms.split(","):
        if options.rates_only:
            rates = FULL_RATES if form == "full" else RATES
            print(form, dev_losses(form, rates, options.dry_run))
        elif form == "full":
            make_full(options.dry_run)
        else:
            make(form, options.dry_run)


if __name__ == "__main__":
    main()
