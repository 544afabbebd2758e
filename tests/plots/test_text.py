"""Figures for terminals."""

import numpy as np
import pytest

from lslo_cli import plots
from lslo_cli.method.importance import Pool, mean_demand
from lslo_cli.method.languages import LANG12, LANG30, LANGUAGES
from lslo_cli.method.sites import KINDS, Stack
from lslo_cli.plots.text import bar, sparkline

LANGS = [LANGUAGES[code] for code in ("wo", "en", "fr", "zh", "sd")]


def lines(figure):
    return str(figure).splitlines()


def every_text(made, codes):
    languages = [LANGUAGES[code] for code in codes]
    across, within = (made.estimate(pool, (12, 12), codes=codes) for pool in (Pool.LAYER, Pool.LANGUAGE))
    pair = [made.evaluated_everywhere(name, codes, seed) for seed, name in enumerate(("run", "base"))]
    runs = [made.trained("a-run-with-a-name-that-somebody-thought-about", epochs=60), made.trained("full")]
    scored = [made.evaluated(run.run, {("en", "wo"): 1.0}) for run in runs]
    return [
        plots.weights_text([made.strategy((12, 12))]),
        plots.heatmap_text([across], languages),
        plots.heatmap_text([across], languages, by_layer=True),
        plots.matrices_text([within], languages),
        plots.matrices_text([within], languages, by_language=True),
        plots.epochs_text(runs),
        plots.schedule_text(runs),
        plots.directions_text(*([each] for each in pair)),
        plots.pareto_text(scored, runs),
    ]


@pytest.mark.parametrize("codes", [LANG12, LANG30, ("en", "wo")])
def test_no_line_is_wider_than_a_terminal_of_80_columns(made, codes):
    for figure in every_text(made, codes):
        assert max(map(len, lines(figure))) <= 80


def test_heatmap_text_shows_signed_percentage_points_of_a_matrix(made):
    result = made.estimate()
    demand = {s: mean_demand(result.pruned.matrices("B"), 0.7, s, as_share=True) for s in Stack}
    figure = plots.heatmap_text([result], LANGS)
    assert lines(figure)[1].split() == [*KINDS[Stack.ENCODER], *KINDS[Stack.DECODER]]
    rows = figure.lines[2:7]
    assert [row[0].text.split() for row in rows] == [
        ["H", "en"], ["H", "fr"], ["M", "zh"], ["V", "wo"], ["V", "sd"]
    ]  # fmt: skip
    for row in rows:
        code = row[0].text.split()[1]
        cells = [span.text for span in row[1:] if span.text.strip()]
        numbers = [int(cell.rstrip(" ░▒▓█")) for cell in cells]
        assert numbers == [round(100 * demand[s][code, kind]) for s in Stack for kind in KINDS[s]]
        assert [cell[-1] in "░▒▓█" for cell in cells] == [number > 0 for number in numbers]


def test_a_map_for_each_layer_has_its_title(made):
    shown = lines(plots.heatmap_text([made.estimate()], LANGS, by_layer=True))
    assert [line for line in shown if line.startswith("Layer")] == ["Layer 1", "Layer 2"]


def test_every_cell_has_the_colour_of_its_value(made):
    figure = plots.directions_text(
        [made.evaluated("run", {("en", "wo"): 9.0, ("wo", "en"): 1.0})],
        [made.evaluated("base", {("en", "wo"): 1.0, ("wo", "en"): 9.0})],
    )
    backgrounds = {text.strip(): ground for line in figure.lines for text, ground in line if ground}
    assert backgrounds == {"+8.0": "#00441b", "-8.0": "#40004b"}  # the ends of PRGn


@pytest.mark.parametrize("codes", [LANG12, LANG30])
def test_directions_text_has_every_gain_in_order_of_resource(made, codes):
    run, base = (made.evaluated_everywhere(name, codes, seed) for seed, name in enumerate(("run", "base")))
    before = base.scores()
    gains = {(d.src, d.tgt): gain - before[d] for d, gain in run.scores().items()}
    limit = max(map(abs, gains.values()))
    rows = [line for line in plots.directions_text([run], [base]).lines if len(line) > 1]
    assert [line[0].text.split()[1] for line in rows] == list(codes)
    for src, row in zip(codes, rows, strict=True):
        for tgt, cell in zip(codes, row[1:], strict=True):
            if src == tgt:
                assert cell.text.strip() == "·"
            elif len(codes) == 12:
                assert float(cell.text) == pytest.approx(gains[src, tgt], abs=0.051)
            else:
                assert int(cell.text) == round(9 * gains[src, tgt] / limit)


def test_a_bar_has_eighths():
    assert bar(0.5, 4) == "██  "
    assert bar(0.53125, 4) == "██▏ "
    assert (bar(0.0, 2), bar(1.0, 2), bar(7.0, 2)) == ("  ", "██", "██")


def test_a_sparkline_runs_from_lowest_to_highest_and_lies_low_where_nothing_changes():
    assert sparkline([0, 7, 3.5], 0, 7) == "▁█▅"
    assert sparkline([2, 2], 2, 2) == "▁▁"


def test_epochs_text_names_first_best_and_last(made):
    shown = lines(plots.epochs_text([made.trained(final=30.5)]))
    assert shown[1].split() == ["2-2-8", "█▆▃▁", "31.00", "31.00", "30.50"]
    assert shown[2].split() == ["base", "30.00"]


def test_pareto_text_stars_the_runs_that_no_cheaper_run_equals(made):
    averages = {"base": 12.0, "full": 15.0, "small": 14.0, "worse": 13.0}
    costs = {"full": 1000, "small": 10, "worse": 100}
    figure = plots.pareto_text(
        [made.evaluated(run, {("en", "wo"): 1.0}, average=value) for run, value in averages.items()],
        [made.trained(run, parameters=cost) for run, cost in costs.items()],
    )
    rows = [line.replace("*", "* ").split() for line in lines(figure)[1:5]]
    assert [row[:2] for row in rows] == [["base", "0"], ["*", "small"], ["worse", "100"], ["*", "full"]]


def test_weights_text_shows_the_share_of_the_source(made):
    shown = lines(plots.weights_text([made.strategy()]))
    assert shown[1].split() == ["encoder.1", "0.900", "█" * 36 + "·" * 4, "0.100"]


def test_schedule_text_has_a_bar_for_every_epoch(made):
    shown = lines(plots.schedule_text([made.trained()]))
    assert shown[0] == "2-2-8: target 0.9, measured 0.8750"
    assert [float(line.split()[1]) for line in shown[1:]] == pytest.approx([0, 0.7875, 0.9, 0.9])
    assert np.diff([len(line) for line in shown[1:]]).min() >= 0
