"""The memory of the machine that this process may still take, by the limits of its container or job too."""

from __future__ import annotations

import math
import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
VERSION_2 = "memory.max", "memory.current", "inactive_file"
"""By version of control groups: the files of limit and usage, and the line of memory.stat for caches."""


def free_machine_memory() -> int:
    """Free bytes of the machine's memory, or fewer where the process may not take as many.

    The system's caches count as free if it reports them, as Linux does.
    """
    if MEMINFO.exists():
        fields = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        free = int(fields["MemAvailable"].removesuffix("kB")) * 1024
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return int(min(free, _left_by_groups()))


def _left_by_groups() -> float:
    """Bytes that the control groups of this process leave it; infinite without a limit."""
    left = [math.inf]
    for line in OWN_GROUPS.read_text().splitlines() if OWN_GROUPS.exists() else ():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            root, files = GROUPS / "memory", VERSION_1
        elif not controllers:
            root, files = GROUPS, VERSION_2
        else:
            continue
        group = root / path.lstrip("/")  # which a container need not see, unlike those above it
        above = [each for each in group.parents if each.is_relative_to(root)]
        left += [_left(each, *files) for each in (group, *above)]
    return min(left)


def _left(group: Path, limit: str, usage: str, caches: str) -> float:
    """Bytes that one group leaves; infinite if it has no limit or is not there."""
    try:
        most = float((group / limit).read_text().replace("max", "inf"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, most - int((group / usage).read_text()) + int(stat.get(caches, 0)))
    except (OSError, ValueError):
        return math.inf
