import numpy as np
import pytest

from lslo_cli import plots
from lslo_cli.errors import InputError

IN_ORDER = ["en", "fr", "zh", "wo", "sd"]


def cells(axes, columns):
    return np.ma.filled(axes.collections[0].get_array().astype(float), np.nan).reshape(-1, columns)


def labels(axis_labels):
    return [label.get_text() for label in axis_labels]


def test_directions_shows_the_gain_by_source_row_and_target_column(made):
    before = {("en", "wo"): 5.0, ("wo", "en"): 9.0, ("en", "fr"): 30.0}
    after = {("en", "wo"): 12.0, ("wo", "en"): 8.0, ("fr", "en"): 30.0}
    axes = plots.directions([made.evaluated("2-2-8", after)], [made.evaluated("base", before)]).axes[0]
    expected = np.full((5, 5), np.nan)
    expected[0, 3], expected[3, 0] = 7.0, -1.0
    assert cells(axes, 5) == pytest.approx(expected, nan_ok=True)
    assert labels(axes.get_xticklabels()) == labels(axes.get_yticklabels()) == IN_ORDER
    assert axes.collections[0].get_clim() == (-7.0, 7.0)


def test_directions_refuses_runs_that_share_none_or_another_metric(made):
    run = made.evaluated("2-2-8", {("en", "wo"): 5.0})
    with pytest.raises(InputError, match="runs 2-2-8 and base share no direction"):
        plots.directions([run], [made.evaluated("base", {("wo", "en"): 5.0})])
    with pytest.raises(InputError, match="different metrics"):
        plots.directions([run], [made.evaluated("base", {("en", "wo"): 5.0}, signature="tok:13a")])


def test_directions_refuses_seeds_that_share_none(made):
    one, other = ({("wo", "en"): 20.0}, {("en", "wo"): 20.0})
    runs = [made.evaluated("2-2-8", scores) for scores in (one, other)]
    bases = [made.evaluated("base", scores) for scores in (one, other)]
    with pytest.raises(InputError, match="runs 2-2-8 and base share no direction in all 2 seeds"):
        plots.directions(runs, bases)


def test_pareto_joins_the_runs_that_no_cheaper_run_equals(made):
    scores = {("en", "wo"): 5.0}
    evaluations = [
        made.evaluated("base", scores, average=12.0),
        made.evaluated("full", scores, average=15.0),
        made.evaluated("small", scores, average=14.0),
        made.evaluated("worse", scores, average=13.0),
    ]
    costs = {"full": 1000, "small": 10, "worse": 100}
    figure = plots.pareto(
        evaluations, [made.trained(name, parameters=count) for name, count in costs.items()]
    )
    axes = figure.axes[0]
    front = axes.lines[3]
    assert (list(front.get_xdata()), list(front.get_ydata())) == ([10, 1000], [14.0, 15.0])
    assert {text.get_text() for text in axes.texts} == {"base 12.00", "full", "small", "worse"}
    assert axes.get_legend() is None
    assert set(axes.lines[-1].get_ydata()) == {12.0}


def test_pareto_says_which_runs_have_fewer_seeds(made):
    scores = {("en", "wo"): 5.0}
    evaluations = [
        *(made.evaluated("full", scores, average=average) for average in (15.0, 16.0, 17.0)),
        made.evaluated("small", scores, average=18.0),
    ]
    figure = plots.pareto(evaluations, [made.trained("full"), made.trained("small", parameters=10)])
    assert "sample standard deviation of 3 seeds, small of 1; " in figure.get_supxlabel().replace("\n", " ")


def test_pareto_without_a_trained_run_is_refused(made):
    with pytest.raises(InputError, match="no trained run"):
        plots.pareto([made.evaluated("base", {("en", "wo"): 5.0})], [])
