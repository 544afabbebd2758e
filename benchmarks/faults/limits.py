"""Limits: too little memory, signals at random moments, closed and full outputs.

    python -m benchmarks.faults.limits --seed 1 --json results/benchmarks/faults/limits.json

Expected: the exit code (4 for memory, 128 plus the signal's number, 3 for a full output, 1 for a pipe without
a reader), a short message that says how to continue, existing files unchanged, and afterwards the bytes of an
undisturbed run.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.faults.disks import lost
from benchmarks.faults.forked import Ended, lslo
from benchmarks.faults.laboratory import Laboratory, Stage, contents
from benchmarks.faults.trials import Trials, main

STAGES = (
    "base train",
    "weight-learn",
    "train, over a run",
    "evaluate",
    "export, merged",
    "translate",
    "flare train",
)
MEMORY_KIB = (0, 64, 256, 1024, 4096)
"""KiB of address space for a stage beyond Python and its libraries: models are tiny."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOMENTS = 1
"""The number of random moments at which each signal is sent to a stage."""
ABORTS = {"low_level_alloc": "sentencepiece", "memory for thread-local data: ABORT": "the C library"}
"""Libraries that abort the process when out of memory, by their messages."""
OUTPUTS = ("closed", "full", "unread")
SHOWN = (
    ("--version",),
    ("recipe",),
    ("recipe", "demo"),
    ("train", "--help"),
    ("show", "results/small/subspace.json"),
    ("runs",),
    ("report", "results/small"),
    ("prune-report", "--recipe", "../recipe.toml", "--json"),
    ("translate", "--src", "qta", "--tgt", "qso", "-i", "../lines.txt", "--recipe", "../recipe.toml"),
)
"""Lines that print, after ``train``."""


def run(
    trials: Trials,
    folder: Path,
    seed: int,
    only: Sequence[str] = (),
    memory_kib: Sequence[int] = MEMORY_KIB,
    moments: int = MOMENTS,
) -> None:
    """Test every stage, or ``only`` these."""
    laboratory, chance = Laboratory.made(folder, tuple(only) or STAGES), random.Random(seed)
    for stage in trials.within(laboratory.stages):
        for kib in memory_kib:
            trial = laboratory.fresh(stage)
            ended = laboratory.run(stage, trial, fault=limiting(kib))
            judge(trials, laboratory, stage, trial, ended, "memory", 4, f"{kib} KiB")
        for number in SIGNALS:
            for _ in range(moments):
                interrupt(trials, laboratory, stage, number, chance.uniform(0.05, 0.9))
    if not only:
        terminals(trials, laboratory)


def limiting(kib: int) -> Callable[[], None]:
    """A fault: at most ``kib`` KiB beyond the memory of this process."""

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (kib << 10)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    return limit


def interrupt(trials: Trials, laboratory: Laboratory, stage: Stage, number: int, when: float) -> None:
    """Send a signal to a stage after a fraction of its time, twice in a row."""
    trial = laboratory.fresh(stage)
    running = laboratory.start(stage, trial, fault=hearing)
    time.sleep(when * laboratory.seconds(stage))
    for _ in range(2):
        running.signal(number)
        time.sleep(0.01)
    ended = running.ended()
    name = signal.Signals(number).name
    judge(trials, laboratory, stage, trial, ended, name, 128 + number, f"after {when:.0%}")


def hearing() -> None:
    """Let signals end this process as in a terminal, even under nohup."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def judge(
    trials: Trials,
    laboratory: Laboratory,
    stage: Stage,
    trial: Path,
    ended: Ended,
    fault: str,
    code: int,
    how: str,
) -> None:
    """Record how a stage ended, and whether it continues to the same bytes.

    A signal before the command handles it ends Python as any program.
    """
    tried = f"{fault}: {stage.name}"
    if ended.code == 0:
        return trials.note(tried, "done", laboratory.differences(stage, trial), how)
    if ended.code == -code + 128:
        return trials.note(tried, "before it began", (), how)
    for words, library in ABORTS.items():
        if words in ended.errors:
            return trials.note(tried, f"ended by {library}", (), how)
    wrong = ended.complaints(code)
    if fault != "memory" and "interrupted; " not in ended.errors:
        wrong.append(f"it does not say how to go on: {ended.errors}")
    wrong += lost(contents(laboratory.before(stage)), contents(trial), contents(laboratory.after(stage)))
    again = laboratory.run(stage, trial, *stage.resume)
    wrong += again.complaints(0) + (laboratory.differences(stage, trial) if not again.code else [])
    trials.note(tried, f"exit code {code}, then the same", wrong, how)


def terminals(trials: Trials, laboratory: Laboratory) -> None:
    """Print to an output that is closed, full, or without a reader."""
    stage = next(stage for stage in laboratory.stages if stage.name == "train, over a run")
    for arguments in trials.within(SHOWN):
        for output in OUTPUTS:
            trial = laboratory.fresh(stage)
            ended = lslo(*arguments, folder=trial, fault=printing_to(output))
            right = {"closed": (0, 3), "full": (3,), "unread": (1,)}[output]
            trials.note(f"output {output}", f"exit code {ended.code}", ended.complaints(*right), arguments[0])


def printing_to(output: str) -> Callable[[], None]:
    """A fault: stdout is closed, on a full disk, or a pipe without a reader."""

    def redirect() -> None:
        if output == "closed":
            return os.close(1)
        if output == "full":
            return _into(os.open("/dev/full", os.O_WRONLY))
        reading, writing = os.pipe()
        os.close(reading)
        _into(writing)

    return redirect


def _into(descriptor: int) -> None:
    os.dup2(descriptor, 1)


if __name__ == "__main__":
    main(__doc__, run)
