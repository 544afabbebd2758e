"""Jobs on a real Slurm: ``.ci/slurm`` starts one on this machine and runs these tests in it.

What the commands say is printed, so ``-rP`` shows how such a run looks.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lslo_cli
from lslo_cli.reproduce import execute, find_targets, jobs_of, only
from tests.reproduce.test_killing import left_behind, results_of

pytestmark = pytest.mark.slurm

PART = "2-2-8-gps0.9"
LONGER = {
    "fit.epochs": 30, "fit.max_tokens": 600, "data.train_rows": 2, "data.dev_rows": 20,
    "evaluate.max_new_tokens": 12,
}  # fmt: skip
"""Many short epochs: time enough to interfere, and a checkpoint after each."""
PATIENCE = 600.0
"""Seconds that anything may take on a busy machine."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def slurm(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def states() -> dict[str, str]:
    """The state of every job by number, of those that ended too."""
    said = slurm("squeue", "--states=all", "--noheader", "--format=%i %T")
    return dict(line.split() for line in said.splitlines())


class Study:
    """One line of ``lslo reproduce --on slurm``, typed again and again."""

    def __init__(self, recipe: str, results: Path, settings: dict[str, object]):
        self.folder = results / "small"
        assigned = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.words = ["reproduce", "table-3", "--recipe", recipe, "--only", PART, *assigned, "--on", "slurm"]
        self.words += ["--results", str(results)]
        self.surroundings = {**os.environ, "PYTHONPATH": str(Path(lslo_cli.__file__).parents[1])}

    def type(self) -> subprocess.Popen[str]:
        """The line as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "lslo_cli", *self.words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self.surroundings,
            cwd=self.folder.parents[1],
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # or it may be ignored
        )

    def end(self, typed: subprocess.Popen[str], code: int) -> str:
        """What the line said, once it has ended with this exit code."""
        said = typed.communicate(timeout=PATIENCE)[1]
        print(f"$ lslo reproduce table-3 --recipe small.toml --only {PART} --on slurm  # {code}\n{said}")
        assert typed.returncode == code, said
        return said

    def log(self, name: str) -> str:
        path = self.folder / "logs" / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def study(small, tmp_path) -> Iterator[Callable[..., Study]]:
    """Makes a study; its jobs end with the test."""
    yield lambda **settings: Study(small, tmp_path / "results", {**LONGER, **settings})
    if left := [number for number, state in states().items() if state in ("PENDING", "RUNNING")]:
        slurm("scancel", *left)


def test_jobs_outlive_who_watches_and_go_on_after_they_were_killed(study, small, tmp_path):
    given = study()
    checkpoints = {
        "weight-learn": given.folder / "checkpoint" / "weight-learn" / "state.pt",
        PART: given.folder / "runs" / PART / "checkpoint" / "state.pt",
    }

    watching = given.type()
    until(checkpoints["weight-learn"].exists, "the first epoch of weight learning")
    (learning,) = (number for number, state in states().items() if state == "RUNNING")
    slurm("scontrol", "suspend", learning)  # so that it does not end before the next line has begun
    watching.send_signal(signal.SIGINT)
    said = given.end(watching, 130)
    assert "2 jobs submitted, 0 in the queue already, 0 up to date" in said
    ((stays, training),) = re.findall(r"still with Slurm: 2 jobs; .* `scancel (\d+) (\d+)` to cancel", said)
    assert stays == learning and states()[learning] == "SUSPENDED"

    watching = given.type()
    first = watching.stderr.readline()
    print(first, end="")
    assert first == "0 jobs submitted, 2 in the queue already, 0 up to date\n"
    slurm("scontrol", "resume", learning)
    slurm("scancel", learning)
    said = given.end(watching, 4)
    assert f"small/weight-learn: job {learning} ended as CANCELLED, log in {given.folder}/logs/" in said
    assert states()[training] == "CANCELLED"
    assert "interrupted" in given.log("weight-learn")

    watching = given.type()
    until(checkpoints[PART].exists, "the first epoch of training")
    (training,) = (number for number, state in states().items() if state == "RUNNING")
    slurm("scancel", "--signal=KILL", "--batch", training)
    said = given.end(watching, 4)
    assert f"small/{PART}: job {training} ended as FAILED, log in " in said
    assert re.search(r"resuming weight learning after epoch \d+ of 30", given.log("weight-learn"))

    said = given.end(given.type(), 0)
    assert "1 job submitted, 0 in the queue already, 1 up to date" in said
    assert re.search(rf"resuming training {PART} after epoch \d+ of 30", given.log(PART))
    for name in checkpoints:
        print(f"$ cat out/small/logs/{name}.log\n{given.log(name)}")
    said = given.end(given.type(), 0)
    assert "0 jobs submitted, 0 in the queue already, 2 up to date" in said

    jobs = jobs_of(find_targets(["table-3"], small, LONGER), tmp_path / "undisturbed", (), "lslo test")
    execute(only(jobs, [PART]))
    assert results_of(given.folder) == results_of(tmp_path / "undisturbed" / "small")
    assert not left_behind(given.folder)


@pytest.mark.slow
def test_a_job_that_is_out_of_time_goes_on_from_its_checkpoint(study):
    given = study(**{"slurm.time": 3, "fit.epochs": 100_000})
    said = given.end(given.type(), 4)
    assert "ended as TIMEOUT" in said and "give it more time in [slurm]" in said
    watching = given.type()
    until(lambda: "resuming weight learning after epoch" in given.log("weight-learn"), "the same line again")
    watching.send_signal(signal.SIGINT)
    said = given.end(watching, 130)
    slurm("scancel", *re.search(r"`scancel ([\d ]+)`", said)[1].split())
    print(f"$ cat out/small/logs/weight-learn.log\n{given.log('weight-learn')}")


def test_what_slurm_refuses_is_said_in_its_words(study):
    said = study(**{"slurm.partition": "nowhere"})
    said = said.end(said.type(), 4)
    assert "error: sbatch failed: " in said and "nvalid partition" in said
    assert not [state for state in states().values() if state in ("PENDING", "RUNNING")]


def test_a_job_has_the_gpu_that_it_asks_for(tmp_path):
    from lslo_cli.recipe import SlurmResources
    from lslo_cli.reproduce.slurm import Submission, queued_jobs, sbatch_options, submit

    options = sbatch_options(SlurmResources(gpus=1, cpus=1, time="5", memory="100M"), computes=True)
    log = tmp_path / "in 100%" / "a log"
    number = submit(
        Submission("a job.1234", log, ("sh", "-c", "echo $SLURM_JOB_GPUS,$0", "a b"), options), []
    )
    until(lambda: number in [job.number for job in queued_jobs() if job.state == "COMPLETED"], "the job")
    assert log.read_text() == "0,a b\n"
    assert "a job.1234" in [job.name for job in queued_jobs()]
