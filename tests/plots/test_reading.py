"""Figures read artifacts as reports do: stale ones, and unequal ones, are refused."""

import pytest

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.schema import Input
from lslo_cli.errors import InputError
from lslo_cli.method.languages import groups
from lslo_cli.plots.catalogue import figure_named

RUN = "2-2-8"


@pytest.fixture
def seed(written, tmp_path):
    """A seed of an experiment with a base, and one run that was trained and scored."""

    def seed(number, inputs=(), settings=None, **replaced):
        experiment = written(tmp_path / f"seed-{number}", seed=number, **replaced)
        cells = dict.fromkeys(groups(experiment.languages), 20.0 + number)
        experiment.evaluation("base", cells)
        experiment.training(RUN, **(settings or {}))
        experiment.evaluation(RUN, cells, inputs=inputs)
        return ExperimentFolder(experiment.path)

    return seed


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_seeds_that_were_measured_alike_are_drawn(seed, figure):
    prepared = figure_named(figure).prepare([seed(2), seed(3)])
    assert "2 seeds" in str(prepared.text())


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_an_evaluation_of_another_training_is_stale_in_a_figure_too(seed, figure):
    old = Input(role="training", path="training.json", digest="0" * 64)
    with pytest.raises(InputError, match="is stale: it was made from another training"):
        figure_named(figure).prepare([seed(2, inputs=[old])])


@pytest.mark.parametrize("figure", ["pareto", "directions"])
def test_seeds_with_another_test_text_or_base_model_have_no_mean(seed, figure):
    text = {"path": "f", "split": "dev", "rows": 997, "examples": 1, "digest": "d" * 64}
    with pytest.raises(InputError, match=r"seed-2\S+ and \S+seed-3\S+ were .* different test texts"):
        figure_named(figure).prepare([seed(2), seed(3, text=text)])
    small = seed(4)
    other = seed(5).run("base").evaluation
    other.write_text(other.read_text().replace("b" * 64, "c" * 64))
    with pytest.raises(InputError, match="different base models"):
        figure_named(figure).prepare([small, seed(2), ExperimentFolder(other.parents[2])])


@pytest.mark.parametrize("figure", ["pareto", "epochs", "schedule"])
def test_seeds_of_a_run_that_were_trained_differently_have_no_mean(seed, figure):
    with pytest.raises(InputError, match="were trained with different span: all and d_model"):
        figure_named(figure).prepare([seed(2), seed(3, settings={"span": "d_model"})], [RUN])
