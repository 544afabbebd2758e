import pytest

from lslo_cli import plots
from lslo_cli.artifacts.results import CurvePoint
from lslo_cli.errors import InputError

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:flores101|smooth:exp|version:2.6.0"


def test_weights_draws_four_series_by_layer(made):
    (axes,) = plots.weights([made.strategy()]).axes
    series = {line.get_label(): list(line.get_ydata()) for line in axes.lines[1:]}
    assert series == {
        "encoder source": pytest.approx([0.9, 0.65]),
        "encoder target": pytest.approx([0.1, 0.35]),
        "decoder source": pytest.approx([0.2, 0.2]),
        "decoder target": pytest.approx([0.8, 0.8]),
    }


def test_epochs_has_a_panel_for_each_group_with_final_values_and_the_base(made):
    figure = plots.epochs([made.trained("8-8-8", final=28.46), made.trained("2-2-8", final=33.23)])
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("H2H", "V2V")
    names = [text.get_text() for text in first.get_legend().get_texts()]
    assert names == ["8-8-8  28.46", "2-2-8  33.23", "base  30.00"]
    assert list(first.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert set(first.lines[-1].get_ydata()) == {30.0}
    assert SIGNATURE in figure.get_supxlabel().replace("\n", "")


def test_a_run_without_a_curve_says_how_to_record_it_and_does_not_replace_it_by_another(made):
    run = made.trained("2-2-8").model_copy(update={"curve": None})
    with pytest.raises(InputError, match="run 2-2-8 has no quality by epoch") as error:
        plots.epochs([run])
    assert error.value.hint.endswith(": lslo train --settings-of 2-2-8 --run 2-2-8 --curve-rows 50")


def test_a_curve_without_the_group_that_is_asked_for_names_the_groups_it_has(made):
    with pytest.raises(InputError, match="no quality by epoch for V2V; it has H2H, M2M") as error:
        plots.epochs([made.trained(groups=("H2H", "M2M"))], groups=("H2H", "V2V"))
    assert error.value.hint.endswith("--curve-rows 50 --curve-groups H2H,V2V")


@pytest.mark.parametrize(
    ("first", "second", "drawn"),
    [
        (("H2H", "M2M"), ("H2H", "V2V"), ["H2H"]),  # of figure 3
        (("H2M", "V2H", "qta-qso"), ("qta-qso", "V2H", "H2M"), ["H2M", "V2H", "qta-qso"]),
    ],
)
def test_epochs_draws_the_groups_that_all_runs_recorded(made, first, second, drawn):
    runs = [made.trained("a", groups=first), made.trained("b", groups=second)]
    assert [axes.get_title(loc="left") for axes in plots.epochs(runs).axes] == drawn
    shown = str(plots.epochs_text(runs))
    assert [line.split()[0] for line in shown.splitlines() if line.endswith("last")] == drawn


def test_runs_whose_curves_share_no_group_are_refused_with_the_groups_of_each(made):
    runs = [made.trained("a", groups=("H2H",)), made.trained("b", groups=("M2M", "V2V"))]
    with pytest.raises(InputError, match="for no group in common: a has H2H; b has M2M, V2V"):
        plots.epochs(runs)


def test_epochs_without_runs_and_runs_scored_differently_are_refused(made):
    with pytest.raises(InputError, match="no run has a quality curve"):
        plots.epochs([])
    with pytest.raises(InputError, match="scored differently: 50 sentences .* and 20 with"):
        plots.epochs([made.trained("a"), made.trained("b", rows=20)])


def test_schedule_draws_the_recorded_ratios_and_what_was_counted_at_the_end(made):
    (axes,) = plots.schedule([made.trained(ratio=0.9), made.estimate()]).axes
    ratios, ring, estimated, _ = axes.lines
    assert list(ratios.get_ydata()) == pytest.approx([0, 0.7875, 0.9, 0.9])
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([4], [0.875])
    assert ratios.get_label() == "2-2-8  0.9 (0.8750)"
    assert estimated.get_label().startswith("subspace estimation  0.7 (0.7")


def test_schedule_of_a_run_that_pruned_nothing_names_the_flag(made):
    with pytest.raises(InputError, match="run 2-2-8 pruned nothing") as error:
        plots.schedule([made.trained(ratio=0.0)])
    assert error.value.hint == "prune one: lslo train --gps 0.9"


def test_runs_of_one_name_are_one_line_of_means_in_a_band_of_their_range(made):
    seeds = [made.trained(final=value) for value in (32.0, 34.0, 39.0)]
    first, _ = plots.epochs([*seeds, made.trained("full", final=30.0)]).axes
    assert first.lines[0].get_ydata()[-1] == pytest.approx(35.0)
    (band,) = first.collections
    last = band.get_paths()[0].vertices
    assert {y for x, y in last if x == 4} == {32.0, 39.0}
    names = [text.get_text() for text in first.get_legend().get_texts()]
    assert names == ["2-2-8  35.00 ± 3.61", "full  30.00", "base  30.00"]  # 3.61: of the sample, n - 1


def test_the_note_says_how_many_runs_stand_behind_a_line(made):
    figure = plots.epochs([made.trained(), made.trained()])
    assert figure.get_supxlabel().startswith("mean and range of 2 runs; 50 sentences")
    figure = plots.epochs([made.trained(), made.trained(), made.trained("full")])
    assert figure.get_supxlabel().startswith("mean and range of 2 runs, full of 1; 50 sentences")


def test_the_base_counts_once_for_each_seed_however_many_runs_that_has(made):
    """It is 30 in the seed of two runs and 50 in that of one."""
    points = [CurvePoint(epoch=n, spbleu={"H2H": score, "V2V": score}) for n, score in ((0, 50.0), (1, 51.0))]
    runs = [made.trained(), made.trained("full"), made.trained(points=points)]
    first, _ = plots.epochs(runs).axes
    assert "base  40.00" in first.get_legend().get_texts()[-1].get_text()


def test_the_base_counts_once_for_each_seed_whatever_groups_its_runs_recorded(made):
    """It is 30 in two seeds, one of which has a run with a curve of one group, and 60 in the third."""
    points = [CurvePoint(epoch=n, spbleu={"H2H": score, "V2V": score}) for n, score in ((0, 60.0), (1, 61.0))]
    runs = [made.trained(), made.trained(), made.trained(points=points), made.trained("b", groups=("H2H",))]
    (axes,) = plots.epochs(runs).axes
    assert "base  40.00" in axes.get_legend().get_texts()[-1].get_text()


def test_a_name_that_is_too_long_for_the_legend_ends_in_an_ellipsis(made):
    figure = plots.epochs([made.trained("x" * 80)], width=plots.COLUMN_WIDTH)
    name = figure.axes[0].get_legend().get_texts()[0].get_text()
    assert "x…  33.00" in name
    assert len(name) < 45


def test_the_schedule_counts_only_what_was_to_be_pruned(made):
    run = made.trained().model_copy(update={"prune_targets": "B"})
    (axes,) = plots.schedule([run]).axes
    assert list(axes.lines[1].get_ydata()) == [0.85]  # B of en: neither its A nor any B of wo
