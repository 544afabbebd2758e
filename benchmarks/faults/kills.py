"""Kills: every stage is killed before changes to the disk and at random moments, and run again.

    python -m benchmarks.faults.kills --seed 1 --json results/benchmarks/faults/kills.json

Expected: the second run ends with the bytes of an undisturbed one, and nothing else is left. Keys of an
artifact that describe the run, such as its seconds, do not count.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.changes import killing
from benchmarks.faults.laboratory import Laboratory, Stage
from benchmarks.faults.trials import Trials, main

AT_CHANGES, AT_RANDOM, OF_TWO_JOBS = 20, 3, 6
"""Numbers of kills of a stage before changes and at random moments, and of ``reproduce --jobs 2``."""
TWO_JOBS = ("--jobs", "2")


def run(
    trials: Trials,
    folder: Path,
    seed: int,
    only: Sequence[str] = (),
    at_changes: int = AT_CHANGES,
    at_random: int = AT_RANDOM,
    of_two_jobs: int = OF_TWO_JOBS,
) -> None:
    """Kill every stage, or ``only`` these."""
    laboratory, chance = Laboratory.made(folder, tuple(only)), random.Random(seed)
    planned = [
        (stage, at)
        for stage in laboratory.stages
        for at in (*chosen(len(laboratory.changes(stage)), at_changes, chance), *[None] * at_random)
    ]
    for stage, at in trials.within(planned):
        kill(trials, laboratory, stage, at, chance)
    for stage in laboratory.stages:
        if stage.name == "reproduce":
            for _ in trials.within(range(of_two_jobs)):
                kill(trials, laboratory, stage, None, chance, TWO_JOBS)


def chosen(changes: int, most: int, chance: random.Random) -> list[int]:
    """Numbers of changes to kill before: the first, the last, and a random sample between them."""
    if changes <= most:
        return list(range(1, changes + 1))
    return [1, *sorted(chance.sample(range(2, changes), most - 2)), changes]


def kill(
    trials: Trials,
    laboratory: Laboratory,
    stage: Stage,
    at: int | None,
    chance: random.Random,
    more: Sequence[str] = (),
) -> None:
    """Kill a stage before change ``at`` or after some seconds, run it again and compare."""
    trial = laboratory.fresh(stage)
    if at is None:
        longest = laboratory.seconds(stage) * (3 if more else 1)
        after = chance.uniform(0, longest)
        moment, ended = f"after {after:.2f} s", laboratory.run(stage, trial, *more, kill_after=after)
    else:
        moment, ended = f"at change {at}", laboratory.run(stage, trial, *more, fault=killing(trial, at))
    name = " ".join((stage.name, *more))
    if not ended.was_killed:
        return trials.note(name, "done before", ended.complaints(0), moment)
    again = laboratory.run(stage, trial, *more, *stage.resume)
    is_there = again.code == 2 and "exists already" in again.message  # an export does not write over another
    wrong = again.complaints(2 if is_there else 0)
    wrong += laboratory.differences(stage, trial) if not again.code or is_there else []
    trials.note(name, "the same" if at is None else "the same (at a change)", wrong, moment)


if __name__ == "__main__":
    main(__doc__, run)
