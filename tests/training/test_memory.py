"""The memory that may be taken: the machine's, or less where a container or a job has a limit."""

import pytest

from lslo_cli.training import memory
from lslo_cli.training.memory import VERSION_1, VERSION_2, free_machine_memory

GIB = 2**30
MACHINE = 64 * GIB


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 64 GiB to be had, whose control groups are files by path."""
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "cgroup")
    (tmp_path / "meminfo").write_text(
        f"MemTotal: 1 kB\nMemAvailable: {MACHINE // 1024} kB\nHugePages_Total: 0\n"
    )

    def machine(own, groups, version):
        (tmp_path / "own").write_text(own)
        limit, usage, caches = version
        for path, (most, used, cached) in groups.items():
            folder = tmp_path / "cgroup" / path
            folder.mkdir(parents=True, exist_ok=True)
            (folder / limit).write_text(f"{most}\n")
            (folder / usage).write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"anon 5\n{caches} {cached}\n")
        return free_machine_memory()

    return machine


OF_VERSION_1 = "7:cpu,cpuacct:/docker/4f\n5:memory:/docker/4f\n1:name=systemd:/docker/4f\n0::/docker/4f\n"


@pytest.mark.parametrize(
    ("own", "groups", "version", "free"),
    [
        ("0::/\n", {"": (8 * GIB, 3 * GIB, GIB)}, VERSION_2, 6 * GIB),
        ("0::/user/job\n", {"user/job": (8 * GIB, 3 * GIB, 0)}, VERSION_2, 5 * GIB),
        ("0::/user/job\n", {"user/job": ("max", GIB, 0), "user": (4 * GIB, GIB, 0)}, VERSION_2, 3 * GIB),
        ("0::/user/job\n", {"user/job": (9 * GIB, GIB, 0), "user": (4 * GIB, GIB, 0)}, VERSION_2, 3 * GIB),
        ("0::/\n", {"": ("max", GIB, 0)}, VERSION_2, MACHINE),
        ("0::/\n", {"": (128 * GIB, GIB, 0)}, VERSION_2, MACHINE),
        ("0::/\n", {"": (GIB, 2 * GIB, 0)}, VERSION_2, 0),
        ("0::/../elsewhere\n", {"": (8 * GIB, GIB, 0)}, VERSION_2, 7 * GIB),
        (OF_VERSION_1, {"memory/docker/4f": (8 * GIB, 3 * GIB, GIB)}, VERSION_1, 6 * GIB),
        (OF_VERSION_1, {"memory": (8 * GIB, 3 * GIB, GIB)}, VERSION_1, 6 * GIB),
        (OF_VERSION_1, {"memory": (2**63 - 4096, GIB, 0)}, VERSION_1, MACHINE),
    ],
)
def test_the_smallest_limit_counts_and_caches_are_free(machine, own, groups, version, free):
    assert machine(own, groups, version) == free


@pytest.mark.parametrize(
    ("own", "limit"), [("", 8), ("3:pids:/\n", 8), ("0::/\n", "damaged"), ("0::/\n", "")]
)
def test_without_a_readable_limit_it_is_the_machines(machine, own, limit):
    assert machine(own, {"": (limit, 4, 0)}, VERSION_2) == MACHINE


def test_a_system_without_these_files_has_half_of_its_memory(machine, tmp_path, monkeypatch):
    (tmp_path / "meminfo").unlink()
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.get)
    assert free_machine_memory() == 4096 * 500
