"""The figures of an experiment, from the artifacts that lie in its folder."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from lslo_cli import plots
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError

DEMO = Path(__file__).parents[2] / "results" / "demo"
needs_results = pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")


def test_an_empty_experiment_names_the_command_that_makes_each_artifact(tmp_path):
    missing = {item.stem: item.reason for item in plots.draw_all(ExperimentFolder(tmp_path))}
    assert plots.figures(ExperimentFolder(tmp_path)) == {}
    commands = {
        "weights": "lslo weight-learn",
        "heatmap": "lslo estimate-subspace",
        "heatmap-by-layer": "lslo estimate-subspace",
        "epochs": "lslo train --curve-rows",
        "matrices": "lslo estimate-subspace",
        "matrices-by-language": "lslo estimate-subspace",
        "schedule": "lslo train --gps",
        "directions": "lslo evaluate",
        "pareto": "lslo evaluate",
    }
    assert list(missing) == list(commands)
    for stem, command in commands.items():
        assert isinstance(missing[stem], InputError)
        assert command in missing[stem].hint


@needs_results
def test_a_whole_experiment_gives_every_figure_by_its_stem():
    drawn = list(plots.draw_all(ExperimentFolder(DEMO / "seed-2"), width=plots.COLUMN_WIDTH))
    assert all(isinstance(item, plots.Drawn) and item.caption for item in drawn)
    stems = [item.stem for item in drawn]
    assert stems[:7] == [
        "weights", "heatmap", "heatmap-by-layer", "epochs", "matrices", "matrices-by-language", "schedule",
    ]  # fmt: skip
    assert "directions-2-2-8-gps0.9" in stems
    assert stems[-1] == "pareto"


@needs_results
def test_a_damaged_artifact_costs_only_the_figures_drawn_from_it(tmp_path):
    shutil.copy(DEMO / "seed-2" / "index-strategy.json", tmp_path)
    (tmp_path / "subspace.json").write_text("{")
    items = list(plots.draw_all(ExperimentFolder(tmp_path)))
    assert [item.stem for item in items if isinstance(item, plots.Drawn)] == ["weights"]
    assert "is damaged" in items[1].reason.message


@needs_results
def test_seeds_together_are_means(tmp_path):
    folders = [ExperimentFolder(DEMO / f"seed-{seed}") for seed in (2, 3, 4)]
    sketch = plots.sketches.epochs(folders, ["2-2-8"])
    assert "mean and range of 3 runs" in str(sketch.text())
    assert len(sketch.figure().axes[0].collections) == 1


def training(name):
    return SimpleNamespace(run=name, curve="recorded")


def test_of_too_many_curves_to_tell_apart_those_of_the_paper_are_drawn(monkeypatch):
    names = ["full", "2-2-8", *(f"2-2-8-gps0.{digit}" for digit in range(1, 8))]
    monkeypatch.setattr(plots.sketches, "_trainings", lambda folder, wanted: [training(n) for n in names])
    sketch = plots.sketches.epochs([None])
    (drawn,) = sketch.figure.args
    assert [run.run for run in drawn] == ["full", "2-2-8", "2-2-8-gps0.5"]
    assert sketch.remark == "9 runs have quality by epoch: drawing those of figure 3; --run names others"
    asked = plots.sketches.epochs([None], names)
    assert len(asked.figure.args[0]) == len(names) and not asked.remark
    del names[0]
    assert len(plots.sketches.epochs([None]).figure.args[0]) == len(names) == plots.sketches.LEGIBLE
