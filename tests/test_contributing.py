"""The recipes of CONTRIBUTING.md, each done once on a copy of the package as someone new would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import lslo_cli

PACKAGE = Path(lslo_cli.__file__).parent
ROOT = PACKAGE.parent
DEMO = ROOT / "results" / "demo"


class Copy:
    """A copy of the package to which files are added or in which a line is put after another."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.touched: set[str] = set()
        shutil.copytree(PACKAGE, folder / "lslo_cli", ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, name: str, text: str) -> None:
        path = self.folder / "lslo_cli" / name
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
        self.touched.add(name)

    def insert(self, name: str, after: str, text: str) -> None:
        path = self.folder / "lslo_cli" / name
        before = path.read_text(encoding="utf-8")
        assert before.count(after) == 1
        path.write_text(before.replace(after, after + text), encoding="utf-8")
        self.touched.add(name)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """What ``python ARGUMENTS`` prints with the copy in the package's place."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "COLUMNS": "200", **(environment or {})},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


LOSSES = '''"""The loss of every epoch."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from lslo_cli.plots.reading import trainings
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import COLUMN_WIDTH, Style, new_figure, styled


@styled
def losses(runs, *, width: float = COLUMN_WIDTH, style: Style = Style.PAPER) -> Figure:
    """Mean loss per target token of every run by epoch."""
    figure = new_figure(style.look, width, 2.3)
    axes = figure.subplots()
    for run in runs:
        axes.plot([record.loss for record in run.history], label=run.run)
    axes.set(xlabel="Epoch", ylabel="Loss")
    return figure


def prepare_losses(seeds, names=()) -> PreparedFigure:
    """From runs/RUN/training.json."""
    return PreparedFigure("losses", "Loss by epoch.", partial(losses, trainings(seeds, names)))
'''

LOSSES_ENTRY = """
    FigureSpec(
        name="losses",
        summary="Draw the loss by epoch.",
        source="lslo_cli.plots.losses:prepare_losses",
        reads=("training",),
        runs=RunChoice.SEVERAL,
    ),"""


@pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")
def test_a_figure_is_two_files(copy):
    copy.add("plots/losses.py", LOSSES)
    copy.insert("plots/catalogue.py", "FIGURES = (", LOSSES_ENTRY)
    seed = ("--results", str(DEMO), "--name", "seed-2", "--out", str(copy.folder), "--format", "svg")
    drawn = copy.run("-m", "lslo_cli", "plot", "losses", *seed, "--run", "full")
    assert Path(drawn.strip()).name == "losses.svg"
    assert "Draw the loss by epoch." in copy.run("-m", "lslo_cli", "plot", "--help")
    assert len(copy.touched) == 2


LENGTH_RATIO = '''"""The length of translations in that of their references."""

from lslo_cli.search.metric import Score


class LengthRatio:
    def scores(self, sources, translations, references):
        whole = sum(map(len, references))
        return [Score(100 * sum(map(len, lines)) / whole, "unit:character") for lines in translations]


def open_length_ratio(settings):
    return LengthRatio()
'''

LENGTH_RATIO_ENTRY = """
    MetricSpec(
        "length ratio",
        "lslo_cli.search.length_ratio:open_length_ratio",
        "characters in percent of the reference's",
    ),"""

SCORES = """
from lslo_cli.method.languages import Direction
from lslo_cli.recipe import Recipe
from lslo_cli.method.metrics import metric_named
from lslo_cli.tasks.decoding import direction_score, score_directions
(name,) = Recipe(evaluate={"metrics": ["Length Ratio"]}).evaluate.metrics
pair = Direction("en", "wo")
texts = ({pair: lines} for lines in (["a"], ["abc"], ["abcd"]))
found = score_directions({name: metric_named(name).open(None)}, *texts)
print(direction_score(pair, 1, found[pair]).scores)
"""


def test_a_metric_is_two_files(copy):
    copy.add("search/length_ratio.py", LENGTH_RATIO)
    copy.insert("method/metrics.py", "METRICS = (", LENGTH_RATIO_ENTRY)
    assert copy.run("-c", SCORES).strip() == "{'length ratio': 75.0}"
    assert "length ratio" in copy.run("-m", "lslo_cli", "evaluate", "--help")
    assert len(copy.touched) == 2


FLAG = """
    patience: Annotated[int | None, Option("--patience"), Key("train.patience")] = None
"""


def test_a_flag_of_train_is_two_files(copy):
    copy.insert(
        "recipe/sections.py",
        "    keep: Keep = Keep.LAST\n",
        '    patience: CountOrZero = 3\n    """Epochs to wait for a lower loss."""\n',
    )
    copy.insert("cli/commands/train.py", "class TrainOptions(FitOptions):", FLAG)
    shown = copy.run("-m", "lslo_cli", "train", "--help")
    assert "Epochs to wait for a lower loss; default: 3." in shown and "--patience" in shown
    refused = subprocess.run(
        [sys.executable, "-m", "lslo_cli", "train", "--patience", "-1"],
        cwd=copy.folder,
        env={**os.environ, "PYTHONPATH": str(copy.folder)},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2 and "--patience cannot be -1" in refused.stderr
    assert len(copy.touched) == 2


def test_a_pruning_pool_is_two_files(copy):
    copy.insert("method/importance.py", '    LANGUAGE = "language"\n', '    STACK = "stack"\n')
    copy.insert(
        "method/importance.py",
        "        if self is Pool.LANGUAGE:\n            return language\n",
        "        if self is Pool.STACK:\n            return str(site.layer.stack)\n",
    )
    copy.insert(
        "plots/demand.py", "POOLS = {\n", '    Pool.STACK: "all languages and matrices of a stack",\n'
    )
    script = (
        "from lslo_cli.method.importance import Pool; from lslo_cli.method.sites import Site; "
        "print(Pool('stack').key(Site.parse('encoder.1.q'), 'en'))"
    )
    assert copy.run("-c", script).strip() == "encoder"
    assert "layer|layer-kind|language|stack" in copy.run("-m", "lslo_cli", "estimate-subspace", "--help")
    assert len(copy.touched) == 2


def test_contributing_names_the_files_of_each_recipe():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in (
        "plots/catalogue.py",
        "flare/figures.py",
        "method/metrics.py",
        "recipe/sections.py",
        "cli/commands/train.py",
        "method/importance.py",
        "plots/demand.py",
    ):
        assert f"`lslo_cli/{name}`" in text
        assert (PACKAGE / name).is_file()
