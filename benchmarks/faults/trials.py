"""The common parts of the scripts: flags, a time limit, and the record of trials and outcomes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks.measure import table, write_json
from lslo_cli.artifacts.provenance import Stopwatch

T = TypeVar("T")


@dataclass
class Trials:
    """Outcomes of trials by kind, and every fault found."""

    deadline: float = float("inf")
    """The time at which :meth:`within` stops, by ``time.monotonic``."""
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, tried: str, outcome: str, complaints: Iterable[str] = (), trial: str = "") -> None:
        """Count a trial, and record its faults."""
        wrong = list(complaints)
        self.outcomes.setdefault(tried, Counter())["fault" if wrong else outcome] += 1
        self.faults += [f"{tried}, {trial}: {each}" for each in wrong]
        print(f"{tried}, {trial}: {'; '.join(wrong) or outcome}", file=sys.stderr, flush=True)

    def within(self, trials: Iterable[T]) -> Iterator[T]:
        """Trials until the time limit."""
        for trial in trials:
            if time.monotonic() > self.deadline:
                return
            yield trial

    @property
    def total(self) -> int:
        return sum(counts.total() for counts in self.outcomes.values())

    def rows(self) -> list[dict[str, object]]:
        """A row for each kind of trial, a column for each outcome."""
        columns = dict.fromkeys(name for counts in self.outcomes.values() for name in sorted(counts))
        return [
            {"tried": tried} | {name: counts[name] for name in columns}
            for tried, counts in self.outcomes.items()
        ]


def main(description: str | None, run: Callable[[Trials, Path, int, Sequence[str]], object]) -> None:
    """Run a script, ``run(trials, folder, seed, only)`` in a temporary folder; exits with 1 after a fault."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="start no trial after that time")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="stages or kinds to try")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    given = parser.parse_args()
    source, started = Stopwatch(), datetime.now(UTC).date().isoformat()
    trials = Trials(time.monotonic() + 60 * given.minutes)
    with laboratory_folder() as folder:
        run(trials, folder, given.seed, given.only)
    print(table(trials.rows()))
    print(f"{trials.total} trials, {len(trials.faults)} faults")
    if given.json:
        head = {"date": started, "commit": source.commit, "dirty": source.dirty, "seed": given.seed}
        write_json(
            given.json, {**head, "trials": trials.total, "rows": trials.rows(), "faults": trials.faults}
        )
    raise SystemExit(bool(trials.faults))


@contextmanager
def laboratory_folder() -> Iterator[Path]:
    """A temporary folder to work in."""
    with tempfile.TemporaryDirectory(prefix="lslo-faults-") as folder:
        yield Path(folder).resolve()
