"""Whole command lines on damaged files: artifacts, recipes, text, models, weights, checkpoints, tasks."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.changes import killing
from benchmarks.faults.forked import lslo
from benchmarks.faults.laboratory import Laboratory
from benchmarks.faults.mutations import ODD, damaged, distorted, flipped
from benchmarks.faults.trials import Trials
from lslo_cli.artifacts.provenance import digest_of

MADE = ("evaluate", "prune-report", "flare evaluate")
"""The stages whose results are damaged."""
LONGEST = 10
"""The most processor seconds of a command to reject a file."""
RECIPE = ("--recipe", "../recipe.toml")
DRY = ("train", "--dry-run", *RECIPE)
TRANSLATE = ("translate", "--src", "qta", "--tgt", "qso", "-i", "../lines.txt", *RECIPE)
HERE = ("--set", "model.name=base", "--set", "data.path=text")
TASK = ("--set", "flare.data=task", "--set", "flare.model=task/model", *RECIPE)
Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """Files of a kind, by glob, their mutations, and lines that read them; FILE stands for the file."""

    name: str
    files: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    damage: tuple[Damage, ...] = (damaged,)
    weight: int = 1


ARTIFACTS = ("results/small/*.json", "results/small/runs/*/*.json")
READERS = (
    ("show", "FILE"),
    ("show", "FILE"),
    ("report", "results/small"),
    ("runs", *RECIPE),
    ("prune-report", *RECIPE),
    (*DRY, "--ranks", "auto"),
    ("compare", "lslo", "base", *RECIPE),
    ("diff", "lslo", "base", *RECIPE),
    ("evaluate", "--dry-run", *RECIPE),
    ("plot", "heatmap", "--text", *RECIPE),
    (*TRANSLATE, "--run", "lslo"),
    ("plot", "schedule", "--text", *RECIPE),
)
KINDS = (
    Kind("artifacts", ARTIFACTS, READERS),
    Kind("artifacts with a digest that fits", ARTIFACTS, READERS, (distorted,), weight=4),
    Kind(
        "FLARE's artifacts",
        ("results/small/seed-1/*/*.json",),
        (
            ("show", "FILE"),
            ("flare", "report", *RECIPE),
            ("flare", "evaluate", *TASK),
            ("flare", "train", *TASK),
        ),
        (damaged, distorted, distorted),
    ),
    Kind("recipes", ("recipe.toml",), (("recipe", "FILE"), ("train", "--dry-run", "--recipe", "FILE"))),
    Kind(
        "memory of an experiment",
        ("results/small/experiment.toml",),
        (("train", "--dry-run", "--name", "small"),),
    ),
    Kind(
        "text",
        ("text/*/*",),
        (
            ("data", "check", "text", "--langs", "qta,qso,qki"),
            (*DRY, *HERE),
            ("evaluate", "--run", "base", *RECIPE, *HERE),
        ),
        (damaged, flipped),
    ),
    Kind(
        "lines to translate",
        ("table.tsv", "table.csv", "table.jsonl"),
        (("translate", "--src", "qta", "--tgt", "qso", "-i", "FILE", *RECIPE),),
        (damaged, flipped),
    ),
    Kind(
        "base models",
        ("base/*.json", "base/*.model", "base/*.txt", "base/*.safetensors"),
        (("base", "info", "base"), (*DRY, *HERE), (*TRANSLATE, *HERE)),
        (damaged, flipped),
        weight=2,
    ),
    Kind(
        "settings of base models",
        ("base/*.json",),
        (("base", "info", "base"), (*DRY, *HERE), (*TRANSLATE, *HERE)),
        (distorted,),
        weight=2,
    ),
    Kind(
        "weights",
        ("results/small/runs/lslo/adapter/*",),
        ((*TRANSLATE, "--run", "lslo"), (*TRANSLATE, "--run", "results/small/runs/lslo/adapter")),
        (damaged, flipped),
    ),
    Kind(
        "weights with a digest that fits",
        ("results/small/runs/lslo/adapter/*.safetensors",),
        ((*TRANSLATE, "--run", "lslo"), ("evaluate", "--run", "lslo", "--force", *RECIPE)),
        (damaged, flipped),
    ),
    Kind(
        "FLARE's weights with a digest that fits",
        ("results/small/seed-1/*/weights/*.safetensors",),
        (("flare", "evaluate", *TASK),),
        (damaged, flipped),
    ),
    Kind(
        "tasks",
        ("task/*/*.csv",),
        (("flare", "train", *TASK), ("flare", "evaluate", *TASK)),
        (damaged, flipped),
    ),
    Kind("task models", ("task/model/*",), (("flare", "train", *TASK),), (damaged, flipped)),
    Kind("settings of task models", ("task/model/*.json",), (("flare", "train", *TASK),), (distorted,)),
    Kind(
        "checkpoints",
        ("results/small/checkpoint/weight-learn/state.pt",),
        (("weight-learn", "--resume", *RECIPE),),
        (damaged, flipped),
    ),
    Kind("settings on the command line", (), ()),
)
SETTINGS = (
    "seed",
    "langs",
    "name",
    "model.name",
    "data.path",
    "data.train",
    "data.train_rows",
    "fit.lr",
    "fit.epochs",
    "fit.max_tokens",
    "train.gps",
    "train.ranks",
    "evaluate.directions",
    "evaluate.beam",
    "run.device",
    "run.threads",
    "languages.qta.resource",
    "base.d_model",
    "flare.runs",
    "x",
    "fit",
    "",
    "fit..lr",
)


def run(trials: Trials, folder: Path, seed: int, count: int, only: Sequence[str] = ()) -> None:
    """Damage a file of a kind at random and run a line that reads it, ``count`` times."""
    laboratory = Laboratory.made(folder, ("weight-learn", *MADE))
    sound, chance = sound_files(laboratory), random.Random(seed)
    kinds = [kind for kind in KINDS if not only or kind.name in only]
    for number in trials.within(range(count)):
        trial = folder / "trial"
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(sound, trial)
        kind = chance.choices(kinds, [kind.weight for kind in kinds])[0]
        if kind.files:
            path = chance.choice(sorted(path for pattern in kind.files for path in trial.glob(pattern)))
            damage(kind, path, chance)
            line = tuple(str(path) if word == "FILE" else word for word in chance.choice(kind.lines))
            shown = f"{path.relative_to(trial)}: lslo {' '.join(line)}"
        else:
            key, value = chance.choice(SETTINGS), json.dumps(chance.choice(ODD)).replace("\0", "")
            line, shown = (*DRY, "--set", f"{key}={value}"), f"--set {key}={value}"
        before = names(trial)
        ended = lslo(*line, folder=trial, longest=6 * LONGEST)
        wrong = ended.complaints(0, 2, 3, 4)
        if ended.processor > LONGEST and ended.code:
            wrong.append(f"it took {ended.processor:.0f} s")
        wrong += [f"{name} is left" for name in sorted(names(trial) - before) if "/." in f"/{name}"]
        trials.note(kind.name, f"exit code {ended.code}", wrong, f"trial {number}, {shown[:200]}")


def damage(kind: Kind, path: Path, chance: random.Random) -> None:
    """Damage a file, and update the digests that name it if the kind says so."""
    content = path.read_bytes()
    ways = [each for each in kind.damage if each is not distorted or path.suffix == ".json"] or [damaged]
    path.write_bytes(chance.choice(ways)(content, chance))
    if "fits" in kind.name and path.suffix == ".safetensors":
        old, new = (hashlib.sha256(each).hexdigest() for each in (content, path.read_bytes()))
        artifact = (
            next(folder for folder in path.parents if (folder / "training.json").exists()) / "training.json"
        )
        document = json.loads(artifact.read_text().replace(old, new))
        artifact.write_text(json.dumps(document | {"digest": digest_of(document["result"])}))


def names(folder: Path) -> set[str]:
    """The names of everything in a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def sound_files(laboratory: Laboratory) -> Path:
    """A folder with all the files to damage: results, a checkpoint, text, models, tables."""
    sound = laboratory.folder / "sound"
    stages = {stage.name: stage for stage in laboratory.stages}
    learning = stages["weight-learn"]
    made = laboratory.changes(learning)
    at = next(n for n, change in enumerate(made, start=1) if change.endswith("/state.pt"))
    trial = laboratory.fresh(learning)
    laboratory.run(learning, trial, fault=killing(trial, at + 2))
    shutil.copytree(trial / "results/small/checkpoint", sound / "results/small/checkpoint")
    for name in MADE:
        shutil.copytree(laboratory.after(stages[name]), sound, dirs_exist_ok=True)
    for name in ("text", "base", "task"):
        shutil.copytree(laboratory.folder / name, sound / name)
    shutil.copy(laboratory.folder / "recipe.toml", sound)
    rows = list(enumerate((laboratory.folder / "lines.txt").read_text().splitlines()))
    (sound / "table.tsv").write_text("id\tqta\n" + "".join(f"{n}\t{line}\n" for n, line in rows))
    (sound / "table.csv").write_text("id,qta\n" + "".join(f'{n},"{line}"\n' for n, line in rows))
    (sound / "table.jsonl").write_text("".join(json.dumps({"qta": line}) + "\n" for _, line in rows))
    return sound
