"""Disks: every stage on disks that become full after some bytes or at each of its writes, or are read only.

    python -m benchmarks.faults.disks --seed 1 --json results/benchmarks/faults/disks.json

Expected: exit code 3 and a message with the cause ("disk full"), existing files unchanged, and the bytes of
an undisturbed run once there is space again. The disks are tmpfs in a mount namespace of this process; if
none may be mounted, only single writes fail.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.changes import failing
from benchmarks.faults.forked import Ended
from benchmarks.faults.kills import chosen
from benchmarks.faults.laboratory import Laboratory, Stage, contents
from benchmarks.faults.trials import Trials, main
from lslo_cli.artifacts.folder import METRICS

FREE_KIB = (0, 4, 8, 16, 32, 64, 128, 256)
"""Free KiB on the disk of a stage."""
AT_WRITES = 4
"""The number of writes of a stage at which the disk becomes full."""

Contents = dict[str, object]


def run(
    trials: Trials,
    folder: Path,
    seed: int,
    only: Sequence[str] = (),
    free_kib: Sequence[int] = FREE_KIB,
    at_writes: int = AT_WRITES,
) -> None:
    """Test every stage, or ``only`` these, on all disks."""
    laboratory, chance = Laboratory.made(folder, tuple(only)), random.Random(seed)
    for stage in trials.within(laboratory.stages):
        for at in chosen(len(laboratory.changes(stage)), at_writes, chance):
            trial = laboratory.fresh(stage)
            ended = laboratory.run(stage, trial, fault=failing(trial, at))
            judge(trials, laboratory, stage, trial, ended, "disk full at a write", f"from change {at} on")
    if free_kib and not own_mounts():
        return print("no file system may be mounted here: only single writes were tested")
    for stage in trials.within(laboratory.stages if free_kib else ()):
        for kib in free_kib:
            with disk(laboratory, stage, kib) as trial:
                ended = laboratory.run(stage, trial)
                full = used(trial) / 1024
                mount(trial, "remount,size=256m")
                judge(trials, laboratory, stage, trial, ended, "tmpfs", f"{kib} KiB, {full:.0f} used")
        with disk(laboratory, stage, 1024) as trial:
            mount(trial, "remount,ro")
            ended = laboratory.run(stage, trial)
            mount(trial, "remount,rw,size=256m")
            judge(trials, laboratory, stage, trial, ended, "read only", "")


def judge(
    trials: Trials, laboratory: Laboratory, stage: Stage, trial: Path, ended: Ended, disk: str, how: str
) -> None:
    """Record how a stage ended on a disk, and whether it succeeds with more space."""
    if ended.code == 0:
        return trials.note(f"{disk}: {stage.name}", "had room", laboratory.differences(stage, trial), how)
    wrong = ended.complaints(3)
    says = ("read-only", "cannot") if disk == "read only" else ("disk full",)
    if not any(word in ended.message.lower() for word in says):
        wrong.append(f"the message does not say why: {ended.message}")
    wrong += lost(contents(laboratory.before(stage)), contents(trial), contents(laboratory.after(stage)))
    again = laboratory.run(stage, trial, *stage.resume)
    wrong += again.complaints(0) + (laboratory.differences(stage, trial) if not again.code else [])
    trials.note(f"{disk}: {stage.name}", "refused, then the same", wrong, how)


def lost(before: Contents, now: Contents, after: Contents) -> list[str]:
    """The files before a stage that are neither there, perhaps moved, nor replaced by complete new ones."""
    kept = [result_of(content) for content in now.values()]
    return [
        f"{name} was lost or changed"
        for name, content in before.items()
        if not name.endswith(METRICS)  # of the newest attempt
        and result_of(content) not in kept
        and now.get(name, before) != after.get(name)
    ]


def result_of(content: object) -> object:
    """An artifact's result, whatever its path; any other file whole."""
    return content.get("result", content) if isinstance(content, dict) else content


@contextmanager
def disk(laboratory: Laboratory, stage: Stage, kib: int) -> Iterator[Path]:
    """A folder on its own disk, with the state before a stage and space for ``kib`` KiB more."""
    trial = laboratory.fresh(stage)
    mount(trial, "size=256m", new=True)
    try:
        shutil.copytree(laboratory.before(stage), trial, dirs_exist_ok=True)
        mount(trial, f"remount,size={used(trial) + 1024 * kib or 1}")
        yield trial
    finally:
        call("umount2", os.fsencode(trial), 2)


def used(folder: Path) -> int:
    """The used bytes of a disk."""
    stat = os.statvfs(folder)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def own_mounts() -> bool:
    """Give this process its own mount namespace, whose disks end with it; False if it may not."""
    new_namespace, private = 0x00020000, 1 << 18 | 1 << 14
    try:
        call("unshare", new_namespace)
        call("mount", b"none", b"/", None, private, None)
    except (OSError, AttributeError):
        return False
    return True


def mount(folder: Path, options: str, new: bool = False) -> None:
    """Mount a tmpfs on a folder, or mount it again with other options."""
    flags = (0 if new else 32) | ("ro" in options.split(","))
    kept = ",".join(word for word in options.split(",") if word not in ("remount", "ro", "rw"))
    call("mount", b"none", os.fsencode(folder), b"tmpfs", flags, kept.encode() or None)


def call(name: str, *arguments: object) -> None:
    """Call the system. Raises OSError."""
    function: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, errno.errorcode.get(code, ""), name)


if __name__ == "__main__":
    main(__doc__, run)
