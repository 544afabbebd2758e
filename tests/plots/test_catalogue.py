"""The figures of an experiment, from the artifacts that lie in its folder."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from lslo_cli import plots
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.flare.catalogue import FIGURES as FLARES_FIGURES
from lslo_cli.plots import curves

DEMO = Path(__file__).parents[2] / "results" / "demo"
needs_results = pytest.mark.skipif(not DEMO.is_dir(), reason="results/demo is not in this copy")


def test_an_empty_experiment_names_the_command_that_makes_each_artifact(tmp_path):
    missing = {item.stem: item.reason for item in plots.draw_all([ExperimentFolder(tmp_path)])}
    assert plots.figures(ExperimentFolder(tmp_path)) == {}
    commands = {
        "weights": "lslo weight-learn",
        "heatmap": "lslo estimate-subspace",
        "heatmap-by-layer": "lslo estimate-subspace",
        "epochs": "lslo train --curve-rows",
        "matrices": "lslo estimate-subspace",
        "matrices-by-language": "lslo estimate-subspace",
        "relatives": "lslo estimate-subspace",
        "schedule": "lslo train --gps",
        "directions": "lslo evaluate",
        "pareto": "lslo train",
    }
    assert list(missing) == list(commands)
    for stem, command in commands.items():
        assert isinstance(missing[stem], InputError)
        assert command in missing[stem].hint


@needs_results
def test_a_whole_experiment_gives_every_figure_by_its_stem():
    drawn = list(plots.draw_all([ExperimentFolder(DEMO / "seed-2")], width=plots.COLUMN_WIDTH))
    assert all(isinstance(item, plots.DrawnFigure) and item.caption for item in drawn)
    stems = [item.stem for item in drawn]
    assert stems[:8] == [
        "weights", "heatmap", "heatmap-by-layer", "epochs", "matrices", "matrices-by-language", "relatives",
        "schedule",
    ]  # fmt: skip
    assert "directions-2-2-8-gps0.9" in stems
    assert stems[-1] == "pareto"


@needs_results
def test_a_damaged_artifact_costs_only_the_figures_drawn_from_it(tmp_path):
    shutil.copy(DEMO / "seed-2" / "index-strategy.json", tmp_path)
    (tmp_path / "subspace.json").write_text("{")
    items = list(plots.draw_all([ExperimentFolder(tmp_path)]))
    assert [item.stem for item in items if isinstance(item, plots.DrawnFigure)] == ["weights"]
    assert "is damaged" in items[1].reason.message


@needs_results
def test_seeds_together_are_means(tmp_path):
    folders = [ExperimentFolder(DEMO / f"seed-{seed}") for seed in (2, 3, 4)]
    prepared = curves.prepare_epochs(folders, ["2-2-8"])
    assert "mean and range of 3 runs" in str(prepared.text())
    assert len(prepared.figure().axes[0].collections) == 1


def test_of_too_many_curves_to_tell_apart_those_of_the_paper_are_drawn(made, written, tmp_path):
    names = ["full", "2-2-8", *(f"2-2-8-gps0.{digit}" for digit in range(1, 8))]
    for name in names:
        written(tmp_path).write(f"runs/{name}/training.json", made.trained(name))
    seeds = [ExperimentFolder(tmp_path)]
    prepared = curves.prepare_epochs(seeds)
    (drawn,) = prepared.figure.args
    assert {run.run for run in drawn} == {"full", "2-2-8", "2-2-8-gps0.5"}
    assert prepared.remark == "9 runs have quality by epoch: drawing those of figure 3; --run names others"
    asked = curves.prepare_epochs(seeds, names)
    assert len(asked.figure.args[0]) == len(names) and not asked.remark
    shutil.rmtree(seeds[0].run("full").path)
    assert len(curves.prepare_epochs(seeds).figure.args[0]) == len(names) - 1 == curves.LEGIBLE


def test_every_entry_of_the_lists_names_a_function_that_is_there():
    for spec in (*plots.FIGURES, *FLARES_FIGURES):
        module, _, function = spec.source.partition(":")
        assert callable(getattr(import_module(module), function)), spec.name
        assert spec.summary.endswith(".")
    names = [spec.name for spec in (*plots.FIGURES, *FLARES_FIGURES)]
    assert len(set(names)) == len(names)


def test_an_unknown_figure_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="there is no figure 'heatmaps'. Did you mean 'heatmap'?"):
        plots.figure_named("heatmaps")


@needs_results
def test_the_seeds_of_a_study_are_found_below_its_folder_and_drawn_as_means():
    seeds = ExperimentFolder(DEMO).seeds()
    assert [seed.path.name for seed in seeds] == ["seed-2", "seed-3", "seed-4"]
    notes = {
        "weights": "mean and range of 3 seeds",
        "heatmap": "mean of 3 seeds, standard deviation of a cell at most",
        "matrices": "mean of 3 seeds, standard deviation of a cell at most",
        "epochs": "mean and range of 3 runs",
        "directions": "mean of 3 seeds, standard deviation of a direction",
        "pareto": "mean ± sample standard deviation of 3 seeds",
    }
    for name, words in notes.items():
        prepared = plots.figure_named(name).prepare(seeds)
        assert words in prepared.figure().get_supxlabel().replace("\n", " "), name
        assert words.split(",")[0] in str(prepared.text()).replace("\n", " "), name


@needs_results
def test_a_run_keeps_its_colour_and_marker_in_every_figure_of_a_study():
    seeds = ExperimentFolder(DEMO).seeds()[:1]
    few = plots.figure_named("epochs").prepare(seeds, ["2-2-8-gps0.9", "2-2-8-gps0.3"]).figure()
    many = plots.figure_named("schedule").prepare(seeds).figure()
    everything = plots.figure_named("pareto").prepare(seeds)
    lines = everything.figure().axes[0].lines
    drawn = {run.run: line for run, line in zip(everything.figure.args[1], lines, strict=False)}
    marks = []
    for axes in (few.axes[0], many.axes[0]):
        line = next(each for each in axes.lines if str(each.get_label()).startswith("2-2-8-gps0.3"))
        marks.append((line.get_color(), line.get_marker()))
    line = drawn["2-2-8-gps0.3"]
    assert {*marks, (line.get_color(), line.get_marker())} == {marks[0]}
