"""Figures can be read at the size they are printed: by everybody, at every shape, on every ground."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from lslo_cli import plots
from lslo_cli.flare import plots as flare
from lslo_cli.flare.results import Activation
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import LANG12, LANG30, LANGUAGES
from lslo_cli.plots.style import DASHES, MARKERS, PAGE_HEIGHT, SMALL, Style, ink_on, luminance

M2M_124 = (12, 12)
WIDTHS = (plots.COLUMN_WIDTH, plots.PAGE_WIDTH)
NAMES = (
    "weights", "heatmap", "heatmap-by-layer", "matrices", "matrices-by-language", "relatives", "epochs",
    "schedule", "directions", "pareto",
)  # fmt: skip
RUNS = ("ft-all", "8-8-8", "2-2-8-gps0.9", "64-64-64", "a-run-with-a-name-that-somebody-thought-about")


def draw(made, name, codes, depths, **options) -> Figure:
    languages = [LANGUAGES[code] for code in codes]
    runs = [made.trained(run, final=25 + 3 * n, epochs=15) for n, run in enumerate(RUNS)]
    match name:
        case "weights":
            return plots.weights([made.strategy(depths)], **options)
        case "heatmap" | "heatmap-by-layer":
            result = made.estimate(codes=codes, depths=depths)
            return plots.heatmap([result], languages, by_layer=name.endswith("layer"), **options)
        case "matrices" | "matrices-by-language":
            result = made.estimate(Pool.LANGUAGE, codes=codes, depths=depths)
            return plots.matrices([result], languages, by_language=name.endswith("language"), **options)
        case "relatives":
            return plots.relatives([made.estimate(codes=codes, depths=depths)], languages, **options)
        case "epochs":
            return plots.epochs([*runs, *runs], **options)
        case "schedule":
            return plots.schedule([*runs, made.estimate()], **options)
        case "directions":
            pair = [made.evaluated_everywhere(run, codes, seed) for seed, run in enumerate(("run", "base"))]
            return plots.directions(*([each] for each in pair), **options)
        case _:
            scored = [made.evaluated(run, {("en", "wo"): 1.0}, average=n) for n, run in enumerate(RUNS)]
            costs = [made.trained(run, parameters=9_000_000 * 5**n) for n, run in enumerate(RUNS)]
            return plots.pareto([*scored, made.evaluated("base", {("en", "wo"): 1.0})], costs, **options)


def texts(figure: Figure) -> list[Text]:
    """What is written, with the ticks that lie beyond the axes' limits left out."""
    beyond = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    found = figure.findobj(lambda each: isinstance(each, Text) and each.get_visible())
    return [text for text in found if text.get_text().strip() and text not in beyond]


def tick_labels(figure: Figure) -> list[list[Text]]:
    """The labels of each axis, those that are set further out apart from the others."""
    everything = set(texts(figure))
    rows = []
    for axes in figure.axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            shown = [label for label in labels if label in everything]
            staggered = [label for label in shown if label.get_text().endswith(" ")]
            rows += [staggered, [label for label in shown if label not in staggered]]
    return rows


def assert_legible(figure: Figure) -> None:
    figure.draw_without_rendering()  # as saving does: the layout settles with the second drawing
    page = figure.bbox.padded(1)
    boxes = {text: text.get_window_extent() for text in texts(figure)}
    for text, box in boxes.items():
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, f"{text.get_text()!r} is cut off"
        assert text.get_fontsize() >= SMALL
    ticks = {label for row in tick_labels(figure) for label in row}
    for one, other in combinations(boxes, 2):
        if not (one in ticks and other in ticks):
            a, b = boxes[one].padded(-1), boxes[other].padded(-1)
            assert not a.overlaps(b), f"{one.get_text()!r} is on {other.get_text()!r}"
    for row in tick_labels(figure):
        for one, other in pairwise(row):
            assert_apart(one, other, figure.dpi / 72)


def assert_apart(one: Text, other: Text, pixels: float) -> None:
    """Neighbours along their line of writing do not touch; across it, lines stand 0.9 of their size apart."""
    a, b = one.get_window_extent(), other.get_window_extent()
    if not a.padded(-0.5).overlaps(b.padded(-0.5)):
        return
    x, y = abs(a.x0 + a.x1 - b.x0 - b.x1) / 2, abs(a.y0 + a.y1 - b.y0 - b.y1) / 2
    assert one.get_rotation() == 90 or y > x, f"{one.get_text()!r} touches {other.get_text()!r}"
    assert max(x, y) >= 0.9 * one.get_fontsize() * pixels, f"{one.get_text()!r} is on {other.get_text()!r}"


@pytest.mark.parametrize(
    ("name", "width"),
    [(name, width) for name in NAMES for width in WIDTHS if "by" not in name or width == plots.COLUMN_WIDTH],
)
def test_lang12_on_m2m_124_is_legible(made, name, width):
    figure = draw(made, name, LANG12, M2M_124, width=width)
    assert_legible(figure)
    assert figure.get_figwidth() == width


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("heatmap", plots.COLUMN_WIDTH),
        ("directions", plots.COLUMN_WIDTH),
        ("directions", plots.PAGE_WIDTH),
        ("heatmap-by-layer", plots.PAGE_WIDTH),
        ("matrices-by-language", plots.PAGE_WIDTH),
    ],
)
def test_lang30_is_legible_and_fits_a_page(made, name, width):
    figure = draw(made, name, LANG30, M2M_124, width=width)
    assert_legible(figure)
    assert figure.get_figheight() <= PAGE_HEIGHT


@pytest.mark.parametrize("style", [Style.SCREEN, Style.DARK])
@pytest.mark.parametrize("name", ["weights", "heatmap", "epochs", "schedule", "directions", "pareto"])
def test_a_title_is_on_nothing_else(made, name, style):
    figure = draw(made, name, ("en", "zh", "wo"), (3, 3), width=plots.COLUMN_WIDTH, style=style)
    assert figure.get_suptitle()
    assert_legible(figure)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("name", ["languages", "sources", "activations", "noise"])
def test_what_flare_finds_is_legible(name, style):
    runs = ["zero-shot", "translate-test", "lora", "input-fusion", "x-mixup", "flare-shuffled:add-relu:1"]
    scores = {run: {code: [60 + n, 62.0] for n, code in enumerate(LANG12)} for run in runs}
    match name:
        case "languages":
            figure = flare.languages(scores, "macro-F1", 33.0, style=style)
        case "sources":
            given = {kind: {run: [50.0, 60.0] for run in runs} for kind in ("right", "no", "shuffled")}
            figure = flare.sources(given, dict.fromkeys(runs, 55.0), "macro-F1", style=style)
        case "noise":
            lines = {run: {0.2 * n: [70.0 - 9 * n, 66.0] for n in range(5)} for run in runs[2:]}
            figure = flare.noise(lines, "macro-F1", "shuffle", 0.4, style=style)
        case _:
            figure = flare.activations({(1, "ace"): activations(layers=12)}, style=style)
    assert_legible(figure)


def activations(layers: int) -> list[Activation]:
    return [
        Activation(
            run="flare", adapter=f"encoder.{n}.self.{kind}", source=[0.5 * n] * 8, target=[0.25 * n] * 8
        )
        for n in range(1, layers + 1)
        for kind in ("query", "value")
    ]


@pytest.mark.parametrize("codes", [("wo", "en"), ("en",)])
@pytest.mark.parametrize("name", ["heatmap", "heatmap-by-layer", "matrices", "matrices-by-language"])
def test_two_languages_or_one_are_legible(made, name, codes):
    assert_legible(draw(made, name, codes, (1, 2), width=plots.COLUMN_WIDTH))


def test_demand_that_is_the_same_everywhere_is_drawn_at_zero(made):
    result = made.estimate(kept=0.3)  # what the target asks, but for the rounding to whole entries
    first, *_ = plots.heatmap([result], [LANGUAGES[code] for code in ("en", "wo")]).axes
    assert first.collections[0].get_clim() == (-0.1, 0.1)


def test_no_gain_anywhere_is_drawn_at_zero(made):
    flat = made.evaluated_everywhere("run", LANG12, seed=1, spread=0.0)
    axes = plots.directions([flat], [flat]).axes[0]
    assert axes.collections[0].get_clim() == (-1.0, 1.0)
    assert {text.get_text() for text in axes.texts} == {"0.0", "H", "M", "V"}


@pytest.mark.parametrize("name", ["epochs", "schedule", "weights"])
def test_a_legend_covers_no_data(made, name):
    figure = draw(made, name, LANG12, M2M_124, width=plots.COLUMN_WIDTH)
    figure.draw_without_rendering()
    for axes in figure.axes:
        legend = axes.get_legend().get_window_extent()
        assert not any(legend.overlaps(other.get_window_extent()) for other in figure.axes)


@pytest.mark.parametrize("style", Style)
def test_what_is_written_stands_out_from_the_ground(style):
    look = style.look
    for colour in (look.ink, look.neutral, *look.classes.values()):
        assert contrast(colour, look.ground) >= 4.5  # WCAG 2 for text
    for colour in look.series:
        assert contrast(colour, look.ground) >= 2.99  # and for graphics


@pytest.mark.parametrize("style", Style)
def test_the_numbers_on_a_map_stand_out_from_their_cells(made, style):
    axes = draw(made, "directions", LANG12, (2, 2), style=style).axes[0]
    norm, colours = axes.collections[0].norm, style.look.gain
    written = [text for text in axes.texts if text.get_text() not in "HMLV"]
    assert len(written) == 132
    for text in written:
        ground = colours(norm(float(text.get_text())))[:3]
        assert contrast(text.get_color(), ground) >= 4.4


def test_ink_is_the_one_of_black_and_white_with_more_contrast():
    for grey in np.linspace(0, 1, 21):
        ground = (grey, grey, grey)
        assert contrast(ink_on(ground), ground) == max(contrast(ink, ground) for ink in ("black", "white"))


# Dichromats see colours as these matrices say in linear RGB (Machado, Oliveira and Fernandes 2009).
SEEN_WITHOUT = {
    "green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "nothing": np.eye(3),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE_POINT = np.array([0.95047, 1.0, 1.08883])


def seen(colour, lacking: str) -> np.ndarray:
    """A colour in CIELAB as someone without these cones sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(np.array(SEEN_WITHOUT[lacking]) @ linear, 0, 1) / WHITE_POINT
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def difference(one, other, lacking: str) -> float:
    """Distance in CIELAB: 2 is just noticed, 20 is plain."""
    return float(np.linalg.norm(seen(one, lacking) - seen(other, lacking)))


def contrast(one, other) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("lacking", SEEN_WITHOUT)
@pytest.mark.parametrize("style", Style)
def test_colours_are_told_apart_by_colour_blind_readers(style, lacking):
    look = style.look
    for palette in (look.series, tuple(look.classes.values())):
        assert min(difference(*pair, lacking) for pair in combinations(palette, 2)) > 20
    for colours in (look.demand, look.gain):
        assert difference(colours(0.25), colours(0.75), lacking) > 35
        assert difference(colours(0.0), colours(1.0), lacking) > 19


@pytest.mark.parametrize("style", Style)
def test_a_map_at_zero_is_near_the_ground_and_moves_away_from_it_on_both_sides(style):
    look = style.look
    for colours in (look.demand, look.gain):
        for side in (np.linspace(0.5, 0, 6), np.linspace(0.5, 1, 6)):
            away = [abs(luminance(colours(x)[:3]) - luminance(look.ground)) for x in side]
            assert away[0] < 0.1
            assert all(near < far for near, far in pairwise(away[1:]))


def test_lines_side_by_side_differ_in_marker_and_dashes_too(made):
    axes = draw(made, "epochs", LANG12, (2, 2)).axes[0]
    lines = axes.lines[: len(RUNS)]
    assert len({line.get_marker() for line in lines}) == len(RUNS) <= len(MARKERS)
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == len(DASHES)
