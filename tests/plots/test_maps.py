import numpy as np
import pytest
from pandas import DataFrame

from lslo_cli import plots
from lslo_cli.errors import InputError
from lslo_cli.method.importance import Pool, mean_demand, mean_demand_by_layer
from lslo_cli.method.languages import LANGUAGES, Language, Resource
from lslo_cli.method.sites import KINDS, SiteSet, Stack
from lslo_cli.plots.demand import Demand, Pair
from lslo_cli.plots.style import PAGE_HEIGHT

LANGS = [LANGUAGES[code] for code in ("wo", "en", "fr", "zh", "sd")]
IN_ORDER = ["en", "fr", "zh", "wo", "sd"]


def cells(axes, columns):
    return np.ma.filled(axes.collections[0].get_array().astype(float), np.nan).reshape(-1, columns)


def labels(axis_labels):
    return [label.get_text() for label in axis_labels]


def test_heatmap_shows_mean_demand_of_every_language_and_matrix_in_order_of_resource(made):
    result = made.estimate()
    encoder, decoder, _ = plots.heatmap([result], LANGS).axes
    for axes, stack in ((encoder, Stack.ENCODER), (decoder, Stack.DECODER)):
        expected = mean_demand(result.pruned.matrices("B"), 0.7, stack, as_share=True)
        shown = cells(axes, len(KINDS[stack]))
        assert shown == pytest.approx(
            np.array([[100 * expected[code, k] for k in KINDS[stack]] for code in IN_ORDER])
        )
        assert labels(axes.get_xticklabels()) == list(KINDS[stack])
        assert axes.get_xlabel() == stack.capitalize()
    assert labels(encoder.get_yticklabels()) == IN_ORDER
    assert labels(decoder.get_yticklabels()) == []


def test_all_panels_of_a_map_share_one_colour_scale_with_zero_in_its_middle(made):
    result = made.estimate()
    for counts, unit in ((False, 100), (True, 1)):
        demand = [mean_demand(result.pruned.matrices("B"), 0.7, stack, not counts) for stack in Stack]
        values = [unit * value for each in demand for value in each.values()]
        *panels, bar = plots.heatmap([result], LANGS, counts=counts).axes
        ends = pytest.approx((min(values), max(values)))
        for axes in panels:
            assert axes.collections[0].get_clim() == ends
            assert axes.collections[0].norm(0.0) == 0.5
        assert bar.get_xlim() == ends


def test_the_lowest_and_the_highest_cell_have_the_ends_of_the_colours(made):
    *panels, _ = plots.heatmap([made.estimate()], LANGS).axes
    drawn = np.concatenate(
        [each.norm(each.get_array()).ravel() for each in (a.collections[0] for a in panels)]
    )
    assert (drawn.min(), drawn.max()) == (0.0, 1.0)


def test_a_side_of_zero_is_never_drawn_more_than_four_times_as_strong_as_the_other():
    pair = Pair("", {Stack.ENCODER: DataFrame([[-1.0, 20.0]])})
    assert Demand([pair], "", counts=False).limits == (-5.0, 20.0)


def test_large_matrices_do_not_set_the_scale_of_shares(made):
    """fc1 has four times the entries of the others in these results, and all languages the same shares."""
    encoder, _, _ = plots.heatmap([made.estimate()], LANGS).axes
    counted, _, bar = plots.heatmap([made.estimate()], LANGS, counts=True).axes
    assert np.abs(cells(counted, 5)[:, 3]).mean() > 3 * np.abs(cells(counted, 5)[:, 0]).mean()
    assert np.abs(cells(encoder, 5)[:, 3]).mean() < 2 * np.abs(cells(encoder, 5)[:, 0]).mean()
    assert "entries of B" in bar.get_xlabel()


def test_estimates_of_several_seeds_are_their_mean(made):
    low, high = made.estimate(kept=0.4), made.estimate(kept=0.6)
    (encoder, *_), figure = plots.heatmap([low, high], LANGS).axes, plots.heatmap([low, high], LANGS)
    assert cells(encoder, 5) == pytest.approx(np.full((5, 5), 20.0), abs=0.01)
    assert "mean of 2 seeds, standard deviation of a cell at most 14.1" in figure.get_supxlabel()


def test_estimates_that_differ_have_no_mean(made):
    for other in (made.estimate(Pool.LAYER_KIND), made.estimate(depths=(1, 2))):
        with pytest.raises(InputError, match="have no mean"):
            plots.heatmap([made.estimate(), other], LANGS, by_layer=True)


def test_resource_classes_are_marked_by_letters_and_by_colours(made):
    encoder = plots.heatmap([made.estimate()], LANGS).axes[0]
    assert [text.get_text() for text in encoder.texts] == ["H", "M", "V"]
    colours = [label.get_color() for label in encoder.get_yticklabels()]
    assert colours[0] == colours[1] and colours[3] == colours[4]
    assert len(set(colours)) == 3


def test_heatmap_by_layer_has_a_pair_of_panels_for_each_layer(made):
    result = made.estimate()
    *panels, _ = plots.heatmap([result], LANGS, by_layer=True).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["Layer 1", "", "Layer 2", ""]
    second = [m for m in result.pruned.matrices("B") if m.site.layer.number == 2]
    expected = mean_demand(second, 0.7, Stack.DECODER, as_share=True)
    shown = cells(panels[3], 8)
    assert shown == pytest.approx(
        np.array([[100 * expected[code, kind] for kind in KINDS[Stack.DECODER]] for code in IN_ORDER])
    )


def test_a_layer_that_one_stack_has_not_is_left_empty(made):
    *panels, _ = plots.heatmap([made.estimate(depths=(1, 2))], LANGS, by_layer=True).axes
    assert np.isnan(cells(panels[2], 5)).all()
    assert not np.isnan(cells(panels[3], 8)).any()


def test_matrices_averages_over_languages_and_counts_layers_from_one_at_the_top(made):
    result = made.estimate(Pool.LANGUAGE)
    encoder, decoder, _ = plots.matrices([result], LANGS).axes
    expected = mean_demand_by_layer(result.pruned.matrices("B"), 0.7, as_share=True)
    by_name = {(str(layer), kind): 100 * value for (layer, kind), value in expected.items()}
    shown = np.array([[by_name[f"decoder.{n}", kind] for kind in KINDS[Stack.DECODER]] for n in (1, 2)])
    assert cells(decoder, 8) == pytest.approx(shown)
    assert labels(encoder.get_yticklabels()) == ["1", "2"]
    assert encoder.yaxis_inverted()


def test_matrices_by_language_has_a_pair_of_panels_for_each_language(made):
    *panels, _ = plots.matrices([made.estimate(Pool.LANGUAGE)], LANGS, by_language=True).axes
    titles = [axes.get_title(loc="left") for axes in panels[::2]]
    assert titles == ["en (H)", "fr (H)", "zh (M)", "wo (V)", "sd (V)"]


def test_maps_show_only_the_matrices_that_carry_adapters(made):
    encoder, decoder, _ = plots.heatmap([made.estimate(site_set=SiteSet.FEED_FORWARD)], LANGS).axes
    assert labels(encoder.get_xticklabels()) == labels(decoder.get_xticklabels()) == ["fc1", "fc2"]


def test_heatmap_needs_an_estimate_across_languages(made):
    with pytest.raises(InputError, match="pool language") as error:
        plots.heatmap([made.estimate(Pool.LANGUAGE)], LANGS)
    assert error.value.hint == "estimate across languages: lslo estimate-subspace --pool layer"


def test_matrices_needs_an_estimate_that_compares_matrices(made):
    with pytest.raises(InputError, match="pool layer-kind") as error:
        plots.matrices([made.estimate(Pool.LAYER_KIND)], LANGS)
    assert error.value.hint == "estimate within languages: lslo estimate-subspace --pool language"


def test_maps_say_what_was_pruned_together(made):
    assert plots.heatmap([made.estimate()], LANGS).get_supxlabel() == (
        "all languages and matrices of a layer pruned together, target ratio 0.7"
    )
    assert plots.matrices([made.estimate(Pool.LANGUAGE)], LANGS).get_supxlabel() == (
        "all matrices of a language pruned together, target ratio 0.7"
    )


def test_counts_of_matrices_of_different_sizes_say_which_are_larger(made):
    said = plots.heatmap([made.estimate()], LANGS, counts=True).get_supxlabel().replace("\n", " ")
    assert said.endswith("target ratio 0.7; B of fc1 has 4 times the entries of others")


def test_matrices_from_one_pool_per_layer_are_not_to_be_compared_between_layers(made):
    figure = plots.matrices([made.estimate(Pool.LAYER)], LANGS)
    assert figure.get_supxlabel().replace("\n", " ").endswith("; compare within a layer only")


def test_a_map_of_sixty_languages_fits_a_page(made):
    codes = [f"l{number:02d}" for number in range(60)]
    one = made.estimate(codes=("en",))
    rows = [(site, code, *rest) for site, _, *rest in one.pruned.rows for code in codes]
    result = one.model_copy(update={"pruned": one.pruned.model_copy(update={"rows": rows})})
    figure = plots.heatmap([result], [Language(code, Resource.HIGH) for code in codes])
    assert figure.get_figheight() <= PAGE_HEIGHT
