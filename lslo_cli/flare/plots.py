"""Figures of ``lslo flare``: methods by language, fusion functions, activations by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lslo_cli.flare.results import Activation
from lslo_cli.method.statistics import interval_over_seeds
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    DASHES,
    LEGEND_LINE,
    MARKERS,
    PAGE_WIDTH,
    Look,
    Style,
    legend_below,
    new_figure,
    note,
    styled,
    title,
)
from lslo_cli.wording import over

HATCHES = ("", "////", "....", "xxxx", "---", "ooo", "\\\\\\\\")
"""Adjacent bars differ in colour and pattern, so they can be read without colour. There is one pattern more
than colours, so that no pair repeats."""

Scores = Mapping[str, Mapping[str, Sequence[float]]]
"""By series, then by tick of the axis: one score for each seed."""

SIDES = ("source", "target")


@styled
def languages(
    scores: Scores,
    metric: str,
    chance: float | None,
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Every run's score by target language: means over seeds with their sample standard deviation.

    ``chance``, a dashed line, is the score of another row's label, None if answers are no labels.
    """
    look = style.look
    columns = 4 if width > 5 else 1
    entries = len(scores) + (chance is not None)
    figure = new_figure(look, width, 2.3 + 0.13 * -(-entries // columns))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for by_language in scores.values() for name in by_language))
    _bars(axes, look, scores, names)
    if chance is not None:
        label = f"another row's label {chance:.1f}"
        axes.axhline(chance, color=look.neutral, linewidth=0.9, linestyle="--", label=label)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    axes.margins(x=0.01)
    axes.set(xlabel="Target language", ylabel=metric)
    legend_below(axes, columns)
    note(figure, look, f"{over('mean ± sample standard deviation', _counts(scores)).capitalize()}.")
    title(figure, look, "Transfer from English, by target language")
    return figure


@styled
def sources(
    scores: Scores,
    alone: Mapping[str, float],
    metric: str,
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Fused runs with the right source and with those of the controls.

    ``scores`` are by kind of source, then by run, each a mean over languages. ``alone`` are lines for
    comparison: runs without fusion, and chance.
    """
    look = style.look
    names = list(dict.fromkeys(name for by_run in scores.values() for name in by_run))
    columns = 2 if width > 5 else 1
    rows = -(-(len(scores) + len(alone)) // columns)
    figure = new_figure(look, width, 0.75 + 0.27 * len(names) + 0.13 * rows)
    axes = figure.subplots()
    step = 0.5 / len(scores)
    for number, (kind, by_run) in enumerate(scores.items()):
        shown = [row for row, name in enumerate(names) if name in by_run]
        values = [by_run[names[row]] for row in shown]
        shift = (number - (len(scores) - 1) / 2) * step
        axes.errorbar(
            [fmean(each) for each in values], [row + shift for row in shown],
            xerr=[_deviation(each) for each in values], color=look.series[number], marker=MARKERS[number],
            markersize=4, linestyle="", elinewidth=0.9, label=f"{kind} source",
        )  # fmt: skip
    for number, (name, value) in enumerate(alone.items()):
        axes.axvline(
            value, color=look.neutral, linewidth=0.8 * (1 + number // len(DASHES)),
            linestyle=DASHES[number % len(DASHES)], label=f"{name} {value:.1f}", zorder=0,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(f"{metric}, mean over languages")
    legend_below(axes, columns)
    note(figure, look, f"{over('mean ± sample standard deviation', _counts(scores)).capitalize()}.")
    title(figure, look, "Fusion functions with right and wrong sources")
    return figure


@styled
def activations(
    found: Mapping[tuple[int, str], Sequence[Activation]],
    noise: str = "",
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Mean of relu(S) and relu(T) in the bottlenecks: of the first adapter by dimension, then by layer.

    ``found`` are one run's adapters by seed and language, in the order of the model. The first panel is the
    paper's figure 5, for Acehnese if available, and one seed, since dimensions of different seeds do not
    correspond. The others are means over dimensions and languages, with a band from the lowest seed to the
    highest. ``noise`` says how much of it the sources have, if any.
    """
    look = style.look
    key = next((key for key in sorted(found) if key[1] == "ace"), min(found))
    first = found[key][0]
    kinds = list(dict.fromkeys(_kind(item) for items in found.values() for item in items))
    figure = new_figure(look, width, 2.0 if width > 5 else 1.6 * (1 + len(kinds)))
    shape = (1, 1 + len(kinds)) if width > 5 else (1 + len(kinds), 1)
    by_dimension, *panels = figure.subplots(*shape, squeeze=False).flat
    _dimensions(by_dimension, look, first)
    by_dimension.set_title(f"Layer {_layer(first)} {_kind(first)}, {key[1]}, seed {key[0]}", loc="left")
    for axes, kind in zip(panels, kinds, strict=True):
        _layers(axes, look, found, kind)
        axes.set_title(f"{kind.capitalize()}, mean over languages", loc="left")
    top = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, top)
    by_dimension.set_ylabel("Mean activation")
    legend_below(by_dimension, columns=2)
    title(figure, look, "Activations of source and target in the bottleneck" + (noise and f", {noise}"))
    return figure


@styled
def noise(
    scores: Mapping[str, Mapping[float, Sequence[float]]],
    metric: str,
    kind: str,
    trained_with: float,
    *,
    width: float = COLUMN_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Scores against the share of words that were changed in the sources of tests.

    ``scores`` are by run, then by share from 0 to 1: one for each seed, a mean over languages. Bars are the
    95 % interval of the mean over seeds (Student's t), if there are at least two. ``kind`` is the change of
    words, ``trained_with`` the share of changed words in training, for runs whose name has none.
    """
    look = style.look
    columns = 2 if width > 5 else 1
    figure = new_figure(look, width, 2.1 + LEGEND_LINE * -(-len(scores) // columns))
    axes = figure.subplots()
    marks = look.marks(list(scores))
    for number, (run, by_share) in enumerate(scores.items()):
        shares = sorted(share for share, values in by_share.items() if values)
        means = [fmean(by_share[share]) for share in shares]
        intervals = [interval_over_seeds(by_share[share]) for share in shares]
        axes.errorbar(
            [100 * share + 0.6 * (number - (len(scores) - 1) / 2) for share in shares], means,
            yerr=[each.high - mean if each else 0.0 for each, mean in zip(intervals, means, strict=True)],
            color=marks[run].colour, marker=marks[run].marker, linestyle=marks[run].dashes,
            elinewidth=0.8, capsize=1.5, label=run,
        )  # fmt: skip
    done = {"replace": "replaced", "drop": "dropped", "shuffle": "shuffled"}[kind]
    axes.set(xlabel=f"Words {done} in the source, %", ylabel=f"Mean {metric}")
    legend_below(axes, columns)
    interval = over("95 % interval", _counts(scores))
    others = ", or with the share after ~" if any("~" in run for run in scores) else ""
    note(figure, look, f"Means over languages, {interval}. Trained with {trained_with:.0%} {done}{others}.")
    title(figure, look, "Score against noise in the sources")
    return figure


def _bars(axes: Axes, look: Look, scores: Scores, names: Sequence[str]) -> None:
    """A group of bars for each of ``names``, one bar for each series of ``scores``."""
    thickness = 0.86 / len(scores)
    for number, (series, by_name) in enumerate(scores.items()):
        shown = [place for place, name in enumerate(names) if name in by_name]
        values = [by_name[names[place]] for place in shown]
        axes.bar(
            [place + (number - (len(scores) - 1) / 2) * thickness for place in shown],
            [fmean(each) for each in values], thickness,
            yerr=[_deviation(each) for each in values], label=series,
            color=look.series[number % len(look.series)], edgecolor=look.ground, linewidth=0.4,
            hatch=HATCHES[number % len(HATCHES)],
            error_kw={"elinewidth": 0.7, "ecolor": look.ink},
        )  # fmt: skip


def _dimensions(axes: Axes, look: Look, item: Activation) -> None:
    places = range(1, len(item.source) + 1)
    for offset, side, colour, hatch in zip((-0.2, 0.2), SIDES, look.series, HATCHES, strict=False):
        axes.bar(
            [place + offset for place in places], getattr(item, side), 0.4, label=side, color=colour,
            hatch=hatch, edgecolor=look.ground, linewidth=0.4,
        )  # fmt: skip
    axes.set_xlabel("Dimension of the bottleneck")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _layers(axes: Axes, look: Look, found: Mapping[tuple[int, str], Sequence[Activation]], kind: str) -> None:
    layers = sorted({_layer(item) for items in found.values() for item in items if _kind(item) == kind})
    for side, colour, marker, dashes in zip(SIDES, look.series, MARKERS, DASHES, strict=False):
        seeds = [
            [
                fmean(
                    value
                    for (number, _), items in found.items()
                    if number == seed
                    for item in items
                    if _kind(item) == kind and _layer(item) == layer
                    for value in getattr(item, side)
                )
                for layer in layers
            ]
            for seed in dict.fromkeys(seed for seed, _ in found)
        ]
        by_layer = list(zip(*seeds, strict=True))
        axes.plot(layers, list(map(fmean, by_layer)), color=colour, marker=marker, linestyle=dashes)
        axes.fill_between(
            layers, list(map(min, by_layer)), list(map(max, by_layer)), color=colour, alpha=0.15, linewidth=0
        )
    axes.set_xlabel("Layer")
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))


def _kind(item: Activation) -> str:
    """``query`` of ``encoder.1.attention.self.query``."""
    return item.adapter.rpartition(".")[2]


def _layer(item: Activation) -> int:
    return int(item.adapter.split(".")[1])


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _counts(scores: Mapping[str, Mapping[Any, Sequence[float]]]) -> set[int]:
    """The numbers of seeds of all values."""
    return {len(seeds) for by_name in scores.values() for seeds in by_name.values()}
