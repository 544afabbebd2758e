"""What ``lslo flare`` finds as figures: methods by language, fusion functions, activations by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lslo_cli.artifacts.transfer_results import Activation
from lslo_cli.plots.style import (
    DASHES,
    MARKERS,
    PAGE_WIDTH,
    SMALL,
    Look,
    Style,
    legend_below,
    new_figure,
    styled,
    title,
)

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "oo")
"""Bars beside each other differ in colour and pattern, so they need no colour."""

Scores = Mapping[str, Mapping[str, Sequence[float]]]
"""By run, then by language: one score for each seed."""


@styled
def languages(
    scores: Scores, metric: str, *, width: float = PAGE_WIDTH, style: Style = Style.PAPER
) -> Figure:
    """Every run's score by target language: bars are means over seeds, whiskers minimum and maximum."""
    look = style.look
    figure = new_figure(look, width, 2.6 + 0.12 * len(scores))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for by_language in scores.values() for name in by_language))
    _bars(axes, look, scores, names)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="Target language", ylabel=metric, ylim=_limits(scores))
    legend_below(axes, columns=3)
    title(figure, look, "Transfer from English, by target language")
    return figure


@styled
def sources(
    scores: Mapping[str, Mapping[str, Sequence[float]]],
    reference: Mapping[str, float],
    metric: str,
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Fusion functions with the right source, with none and with a wrong one.

    ``scores`` are by kind of source, then by run: one mean over languages for each seed. ``reference`` are
    runs that fuse nothing, as dashed lines.
    """
    look = style.look
    figure = new_figure(look, width, 2.6 + 0.12 * len(scores))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for by_run in scores.values() for name in by_run))
    _bars(axes, look, scores, names)
    for (name, value), dashes in zip(reference.items(), cycle(DASHES[1:]), strict=False):
        axes.axhline(value, color=look.neutral, linewidth=0.9, linestyle=dashes, label=f"{name} {value:.1f}")
    axes.set_xticks(range(len(names)), [name.replace(":", "\n") for name in names], fontsize=SMALL)
    axes.set(ylabel=f"{metric}, mean over languages", ylim=_limits(scores))
    legend_below(axes, columns=3)
    title(figure, look, "Fusion functions, and what the source is worth")
    return figure


@styled
def activations(
    found: Sequence[Activation], *, width: float = PAGE_WIDTH, style: Style = Style.PAPER
) -> Figure:
    """Mean of relu(S) and relu(T) in the bottlenecks, by layer (the paper's figure 5 has the first alone).

    ``found`` are the adapters of one or several runs; lines are means over all of them and over dimensions.
    """
    look = style.look
    kinds = sorted({item.adapter.rpartition(".")[2] for item in found})
    figure = new_figure(look, width, 2.2)
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        chosen = [item for item in found if item.adapter.endswith(f".{kind}")]
        layers = sorted({int(item.adapter.split(".")[1]) for item in chosen})
        for side, colour, marker, dashes in zip(
            ("source", "target"), look.series, MARKERS, DASHES, strict=False
        ):
            means = [
                fmean(
                    value
                    for item in chosen
                    if int(item.adapter.split(".")[1]) == layer
                    for value in getattr(item, side)
                )
                for layer in layers
            ]
            axes.plot(layers, means, color=colour, marker=marker, linestyle=dashes, label=side)
        axes.set_title(kind, loc="left")
        axes.set_xlabel("Layer")
        axes.set_xticks(layers)
    panels[0].set_ylabel("Mean activation")
    panels[0].set_ylim(bottom=0)
    panels[0].legend()
    title(figure, look, "Activations of source and target in the bottleneck")
    return figure


def _bars(axes: Axes, look: Look, scores: Scores, names: Sequence[str]) -> None:
    """A group of bars for each of ``names``, one for each series of ``scores``."""
    thickness = 0.84 / len(scores)
    for number, (series, by_name) in enumerate(scores.items()):
        shown = [place for place, name in enumerate(names) if name in by_name]
        means = [fmean(by_name[names[place]]) for place in shown]
        below = [mean - min(by_name[names[place]]) for mean, place in zip(means, shown, strict=True)]
        above = [max(by_name[names[place]]) - mean for mean, place in zip(means, shown, strict=True)]
        axes.bar(
            [place + (number - (len(scores) - 1) / 2) * thickness for place in shown],
            means, thickness, yerr=[below, above], label=series, color=look.series[number % len(look.series)],
            hatch=HATCHES[number % len(HATCHES)], edgecolor=look.ground, linewidth=0.3,
            error_kw={"elinewidth": 0.6, "ecolor": look.ink},
        )  # fmt: skip


def _limits(scores: Scores) -> tuple[float, float]:
    """From a little below the lowest score to a little above the highest."""
    values = [value for by_name in scores.values() for seeds in by_name.values() for value in seeds]
    return max(0.0, min(values) - 8), max(values) + 2
