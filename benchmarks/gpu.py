"""All benchmarks of a GPU, one after the other, within the given minutes.

    python -m benchmarks.gpu [--minutes 20] [--json results/benchmarks/h100.json]

The most important ones come first. Each section runs in its own process, so that one that fails, hangs or
leaves the device unusable stops no other; the reason is written in place of its rows. After a failure,
Triton's kernels are measured by name only, and ``auto`` no longer chooses them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import measure
from benchmarks.models import SHAPES
from benchmarks.targets import projection, targets

KERNELS = ", (runs|masked|triton)$"
"""The names of variants of a step with a kernel."""


@dataclass(frozen=True)
class Section:
    """A function of a module here, its settings, and its time limit in seconds, imports included."""

    seconds: float
    module: str
    function: str = "run"
    given: tuple[str, ...] = ("shape", "device", "dtype", "repeats")
    settings: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, given: argparse.Namespace) -> Any:
        """Measure, in this process."""
        call = getattr(import_module(f"benchmarks.{self.module}"), self.function)
        return call(**{name: getattr(given, name) for name in self.given} | self.settings)


SECTIONS = {
    "rates": Section(60, "rates", given=("device", "dtype")),
    "sites": Section(150, "sites"),
    "train_step": Section(240, "train_step", settings={"only": f"^(?!.*{KERNELS})"}),
    "kernels": Section(180, "train_step", settings={"only": KERNELS}),
    "decode": Section(240, "decode", settings={"repeats": 1, "strict": False}),
    "pipeline": Section(120, "pipeline", given=("shape", "device", "dtype")),
    "loss": Section(60, "loss"),
    "stacks": Section(90, "stacks"),
    "tiles": Section(120, "sites", function="run_tiles"),
    "decode in float32": Section(240, "decode", settings={"dtype": "float32", "repeats": 1, "strict": False}),
    "compiled stacks": Section(240, "stacks", settings={"compiled": True}),
}
"""In order of importance, since all together may exceed the time."""

LEAST_SECONDS = 15
"""The time that a section needs for imports and models."""


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Run, print and write sections while time is left."""
    start = time.monotonic()
    sections: dict[str, Any] = {}
    written = {
        "machine": measure.machine(given.device),
        "shape": given.shape,
        "dtype": given.dtype,
        "sections": sections,
    }
    for name in given.only or SECTIONS:
        print(f"\n{name}, {given.shape}", flush=True)
        began = time.monotonic()
        left = start + 60 * given.minutes - began
        outcome = in_process(name, given, left) if left > LEAST_SECONDS else {"failed": "no time was left"}
        sections[name] = {"seconds": time.monotonic() - began} | outcome
        given.without_triton |= "failed" in outcome
        print(measure.tables(outcome["rows"]) if "rows" in outcome else outcome["failed"], flush=True)
        written |= summary({name: one["rows"] for name, one in sections.items() if "rows" in one})
        written["minutes"] = (time.monotonic() - start) / 60
        measure.write_json(given.json, written)
    print(f"\ntargets\n{measure.table(written['targets'])}")
    if "lang12 study" in written:
        print(f"\n{measure.table([written['lang12 study']])}")
    return written


def summary(results: Mapping[str, Any]) -> dict[str, Any]:
    """The targets and the hours of a study, by the sections so far."""
    found: dict[str, Any] = {"targets": targets(results)}
    if {"pipeline", "decode"} <= set(results):
        found["lang12 study"] = projection(results)
    return found


def in_process(name: str, given: argparse.Namespace, left: float) -> dict[str, Any]:
    """The rows of a section, measured in a new process, or the reason why there are none."""
    seconds = min(SECTIONS[name].seconds, left)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--section", name, "--json", str(path)]
        for flag in ("shape", "device", "dtype", "repeats"):
            command += [f"--{flag}", str(getattr(given, flag))]
        if given.without_triton:
            command.append("--without-triton")
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return {"failed": f"took longer than {seconds:.0f} seconds"}
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        return {"failed": f"ended with {ended.returncode}: {ended.stderr.strip()[-300:]}"}


def measure_section(given: argparse.Namespace) -> None:
    """Measure one section, in this process, and write its rows or the reason why there are none."""
    try:
        if given.without_triton:
            leave_out_triton()
        outcome = {"rows": SECTIONS[given.section].rows(given)}
    except Exception as error:  # the other sections still run
        outcome = {"failed": measure.reason(error)}
    measure.write_json(given.json, outcome)


def leave_out_triton() -> None:
    """Let ``auto`` choose as it does without Triton."""
    from lslo_cli.method.adapters import AdapterKernel
    from lslo_cli.nn import products

    products.CASES = tuple(case for case in products.CASES if case.kernel is not AdapterKernel.TRITON)


def parse() -> argparse.Namespace:
    flags = measure.parser(__doc__, tuple(SHAPES))
    flags.set_defaults(shape="615M", json=Path("results/benchmarks/h100.json"), repeats=5)
    flags.add_argument("--minutes", type=float, default=20.0, help="start no section after that time")
    flags.add_argument("--only", nargs="+", choices=SECTIONS, help="sections to measure, by default all")
    flags.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    flags.add_argument("--without-triton", action="store_true", help=argparse.SUPPRESS)
    return measure.parse(flags)


def main() -> None:
    given = parse()
    if given.section:
        measure_section(given)
    else:
        run(given)


if __name__ == "__main__":
    main()
