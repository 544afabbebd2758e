"""Every code block of the README and of docs/ runs, on small models and texts, or says why it does not.

The lines are typed one after another, page by page, each page in a folder of its own, with fewer epochs and
rows than they ask for. ``docs/_examples.py`` says how a block is marked that runs elsewhere or not at all.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs._examples import PAGES, ROOT, Block, blocks
from lslo_cli.cli.app import app
from lslo_cli.method.languages import LANG12
from lslo_cli.recipe import recipe_folder, resolve
from lslo_cli.tasks import commands as tasks
from lslo_cli.world import ROWS, WORLD, WorldSplit, sentences

BLOCKS = [block for page in PAGES for block in blocks(page)]
TYPED = [block for block in BLOCKS if not block.reason and not block.elsewhere]

KNOWN = (*LANG12, "tr", "kk")
TEXT = (*KNOWN, "tyv")
"""Languages of the model and of the text that a user brings: those of the built-in world by other names."""

FEWER = {
    "data.train_rows": 4,
    "data.test_rows": 2,
    "fit.epochs": 2,
    "fit.warmup": 1,
    "fit.accumulate": 1,
    "weight_learn.epochs": 3,  # before the third update the weights do not move
    "estimate_subspace.start_epoch": 1,
    "estimate_subspace.duration": 1,
    "train.gps_start": 1,
    "train.gps_duration": 1,
    "train.curve_rows": 0,
    "evaluate.beam": 1,
    "evaluate.max_new_tokens": 6,
    "evaluate.metric_model": "base",
    "run.device": "cpu",
    "run.threads": 1,
}
SMALL_BASE = {
    "base.vocabulary": 200,
    "base.encoder_layers": 2,
    "base.decoder_layers": 2,
    "base.d_model": 16,
    "base.ffn_dim": 24,
    "base.heads": 2,
    "base.epochs": 1,
    "base.updates": 10,
    "base.max_tokens": 600,
    "base.held_out": 2,
    "base.dtype": "float32",
    "run.precision": "fp32",
    "run.device": "cpu",
    "run.threads": 1,
}
SHORTENED = {
    **dict.fromkeys(("weight-learn", "estimate-subspace", "train", "evaluate"), FEWER),
    "base train": SMALL_BASE,
}
LESS = {
    "--dev-rows 50": "--dev-rows 2",
    "--hold-out 100": "--hold-out 2",
    "--langs lang12": "--langs en,fr,zh,wo",
}
"""What stands in the place of some flags."""
DEMO_LANGS = "qta,qso,qki,qka,qsi"
OF_THE_WORLD = {
    "demo": {"langs": DEMO_LANGS, "train.curve_rows": 1, "data.dev_rows": 2},
    "world-rotated-base": {"langs": DEMO_LANGS},
    "world-rotated": {"langs": DEMO_LANGS, "data.dev_rows": 2},
}
"""What a line is given beside, by the recipe that it or its surroundings name."""
PRETRAIN_ROWS = 500
"""Rows of the built-in world's ``pretrain``, in the place of 40,000."""

PRUNES = re.compile(r"--gps (auto|0\.)|^(?!.*(--gps|--ranks|--method|--add-lang|new-language))")
"""Matches a line that trains with pruning: by its --gps, or by default."""

MINE = "--langs en,fr,zh,wo --model models/mine --data my-text"
BEFORE = {
    "docs/export.md": (f"lslo train {MINE} --ranks 2,2,8 --gps 0.9", f"lslo train {MINE} --method full")
}
"""What a page takes for done, beside the quickstart."""
CONTINUED = ("docs/quickstart.md", "docs/ranks.md")
"""Pages whose blocks go on with what those before them made; each of the others' begins anew."""


def test_most_blocks_run_and_the_others_say_why(capsys):
    untold = [block for block in BLOCKS if block.reason]
    with capsys.disabled():
        print(
            f"\nREADME and docs: {len(BLOCKS)} blocks, of which {len(BLOCKS) - len(untold)} run in the tests"
        )
    commands = [block for block in BLOCKS if block.has_commands]
    assert sum(not block.reason for block in commands) > len(commands) / 2
    for block in BLOCKS:
        assert not block.reason or re.search(r"\w", block.reason)
        assert not block.elsewhere or (ROOT / block.elsewhere).is_file()
        for named in re.findall(r"tests/[\w/.]+", block.reason):
            assert (ROOT / named).exists(), block


@dataclass(frozen=True)
class Typed:
    """A line, and how it ended."""

    line: str
    code: int
    said: str


@pytest.fixture(scope="module")
def things(tmp_path_factory) -> Path:
    """The texts, models and other files that pages speak of."""
    folder = tmp_path_factory.mktemp("things")
    world = sentences("train", 100)
    text = {code: world[name] for code, name in zip(TEXT, cycle(WORLD), strict=False)}
    for code, lines in text.items():
        for place in ("my-text", "corpora"):
            _write(folder / place / f"train.{code}", lines[:30])
            _write(folder / place / f"test.{code}", lines[30:34])
        _write(folder / "data/bitext/bible" / f"{code}.txt", lines[60:])
        _write(folder / "data/flores101/dev" / f"{code}.dev", lines[:30])
        _write(folder / "data/flores101/devtest" / f"{code}.devtest", lines[40:44])
    _write(folder / "text.txt", world["qta"][:3])
    _write(folder / "texts" / "one.txt", world["qta"][:3])
    recipe = resolve(
        given={
            **SMALL_BASE,
            "langs": ",".join(KNOWN),
            "data.path": str(folder / "my-text"),
            "data.train": "train",
        }
    )
    tasks.train_base(recipe, folder / "models/mine", "lslo base train")
    for name in ("m2m-100", "m2m-124-615m"):
        (folder / "models" / name).symlink_to(folder / "models/mine")
    return folder


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture(scope="module")
def typed(things, tmp_path_factory) -> dict[Block, list[Typed]]:
    """Every block that runs, line by line."""
    outcomes: dict[Block, list[Typed]] = {}
    quickstart = tmp_path_factory.mktemp("quickstart")
    for page in sorted({block.page for block in TYPED}, key=lambda page: page != "docs/quickstart.md"):
        folder = quickstart
        if page != "docs/quickstart.md":
            folder = tmp_path_factory.mktemp(Path(page).stem)
            for place in ("out", "results"):  # the latter as the committed study of the same recipe
                shutil.copytree(quickstart / "out", folder / place)
        for thing in things.iterdir():
            if thing.name == "models":
                shutil.copytree(thing, folder / "models", symlinks=True)
            else:
                (folder / thing.name).symlink_to(thing)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for variable in ("LSLO_RECIPE", "LSLO_RESULTS"):
                patch.delenv(variable, raising=False)
            patch.setenv("LSLO_MODEL", "models/mine")
            patch.setenv("LSLO_DATA", "my-text")
            patch.setitem(ROWS, WorldSplit.PRETRAIN, PRETRAIN_ROWS)
            for line in BEFORE.get(page, ()):
                ended = _type(line)
                assert ended.code == 0, ended
            if page not in CONTINUED:
                shutil.copytree("out", "out-at-first")
            for block in TYPED:
                if block.page == page:
                    if page not in CONTINUED:
                        shutil.rmtree("out", ignore_errors=True)
                        shutil.copytree("out-at-first", "out")
                    outcomes[block] = list(_run(block, patch))
    return outcomes


def _run(block: Block, patch: pytest.MonkeyPatch) -> Iterator[Typed]:
    if block.text.startswith("["):  # a part of a recipe
        Path("part.toml").write_text(block.text, encoding="utf-8")
        yield _type("lslo recipe part.toml")
        return
    for name, value in block.variables:
        patch.setenv(name, value)
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            patch.setenv(name, value)
        elif words[:1] == ["unset"]:
            patch.delenv(words[1], raising=False)
        elif words:
            yield _type(shlex.join(words))
    for name, _ in block.variables:
        patch.delenv(name)


def _type(line: str) -> Typed:
    """Run a line, shortened, in this process."""
    for asked, less in LESS.items():
        line = line.replace(asked, less)
    program, *words = shlex.split(line)
    if program != "lslo":
        return Typed(line, 127, f"{program} is no command that can be run here")
    for command, settings in SHORTENED.items():
        if words[: len(command.split())] == command.split():
            settings = {**settings, **_of_the_world(line)}
            if not PRUNES.search(line):  # keys of pruning would be refused
                settings = {key: value for key, value in settings.items() if not key.startswith("train.gps_")}
            words += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    result = CliRunner().invoke(app, words, prog_name="lslo")
    return Typed(line, result.exit_code, result.output[-2000:])


def _of_the_world(line: str) -> dict[str, object]:
    recipe = re.search(r"--recipe (\S+)", line)
    return OF_THE_WORLD.get(recipe[1] if recipe else os.environ.get("LSLO_RECIPE", ""), {})


def _name(block: Block) -> str:
    return f"{Path(block.page).stem}: {block.first[:60]}"


@pytest.mark.parametrize("block", TYPED, ids=_name)
def test_a_block_runs(block, typed):
    assert typed[block]
    assert [ended for ended in typed[block] if ended.code] == []


def test_a_block_that_is_wrong_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = Block("a page", "lslo recipe demo\nlslo recipe dmeo\nnosuch program  # with a comment")
    assert [ended.code for ended in _run(wrong, monkeypatch)] == [0, 3, 127]


def test_recipes_that_pages_name_come_with_lslo():
    names = {name for block in BLOCKS for name in re.findall(r"--recipe ([a-z][\w-]*)", block.text)}
    assert {name for name in names if not (recipe_folder() / f"{name}.toml").is_file()} == set()
