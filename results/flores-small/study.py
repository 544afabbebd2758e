"""The study on real languages, from the base model to the figures, in as many calls as it takes.

    python results/flores-small/study.py --recipe flores-small --pretrain pretrain.tar.xz --flores flores101

Run it in the root of a checkout. What is finished is kept, and what was interrupted goes on after its last
epoch, so the same line continues a study that was stopped, by its ``--minutes`` or otherwise. Where only
files of limited size outlast a call, ``--pack FOLDER`` leaves base model and results there in chunks, and
``--unpack FOLDER`` begins from them. ``--dry-run`` prints what is left to do as lines for a shell.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNFINISHED = 75
"""Exit code where the time was up: EX_TEMPFAIL, call again."""

GRACE = 60.0
"""Seconds that a command has to end after it was interrupted."""

RESULTS = Path("results/flores-small")
"""Where the experiments lie, each in a folder named after its recipe."""

HIGH_ONLY = {"bible": {"eng.txt", "fra.txt", "deu.txt", "ita.txt"}}
"""Sections that only the high-resource languages keep.

With its 31,000 verses Wolof would be as rich as Korean. Without them the lines per language fall from high to
very-low, as in the bitext that M2M-124 was trained on.
"""

RUNS = {
    "full": "--method full --gps 0",
    "8-8-8": "--ranks 8,8,8 --gps 0",
    "2-2-8": "--ranks 2,2,8 --gps 0",
    "2-2-8-gps0.9": "--ranks 2,2,8 --gps 0.9",
}


@dataclass(frozen=True)
class Step:
    """A command, and the file that is there when it is done."""

    command: str
    makes: Path


@dataclass(frozen=True)
class Study:
    """Where the parts of a study lie, by the name of its recipe; all paths are relative to the checkout."""

    recipe: str
    bitext: Path
    flores: Path

    @property
    def model(self) -> Path:
        return Path("models", self.recipe)

    @property
    def results(self) -> Path:
        return RESULTS / self.recipe

    @property
    def environment(self) -> dict[str, str]:
        """What every command but the base's takes from the environment."""
        return {
            "LSLO_RECIPE": self.recipe,
            "LSLO_MODEL": self.model.as_posix(),
            "LSLO_DATA": self.flores.as_posix(),
            "LSLO_RESULTS": RESULTS.as_posix(),
        }

    def steps(self) -> Iterator[Step]:
        """All commands, in their order."""
        base = f"base train --recipe {self.recipe}-base --data {self.bitext} --out {self.model} --resume"
        yield Step(base, self.model / "training.json")
        yield Step("weight-learn --resume", self.results / "index-strategy.json")
        yield Step("estimate-subspace --resume", self.results / "subspace.json")
        yield Step("evaluate --run base", self.results / "runs/base/evaluation.json")
        for run, flags in RUNS.items():
            folder = self.results / "runs" / run
            yield Step(f"train {flags} --run {run} --resume", folder / "training.json")
            yield Step(f"evaluate --run {run}", folder / "evaluation.json")
        yield Step("prune-report --run 2-2-8-gps0.9", self.results / "prune-report.json")
        for figure in ("weights", "heatmap", "matrices", "epochs"):
            yield Step(f"plot {figure}", self.results / "figures" / f"{figure}.png")


def main(arguments: list[str] | None = None) -> int:
    """Run what is left of the study; returns an exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background would ignore it
    options = parser().parse_args(arguments)
    study = Study(options.recipe, Path("data/bitext"), Path("data/flores101"))
    deadline = time.monotonic() + 60 * options.minutes
    if options.unpack:
        unpack(options.unpack)
    left = [step for step in study.steps() if not step.makes.exists()]
    if options.dry_run:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in study.environment.items()))
        print("\n".join(f"lslo {step.command}" for step in left))
        return 0
    link(options.flores, study.flores)
    link_bitext(options.pretrain, study.bitext)
    code = 0
    for step in left:
        if code := run(step, study.environment, options.settings, deadline):
            break
    if options.pack:
        pack(study, options.pack, options.chunk)
    if code == UNFINISHED:
        print("the time is up; the same line goes on from here", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="flores-small", help="its base is RECIPE-base")
    parser.add_argument("--pretrain", type=Path, default=Path("pretrain"), help="sections, or .tar.xz")
    parser.add_argument("--flores", type=Path, default=Path("flores101"), help="folder with dev and devtest")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop in good order before that")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that are left")
    parser.add_argument("--pack", type=Path, help="leave base and results in this folder, in chunks")
    parser.add_argument("--chunk", type=float, default=15.0, help="size of a chunk in MiB")
    parser.add_argument("--unpack", type=Path, help="begin with what --pack left in this folder")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="KEY=VALUE for all")
    return parser


def run(step: Step, environment: dict[str, str], settings: list[str], deadline: float) -> int:
    """Run a command until ``deadline``, by the monotonic clock, and return its exit code or UNFINISHED."""
    left = deadline - time.monotonic() - GRACE / 2
    if left <= 0:
        return UNFINISHED
    print(f"lslo {step.command}", file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "lslo_cli", *shlex.split(step.command)]
    words += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(words, env={**os.environ, **environment})
    try:
        return process.wait(None if left == float("inf") else left)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return UNFINISHED


def link(source: Path, target: Path) -> None:
    """Link ``target`` to ``source``, so that artifacts name paths in the checkout; keep what is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve(strict=True))


def link_bitext(pretrain: Path, bitext: Path) -> None:
    """The text of the base as links: all of ``pretrain`` but what ``HIGH_ONLY`` leaves out."""
    if bitext.exists():
        return
    if pretrain.is_file():
        with tarfile.open(pretrain) as archive:
            archive.extractall(bitext.parent, filter="data")
        pretrain = bitext.parent / "pretrain"
    for file in sorted(pretrain.glob("*/*.txt")):
        section = file.parent.name
        if file.name in HIGH_ONLY.get(section, {file.name}):
            link(file, bitext / section / file.name)


def pack(study: Study, folder: Path, chunk: float) -> None:
    """Write the finished base, and results without weights or checkpoints, to ``folder`` as ``study.tar.NN``.

    A chunk has at most ``chunk`` MiB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "study.tar"
    with tarfile.open(whole, "w") as archive:
        for path in (study.model, study.results):
            if path.exists():
                archive.add(path, filter=_kept)
    with whole.open("rb") as file:
        for number, piece in enumerate(iter(lambda: file.read(int(chunk * 2**20)), b"")):
            (folder / f"study.tar.{number:02}").write_bytes(piece)
    whole.unlink()


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out of a results folder what takes room and can be made again."""
    in_results = member.name.startswith("results/")
    large = member.name.endswith(".safetensors") or "checkpoint" in member.name or "hypotheses" in member.name
    return None if in_results and large else member


def unpack(folder: Path) -> None:
    """Put back what ``pack`` wrote."""
    whole = folder / "study.tar"
    whole.write_bytes(b"".join(piece.read_bytes() for piece in sorted(folder.glob("study.tar.*"))))
    with tarfile.open(whole) as archive:
        archive.extractall(filter="data")
    whole.unlink()


if __name__ == "__main__":
    sys.exit(main())
