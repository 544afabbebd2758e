"""Worker processes and the scripts that start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lslo_cli import processes

ROOT = Path(__file__).parents[1]

SCRIPT = """
print("the script runs")
from concurrent.futures import ProcessPoolExecutor
from lslo_cli import processes

processes.HEAVY.clear()
with ProcessPoolExecutor(2, processes.context()) as pool:
    print(sorted(pool.map(abs, [-2, 1])))
"""


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["the script runs", "[1, 2]"]


def test_an_interrupt_while_a_worker_starts_is_raised_when_it_has(monkeypatch):
    started: list[object] = []
    main = sys.modules["__main__"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def start(worker: object) -> None:
        signal.raise_signal(signal.SIGINT)
        started.append(worker)

    monkeypatch.setattr(processes.Worker.__mro__[1], "start", start)
    worker = processes.Worker()
    try:
        with pytest.raises(KeyboardInterrupt):
            worker.start()
        assert started == [worker]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert sys.modules["__main__"] is main
