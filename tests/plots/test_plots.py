import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from lslo_cli import plots
from lslo_cli.artifacts.results import (
    Curve,
    CurvePoint,
    DirectionScore,
    EpochRecord,
    EvaluationResult,
    IndexStrategyResult,
    LearnedWeights,
    PrunedTable,
    SubspaceResult,
    TensorFile,
    TrainingResult,
)
from lslo_cli.artifacts.schema import LanguageRecord
from lslo_cli.errors import InputError
from lslo_cli.method.importance import (
    Pool,
    PrunedMatrix,
    mean_demand,
    mean_demand_by_layer,
    scores_by_language,
)
from lslo_cli.method.languages import LANGUAGES
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import KINDS, SiteSet, Stack, sites
from lslo_cli.method.strategy import Index

CODES = ("wo", "en", "fr", "zh", "sd")  # in no order of resource
LANGS = [LANGUAGES[code] for code in CODES]
IN_ORDER = ["en", "fr", "zh", "wo", "sd"]
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:flores101|smooth:exp|version:2.6.0"


def estimate(pool=Pool.LAYER, depths=(2, 2), site_set=SiteSet.ALL):
    rng = np.random.default_rng(1)
    matrices = [
        PrunedMatrix(site, code, int(rng.integers(50, 90)), 100)
        for site in sites(*depths, site_set)
        for code in CODES
    ]
    return SubspaceResult(
        pool=pool,
        rank=8,
        target_ratio=0.7,
        pruned=PrunedTable.of([(matrix, "B") for matrix in matrices]),
        scores=scores_by_language(matrices, 0.7),
        mean_rank=4.0,
        ranks=dict.fromkeys(CODES, 4),
        history=[
            EpochRecord(epoch=e, loss=1.0, updates=e, tokens=1, target_ratio=0.35 * (e - 1))
            for e in (1, 2, 3)
        ],
    )


def strategy():
    rows = [
        LearnedWeights(
            layer=f"{stack}.{number}", source_weight=weight, target_weight=1 - weight, index=Index.SOURCE
        )
        for stack, weights in (("encoder", (0.75, 0.25)), ("decoder", (0.4, 0.3)))
        for number, weight in enumerate(weights, start=1)
    ]
    return IndexStrategyResult(rank=8, layers=rows, trajectory=[], history=[])


def trained(run="2-2-8", ratio=0.9, final=33.0, groups=("H2H", "V2V"), parameters=1000, **curve):
    schedule = GradualPruning(ratio, 1, 2, 4)
    points = [
        CurvePoint(epoch=epoch, spbleu=dict.fromkeys(groups, value))
        for epoch, value in enumerate((30.0, 31.0, 32.0, 32.5, final))
    ]
    return TrainingResult(
        run=run,
        method="lslo",
        index={},
        index_source="paper",
        ranks={},
        sites="all",
        target_ratio=ratio,
        start_epoch=1,
        duration=2,
        pruned_languages=["en"],
        prune_targets="both",
        trainable_parameters=parameters,
        trainable_parameters_paper_style=None,
        nonzero_parameters=parameters,
        pruned=PrunedTable(
            rows=[
                ("encoder.1.q", "en", "A", 90, 100),
                ("encoder.1.q", "en", "B", 85, 100),
                ("encoder.1.q", "wo", "B", 0, 400),
            ]
        ),
        history=[
            EpochRecord(epoch=e, loss=1.0, updates=e, tokens=1, target_ratio=schedule.ratio_at(e))
            for e in range(1, 5)
        ],
        curve=Curve(**{"rows": 50, "signature": SIGNATURE, "points": points, **curve}),
        weights=TensorFile(path="weights", digest="0"),
        skipped_sentences=0,
    )


def evaluated(run, scores, average=1.0, signature=SIGNATURE):
    rows = [
        DirectionScore(
            src=src, tgt=tgt, sentences=1, spbleu=score, counts=[1] * 4, totals=[1] * 4,
            hypothesis_length=1, reference_length=1, chrf=score,
        )
        for (src, tgt), score in scores.items()
    ]  # fmt: skip
    return EvaluationResult(
        run=run,
        languages=[LanguageRecord.of(language) for language in LANGS],
        search={},
        spbleu_signature=signature,
        chrf_signature="chrf",
        directions=rows,
        groups={},
        average=average,
        chrf_groups={},
        chrf_average=average,
    )


def cells(axes, columns):
    return np.ma.filled(axes.collections[0].get_array().astype(float), np.nan).reshape(-1, columns)


def labels(axis_labels):
    return [label.get_text() for label in axis_labels]


# Demand maps


def test_heatmap_shows_mean_demand_of_every_language_and_matrix_in_order_of_resource():
    result = estimate()
    encoder, decoder, _ = plots.heatmap(result, LANGS).axes
    for axes, stack in ((encoder, Stack.ENCODER), (decoder, Stack.DECODER)):
        expected = mean_demand(result.pruned.matrices("B"), 0.7, stack)
        shown = cells(axes, len(KINDS[stack]))
        assert shown == pytest.approx(
            np.array([[expected[code, k] for k in KINDS[stack]] for code in IN_ORDER])
        )
        assert labels(axes.get_xticklabels()) == list(KINDS[stack])
        assert axes.get_xlabel() == stack.capitalize()
    assert labels(encoder.get_yticklabels()) == IN_ORDER
    assert labels(decoder.get_yticklabels()) == []


def test_all_panels_of_a_map_share_one_colour_scale_centred_on_zero():
    result = estimate()
    largest = max(abs(v) for s in Stack for v in mean_demand(result.pruned.matrices("B"), 0.7, s).values())
    *panels, bar = plots.heatmap(result, LANGS).axes
    assert {axes.collections[0].get_clim() for axes in panels} == {(-largest, largest)}
    assert bar.get_xlim() == pytest.approx((-largest, largest))


def test_resource_classes_are_marked_by_letters_and_by_colours():
    encoder = plots.heatmap(estimate(), LANGS).axes[0]
    assert [text.get_text() for text in encoder.texts] == ["H", "M", "V"]
    colours = [label.get_color() for label in encoder.get_yticklabels()]
    assert colours[0] == colours[1] and colours[3] == colours[4]
    assert len(set(colours)) == 3


def test_heatmap_by_layer_has_a_pair_of_panels_for_each_layer():
    result = estimate()
    *panels, _ = plots.heatmap(result, LANGS, by_layer=True).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["Layer 1", "", "Layer 2", ""]
    second = [m for m in result.pruned.matrices("B") if m.site.layer.number == 2]
    expected = mean_demand(second, 0.7, Stack.DECODER)
    shown = cells(panels[3], 8)
    assert shown == pytest.approx(
        np.array([[expected[code, kind] for kind in KINDS[Stack.DECODER]] for code in IN_ORDER])
    )


def test_a_layer_that_one_stack_has_not_is_left_empty():
    *panels, _ = plots.heatmap(estimate(depths=(1, 2)), LANGS, by_layer=True).axes
    assert np.isnan(cells(panels[2], 5)).all()
    assert not np.isnan(cells(panels[3], 8)).any()


def test_matrices_averages_over_languages_and_counts_layers_from_one_at_the_top():
    result = estimate(Pool.LANGUAGE)
    encoder, decoder, _ = plots.matrices(result, LANGS).axes
    expected = mean_demand_by_layer(result.pruned.matrices("B"), 0.7)
    by_name = {(str(layer), kind): value for (layer, kind), value in expected.items()}
    shown = np.array([[by_name[f"decoder.{n}", kind] for kind in KINDS[Stack.DECODER]] for n in (1, 2)])
    assert cells(decoder, 8) == pytest.approx(shown)
    assert labels(encoder.get_yticklabels()) == ["1", "2"]
    assert encoder.yaxis_inverted()


def test_matrices_by_language_has_a_pair_of_panels_for_each_language():
    *panels, _ = plots.matrices(estimate(Pool.LANGUAGE), LANGS, by_language=True).axes
    titles = [axes.get_title(loc="left") for axes in panels[::2]]
    assert titles == ["en (H)", "fr (H)", "zh (M)", "wo (V)", "sd (V)"]


def test_maps_show_only_the_matrices_that_carry_adapters():
    encoder, decoder, _ = plots.heatmap(estimate(site_set=SiteSet.FEED_FORWARD), LANGS).axes
    assert labels(encoder.get_xticklabels()) == labels(decoder.get_xticklabels()) == ["fc1", "fc2"]


def test_heatmap_needs_an_estimate_across_languages():
    with pytest.raises(InputError, match="pool language") as error:
        plots.heatmap(estimate(Pool.LANGUAGE), LANGS)
    assert error.value.hint == "estimate across languages: lslo estimate-subspace --pool layer"


def test_matrices_needs_an_estimate_that_compares_matrices():
    with pytest.raises(InputError, match="pool layer-kind") as error:
        plots.matrices(estimate(Pool.LAYER_KIND), LANGS)
    assert error.value.hint == "estimate within languages: lslo estimate-subspace --pool language"


def test_maps_say_what_was_pruned_together():
    assert plots.heatmap(estimate(), LANGS).get_supxlabel() == (
        "all languages and matrices of a layer pruned together, target ratio 0.7"
    )
    assert plots.matrices(estimate(Pool.LANGUAGE), LANGS).get_supxlabel() == (
        "all matrices of a language pruned together, target ratio 0.7"
    )


def test_matrices_from_one_pool_per_layer_are_not_to_be_compared_between_layers():
    figure = plots.matrices(estimate(Pool.LAYER), LANGS)
    assert figure.get_supxlabel().replace("\n", " ").endswith("; compare within a layer only")


def test_heatmap_text_shows_signed_percentages_of_the_largest_demand_within_80_columns():
    result = estimate()
    demand = {s: mean_demand(result.pruned.matrices("B"), 0.7, s) for s in Stack}
    limit = max(abs(value) for values in demand.values() for value in values.values())
    lines = str(plots.heatmap_text(result, LANGS)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == [*KINDS[Stack.ENCODER], *KINDS[Stack.DECODER]]
    rows = [line.split() for line in lines[2:7]]
    assert [row[:2] for row in rows] == [["H", "en"], ["H", "fr"], ["M", "zh"], ["V", "wo"], ["V", "sd"]]
    numbers = [int(cell.rstrip("░▒▓█")) for cell in rows[0][2:]]
    expected = [demand[s]["en", kind] for s in Stack for kind in KINDS[s]]
    assert numbers == [round(100 * value / limit) for value in expected]
    shaded = [cell[-1] in "░▒▓█" for cell in rows[0][2:]]
    assert shaded == [number > 0 for number in numbers]


def test_heatmap_text_fills_the_block_at_the_largest_demand():
    text = str(plots.heatmap_text(estimate(), LANGS))
    assert ("+100█" in text) != ("-100 " in text)


# Curves


def test_weights_draws_four_series_by_layer():
    (axes,) = plots.weights(strategy()).axes
    series = {line.get_label(): list(line.get_ydata()) for line in axes.lines[1:]}
    assert series == {
        "encoder source": [0.75, 0.25],
        "encoder target": [0.25, 0.75],
        "decoder source": [0.4, 0.3],
        "decoder target": [0.6, 0.7],
    }


def test_epochs_has_a_panel_for_each_group_with_final_values_and_the_base():
    figure = plots.epochs([trained("8-8-8", final=28.46), trained("2-2-8", final=33.23)])
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("H2H", "V2V")
    names = [text.get_text() for text in first.get_legend().get_texts()]
    assert names == ["8-8-8  28.46", "2-2-8  33.23", "base  30.00"]
    assert list(first.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert set(first.lines[-1].get_ydata()) == {30.0}
    assert SIGNATURE in figure.get_supxlabel().replace("\n", "")


def test_a_run_without_a_curve_names_the_command_that_records_it():
    run = trained("2-2-8").model_copy(update={"curve": None})
    with pytest.raises(InputError, match="run 2-2-8 has no quality by epoch") as error:
        plots.epochs([run])
    assert error.value.hint == "record it: lslo train --run 2-2-8 --curve-rows 50"


def test_a_curve_without_the_group_names_the_groups_it_has():
    with pytest.raises(InputError, match="no quality by epoch for V2V; it has H2H, M2M") as error:
        plots.epochs([trained(groups=("H2H", "M2M"))])
    assert '--set \'train.curve_groups=["H2H", "V2V"]\'' in error.value.hint


def test_epochs_without_runs_and_runs_scored_differently_are_refused():
    with pytest.raises(InputError, match="no training run"):
        plots.epochs([])
    with pytest.raises(InputError, match="scored differently: 50 sentences .* and 20 with"):
        plots.epochs([trained("a"), trained("b", rows=20)])


def test_schedule_draws_the_recorded_ratios_and_what_was_counted_at_the_end():
    (axes,) = plots.schedule([trained(ratio=0.9), estimate()]).axes
    ratios, ring, estimated, _ = axes.lines
    assert list(ratios.get_ydata()) == pytest.approx([0, 0.7875, 0.9, 0.9])
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([4], [0.875])
    assert ratios.get_label() == "2-2-8  target 0.9, measured 0.875"
    assert estimated.get_label().startswith("subspace estimation  target 0.7, measured 0.6")


def test_schedule_of_a_run_that_pruned_nothing_names_the_flag():
    with pytest.raises(InputError, match="run 2-2-8 pruned nothing") as error:
        plots.schedule([trained(ratio=0.0)])
    assert error.value.hint == "prune one: lslo train --gps 0.9"


# Scores


def test_directions_shows_the_gain_by_source_row_and_target_column():
    before = {("en", "wo"): 5.0, ("wo", "en"): 9.0, ("en", "fr"): 30.0}
    after = {("en", "wo"): 12.0, ("wo", "en"): 8.0, ("fr", "en"): 30.0}
    axes = plots.directions(evaluated("2-2-8", after), evaluated("base", before)).axes[0]
    expected = np.full((5, 5), np.nan)
    expected[0, 3], expected[3, 0] = 7.0, -1.0
    assert cells(axes, 5) == pytest.approx(expected, nan_ok=True)
    assert labels(axes.get_xticklabels()) == labels(axes.get_yticklabels()) == IN_ORDER
    assert axes.collections[0].get_clim() == (-7.0, 7.0)


def test_directions_refuses_runs_that_share_none_or_another_metric():
    run = evaluated("2-2-8", {("en", "wo"): 5.0})
    with pytest.raises(InputError, match="runs 2-2-8 and base share no direction"):
        plots.directions(run, evaluated("base", {("wo", "en"): 5.0}))
    with pytest.raises(InputError, match="different metrics"):
        plots.directions(run, evaluated("base", {("en", "wo"): 5.0}, signature="tok:13a"))


def test_pareto_joins_the_runs_that_no_cheaper_run_equals():
    scores = {("en", "wo"): 5.0}
    evaluations = [
        evaluated("base", scores, average=12.0),
        evaluated("full", scores, average=15.0),
        evaluated("small", scores, average=14.0),
        evaluated("worse", scores, average=13.0),
    ]
    costs = {"full": 1000, "small": 10, "worse": 100}
    figure = plots.pareto(evaluations, [trained(name, parameters=count) for name, count in costs.items()])
    axes = figure.axes[0]
    front = axes.lines[3]
    assert (list(front.get_xdata()), list(front.get_ydata())) == ([10, 1000], [14.0, 15.0])
    assert set(axes.lines[-1].get_ydata()) == {12.0}


def test_pareto_without_a_trained_run_is_refused():
    with pytest.raises(InputError, match="no trained run"):
        plots.pareto([evaluated("base", {("en", "wo"): 5.0})], [])


# Files


@pytest.mark.parametrize("width", [plots.COLUMN_WIDTH, plots.PAGE_WIDTH])
def test_figures_have_the_width_asked_for(width):
    score = evaluated("base", {("en", "wo"): 5.0})
    for figure in (
        plots.weights(strategy(), width=width),
        plots.heatmap(estimate(), LANGS, width=width),
        plots.heatmap(estimate(), LANGS, by_layer=True, width=width),
        plots.matrices(estimate(Pool.LANGUAGE), LANGS, width=width),
        plots.epochs([trained()], width=width),
        plots.schedule([trained()], width=width),
        plots.directions(score, score, width=width),
        plots.pareto([evaluated("2-2-8", {("en", "wo"): 5.0})], [trained()], width=width),
    ):
        assert figure.get_figwidth() == width


def test_save_writes_png_and_pdf_and_equal_figures_give_equal_bytes(tmp_path):
    paths = plots.save(plots.heatmap(estimate(), LANGS), tmp_path / "figures", "heatmap")
    again = plots.save(plots.heatmap(estimate(), LANGS), tmp_path / "again", "heatmap")
    assert [path.name for path in paths] == ["heatmap.png", "heatmap.pdf"]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["heatmap.pdf", "heatmap.png"]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    assert b"CreationDate" not in paths[1].read_bytes()


@pytest.mark.parametrize(("style", "pixels"), [("paper", 990), ("screen", 660), ("dark", 660)])
def test_a_png_is_finer_for_paper(tmp_path, style, pixels):
    style = plots.Style(style)
    png, _ = plots.save(plots.weights(strategy(), width=3.3, style=style), tmp_path, "weights", style=style)
    assert int.from_bytes(png.read_bytes()[16:20]) == pixels


def test_save_into_a_place_that_is_a_file_is_an_input_error(tmp_path):
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        plots.save(plots.weights(strategy()), tmp_path / "figures", "weights")


def test_drawing_leaves_no_setting_changed_and_no_open_figure():
    before = dict(matplotlib.rcParams)
    plots.heatmap(estimate(), LANGS)
    plots.directions(evaluated("a", {("en", "wo"): 5.0}), evaluated("b", {("en", "wo"): 5.0}))
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_plots_load_neither_torch_nor_transformers():
    script = (
        "import sys, lslo_cli.plots; print(sorted({'torch', 'transformers', 'typer'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
