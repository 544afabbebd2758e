"""A small experiment with every stage of the product: its starting state, command line and outputs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.faults.changes import counting
from benchmarks.faults.forked import Ended, Fault, Running, forked, lslo, nothing, start, warm
from lslo_cli.artifacts.folder import METRICS

RECIPE = """
name = "small"
langs = "qta,qso,qki"
seed = 2

[model]
name = "{base}"

[data]
path = "{text}"
train = "train"
test = "test"
train_rows = 3
test_rows = 1
dev_rows = 1

[fit]
epochs = 2
lr = 0.02
max_tokens = 200
accumulate = 1
warmup = 1

[estimate-subspace]
start_epoch = 1
duration = 1

[train]
gps_start = 1
gps_duration = 1

[evaluate]
directions = ["qta-qso", "qki-qta"]
beam = 2
max_new_tokens = 12
metric_model = "base"

[base]
vocabulary = 200
encoder_layers = 1
decoder_layers = 1
d_model = 16
ffn_dim = 24
heads = 2
dropout = 0.0
epochs = 2
updates = 4
lr = 0.02
warmup = 2
max_tokens = 300
held_out = 5
dtype = "float32"

[run]
device = "cpu"
threads = 1

[flare]
task = "nusax"
data = "{task}"
model = "{task}/model"
languages = ["jv"]
seeds = [1]
runs = ["zero-shot", "lora", "flare"]
epochs = 2
batch_size = 8
max_length = 16
lr = 0.001
translations = "translations"

[reproduce]
stages = ["weight-learn", "estimate-subspace", "prune-report"]
runs = ["base", "2-2-8"]
figures = []
"""
LABELS = ("negative", "neutral", "positive")
TASK = {"english": ("bad", "so", "good"), "javanese": ("ala", "lan", "apik")}
ROWS = {"train": 16, "valid": 6, "test": 6}
VARIES = {"made", "seconds", "step_seconds", "tokens_per_second", "memory_gib"}
"""Keys of an artifact or a log that describe the run, not its result."""


@dataclass(frozen=True)
class Stage:
    """A stage: its command line, the stage before it, and the arguments to resume after a kill."""

    name: str
    line: tuple[str, ...]
    after: str = ""
    resume: tuple[str, ...] = ()


def stages() -> list[Stage]:
    """All stages in order of dependency."""
    recipe = ("--recipe", "../recipe.toml")
    small = (*recipe, "--quiet")
    run = ("--ranks", "qta=2,qso=2,qki=4", "--gps", "0.9", "--run", "lslo")
    again = ("--resume",)
    direction = ("--src", "qta", "--tgt", "qso")
    flare = ("--set", "run.threads=1", *small)
    tables = ("table-9", *small)
    found = [
        Stage("base train", ("base", "train", "--out", "model", *small), "", again),
        Stage("weight-learn", ("weight-learn", *small), "", again),
        Stage("estimate-subspace", ("estimate-subspace", *small), "weight-learn", again),
        Stage("train", ("train", *run, *small), "estimate-subspace", again),
        Stage("train, over a run", ("train", *run, "--lr", "0.01", *small), "train", again),
        Stage("train, all weights", ("train", "--method", "full", *small), "", again),
        Stage("evaluate", ("evaluate", *small), "train"),
        Stage("evaluate, of more", ("evaluate", "--test-rows", "2", *small), "evaluate"),
        Stage("prune-report", ("prune-report", *recipe), "train"),
        Stage("export, merged", ("export", "--run", "full", "--to", "out", *recipe), "train, all weights"),
        Stage("export, PEFT", ("export", "--run", "lslo", "--format", "peft", "--to", "out", *recipe),
              "train"),
        Stage("translate", ("translate", *direction, "-i", "../lines.txt", "-o", "out.txt", "--buffer", "2",
                            *small)),
        Stage("report", ("report", "results/small", "-o", "report.md", "-o", "report.csv"), "evaluate"),
        Stage("flare train", ("flare", "train", *flare)),
        Stage("flare evaluate", ("flare", "evaluate", *flare), "flare train"),
        Stage("flare translate", ("flare", "translate", "--recipe", "../world.toml", "--quiet")),
        Stage("reproduce", ("reproduce", *tables)),
    ]  # fmt: skip
    return [stage for stage in found if "peft" not in stage.line or find_spec("peft")]


@dataclass(frozen=True)
class Laboratory:
    """The folder of the experiment, and its contents before and after each stage."""

    folder: Path
    stages: list[Stage]

    @classmethod
    def made(cls, folder: Path, names: tuple[str, ...] = ()) -> Laboratory:
        """Make text, base model and task, and run every stage once, or those with these names.

        The stages that they need run too. Raises RuntimeError if a stage fails without a fault.
        """
        warm()
        every = {stage.name: stage for stage in stages()}
        wanted: dict[str, Stage] = {}

        def want(name: str) -> None:
            if every[name].after:
                want(every[name].after)
            wanted[name] = every[name]

        for name in names or every:
            want(name)
        laboratory = cls(folder, [stage for name, stage in wanted.items() if not names or name in names])
        folder.mkdir(parents=True, exist_ok=True)
        ended = forked(lambda: _furnish(folder), folder=folder).ended()
        if ended.code:
            raise RuntimeError(f"the laboratory could not be made: {ended.errors}")
        for stage in wanted.values():
            laboratory._make(stage)
        return laboratory

    def before(self, stage: Stage) -> Path:
        """The folder before a stage."""
        return self.folder / _slug(stage.after) if stage.after else self.folder / "nothing"

    def after(self, stage: Stage) -> Path:
        """The folder after an undisturbed stage."""
        return self.folder / _slug(stage.name)

    def changes(self, stage: Stage) -> list[str]:
        """The changes that an undisturbed stage makes to its folder, each its kind and path."""
        return self.after(stage).with_suffix(".changes").read_text().splitlines()

    def seconds(self, stage: Stage) -> float:
        """The duration of an undisturbed stage in seconds."""
        return float(self.after(stage).with_suffix(".seconds").read_text())

    def fresh(self, stage: Stage) -> Path:
        """A new folder for a stage, with its starting state."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.before(stage), folder)
        return folder

    def differences(self, stage: Stage, folder: Path) -> list[str]:
        """The differences of a folder from that after the undisturbed stage."""
        expected, found = contents(self.after(stage)), contents(folder)
        others = (name for name in expected.keys() & found.keys() if expected[name] != found[name])
        return [
            *(f"{name} is missing" for name in sorted(expected.keys() - found.keys())),
            *(f"{name} is left" for name in sorted(found.keys() - expected.keys())),
            *(f"{name} is another" for name in sorted(others)),
        ]

    def _make(self, stage: Stage) -> None:
        after = self.after(stage)
        trial = self.fresh(stage)
        found = after.with_suffix(".changes")
        ended = self.run(stage, trial, fault=counting(trial, found))
        if ended.code:
            raise RuntimeError(f"{stage.name} failed without a fault: {ended.errors}")
        trial.rename(after)
        after.with_suffix(".seconds").write_text(str(ended.seconds))

    def run(self, stage: Stage, folder: Path, *more: str, **how: Any) -> Ended:
        """Run a stage in a folder."""
        return lslo(*stage.line, *more, folder=folder, **how)

    def start(self, stage: Stage, folder: Path, fault: Fault = nothing) -> Running:
        """Start a stage in a folder."""
        return start(*stage.line, folder=folder, fault=fault)


def contents(folder: Path) -> dict[str, object]:
    """Every file and empty folder below a folder, artifacts without the keys that describe their run."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                found[f"{name}/"] = None
        elif path.name == METRICS:
            found[name] = [_found(json.loads(line), False) for line in path.read_text().splitlines()]
        elif path.suffix == ".json":
            found[name] = _found(json.loads(path.read_bytes()), "seed-" in name)
        else:
            found[name] = path.read_bytes()
    return found


def _found(value: Any, timed: bool) -> Any:
    """An artifact's result, without digests over measured times."""
    if isinstance(value, dict):
        varies = VARIES | ({"digest"} if timed and ("made" in value or "role" in value) else set())
        return {key: _found(each, timed) for key, each in value.items() if key not in varies}
    return [_found(each, timed) for each in value] if isinstance(value, list) else value


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")


def _furnish(folder: Path) -> None:
    """Text, recipe, base model and task of the experiment."""
    from lslo_cli.recipe import resolve
    from lslo_cli.tasks import commands as tasks
    from lslo_cli.world import write_world

    text, base, task = (folder / name for name in ("text", "base", "task"))
    (folder / "nothing").mkdir(exist_ok=True)
    write_world(text, ["train", "test"], rows=12)
    lines = [line for path in sorted(text.glob("*/qta*")) for line in path.read_text().splitlines()]
    (folder / "lines.txt").write_text("\n".join(lines[:5]) + "\n")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(base=base, text=text, task=task))
    world = recipe.read_text().replace('task = "nusax"', 'task = "world"').replace('["jv"]', '["qso"]')
    (folder / "world.toml").write_text(world.replace("beam = 2", "beam = 1"))
    tasks.train_base(resolve(str(recipe), {}), base, "lslo base train")
    _write_task(task)


def _write_task(folder: Path) -> None:
    """A tiny encoder, and texts of two languages in NusaX's format."""
    import torch
    import transformers as hf

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(word for text in TASK.values() for word in text)]
    model = folder / "model"
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    hf.BertModel(hf.BertConfig(vocab_size=len(words), **sizes)).save_pretrained(model)
    (model / "vocab.txt").write_text("\n".join(words))
    hf.BertTokenizerFast(str(model / "vocab.txt")).save_pretrained(model)
    for language, (bad, so, good) in TASK.items():
        for split, rows in ROWS.items():
            path = folder / language / f"{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{n},{(bad, so, good)[n % 3]} {so},{LABELS[n % 3]}" for n in range(rows)]
            path.write_text("id,text,label\n" + "\n".join(lines) + "\n")
