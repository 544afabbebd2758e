"""Figures of as many runs as a study has: each is told from the others, named once, and keeps its mark."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from lslo_cli import plots
from lslo_cli.flare import plots as flare
from lslo_cli.plots.runs import in_study_order
from lslo_cli.plots.style import DASHES, Style

NAMES = [f"2-2-{number}-gps0.9" for number in range(25)]
CROWD = 12
"""Runs that cost and score nearly the same."""


def study(made):
    """Scores and costs of 25 runs, of which a crowd stands in one place, and the base model."""
    pair = {("en", "wo"): 1.0}
    scores = [made.evaluated("base", pair, average=10.0)]
    costs = []
    for place, name in enumerate(NAMES):
        crowded = place < CROWD
        average = 30 + 0.01 * place if crowded else 12.0 + 1.5 * (place - CROWD)
        scores.append(made.evaluated(name, pair, average=average))
        costs.append(made.trained(name, parameters=350_000 if crowded else 20_000 * 2 ** (place - CROWD)))
    return scores, costs


def written_at_points(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def written_in_legend(figure):
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


@pytest.mark.parametrize("style", Style)
def test_no_two_of_a_hundred_runs_share_a_mark_and_neighbours_differ_in_everything(style):
    marks = list(style.look.marks([str(number) for number in range(108)]).values())
    assert len({(mark.colour, mark.marker, mark.filled) for mark in marks}) == 108
    for one, other in pairwise(marks):
        assert one.colour != other.colour and one.marker != other.marker
    assert {str(mark.dashes) for mark in marks} == {str(dashes) for dashes in DASHES}


def test_many_runs_are_named_at_their_points_and_crowded_ones_listed_once(made):
    figure = plots.pareto(*study(made))
    at_points, listed = written_at_points(figure), written_in_legend(figure)
    told = Counter([*at_points, *(entry.partition("  ")[0] for entry in listed)])
    assert {name: told[name] for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert len(at_points) > len(NAMES) - CROWD and 0 < len(listed) < CROWD
    averages = [float(entry.split("  ")[1].split()[0]) for entry in listed]
    assert averages == sorted(averages, reverse=True)


def test_a_listed_run_has_the_mark_of_its_point(made):
    figure = plots.pareto(*study(made))
    legend = figure.axes[0].get_legend()
    marks = Style.PAPER.look.marks(in_study_order(NAMES))
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        mark = marks[text.get_text().partition("  ")[0]]
        assert (handle.get_color(), handle.get_marker()) == (mark.colour, mark.marker)


def test_names_at_points_are_on_no_line(made):
    pair = {("en", "wo"): 1.0}
    names = ("cheapest", "in-the-middle", "dearest")
    scores = [
        made.evaluated(name, pair, average=value) for name, value in zip(names, (10, 19, 20), strict=True)
    ]
    costs = [made.trained(name, parameters=10 ** (4 + place)) for place, name in enumerate(names)]
    figure = plots.pareto(scores, costs)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    front = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    path = axes.transData.transform(front.get_xydata())
    for text in axes.texts:
        box = text.get_window_extent().padded(-1)
        for (x, y), (u, v) in pairwise(path):
            on_the_way = [(x + (u - x) * step / 50, y + (v - y) * step / 50) for step in range(51)]
            assert not any(box.contains(*point) for point in on_the_way), text.get_text()


def test_coinciding_curves_are_drawn_once_with_all_their_names(made):
    runs = [made.trained("one"), made.trained("other"), made.trained("apart", final=40.0)]
    axes = plots.epochs(runs).axes[0]
    assert len(axes.lines) == 3  # two curves and the base model
    entries = [text.get_text().replace("\n", " ") for text in axes.get_legend().get_texts()]
    assert entries[0].startswith("one, other") and "33.00" in entries[0]
    assert entries[1].startswith("apart")
    schedules = plots.schedule([*runs, made.trained("half", ratio=0.5)]).axes[0]
    assert len(schedules.lines) == 4  # two schedules, each with a ring at its end
    first = schedules.get_legend().get_texts()[0].get_text().replace("\n", " ")
    assert first.startswith("one, other, apart")


@pytest.mark.parametrize("name", ["_mine", "a$\\frac$b"])
def test_a_legend_has_runs_of_any_name(made, name):
    run = made.trained(name)
    scores, costs = study(made)
    crowded = [each.model_copy(update={"run": name}) if each.run == NAMES[0] else each for each in scores]
    figures = [
        plots.epochs([run, made.trained("other", final=40.0)]),
        plots.schedule([run]),
        plots.pareto(crowded, [*costs, made.trained(name, parameters=350_000)]),
    ]
    for figure in figures:
        told = [*written_in_legend(figure), *written_at_points(figure)]
        assert any(text.lstrip("\u200b").startswith(name) for text in told)


def test_a_run_has_one_mark_whatever_is_drawn_beside_it(made):
    runs = [made.trained(name, final=30 + place, ratio=0.5 + place / 60) for place, name in enumerate(NAMES)]
    scores, costs = study(made)
    name = NAMES[7]

    def mark(figure):
        at_its_score = [30 + 0.01 * 7]
        line = next(
            each
            for each in figure.axes[0].lines
            if str(each.get_label()).startswith(name) or list(each.get_ydata()) == at_its_score
        )
        return line.get_color(), line.get_marker(), line.get_markerfacecolor()

    drawn = [
        plots.epochs(runs[5:9], study=NAMES),
        plots.epochs(runs[7:8], study=NAMES),
        plots.schedule(runs[3:12], study=NAMES),
        plots.pareto(scores, costs, study=NAMES),
    ]
    assert len({mark(figure) for figure in drawn}) == 1


@pytest.mark.parametrize("width", [plots.COLUMN_WIDTH, plots.PAGE_WIDTH])
@pytest.mark.parametrize("name", ["epochs", "schedule", "pareto"])
def test_a_legend_is_never_higher_than_the_axes(made, name, width):
    runs = [made.trained(name, final=30 + place, ratio=0.5 + place / 60) for place, name in enumerate(NAMES)]
    figure = {
        "epochs": lambda: plots.epochs(runs, width=width),
        "schedule": lambda: plots.schedule(runs, width=width),
        "pareto": lambda: plots.pareto(*study(made), width=width),
    }[name]()
    figure.draw_without_rendering()
    for axes in figure.axes:
        legend = axes.get_legend().get_window_extent()
        assert legend.height <= 1.05 * axes.get_window_extent().height


def test_flares_bars_begin_at_zero_and_chance_is_a_line():
    scores = {"lora": {"ace": [60.0, 62.0], "ban": [58.0]}, "flare": {"ace": [64.0, 66.0]}}
    axes = flare.languages(scores, "macro-F1", 33.0).axes[0]
    assert [bar.get_y() for bar in axes.patches] == [0.0] * 3
    assert sorted(bar.get_height() for bar in axes.patches) == [58.0, 61.0, 65.0]
    assert axes.get_ylim()[0] == 0
    assert any(set(line.get_ydata()) == {33.0} for line in axes.lines)
    assert "another row's label 33.0" in [text.get_text() for text in axes.get_legend().get_texts()]
