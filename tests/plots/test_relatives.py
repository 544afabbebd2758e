import numpy as np
import pytest
from scipy.cluster import hierarchy

from lslo_cli import plots
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.method.languages import LANGUAGES
from lslo_cli.plots.overlap import overlap_of
from lslo_cli.plots.similarity import prepare_relatives

CODES = ("fr", "zh", "de", "wo", "en")  # Romance, Sino-Tibetan, Germanic, Atlantic-Congo, Germanic
LANGS = [LANGUAGES[code] for code in CODES]
ALIKE = {("de", "en"): 0.05, ("fr", "de"): 0.03, ("fr", "en"): 0.03, ("zh", "wo"): 0.02}


@pytest.fixture
def result(made):
    """German and English are most alike, then French to both, and Chinese to Wolof."""
    overlaps = {
        one: [1.0 if one == two else ALIKE.get((one, two), ALIKE.get((two, one), -0.01)) for two in CODES]
        for one in CODES
    }
    return made.estimate(codes=CODES).model_copy(update={"overlaps": overlaps})


def test_the_tree_joins_the_most_alike_first_at_their_mean_cosine(result):
    overlap = overlap_of([result], LANGS)
    order = [language.code for language in overlap.languages]
    assert hierarchy.leaves_list(overlap.tree).tolist() == list(range(5))
    members = {number: {code} for number, code in enumerate(order)}
    joins = []
    for number, (one, two, distance, _) in enumerate(overlap.tree, start=5):
        members[number] = members[one] | members[two]
        joins.append((members[number], pytest.approx(1 - distance)))
    assert joins == [
        ({"de", "en"}, 0.05),
        ({"fr", "de", "en"}, 0.03),
        ({"zh", "wo"}, 0.02),
        (set(CODES), -0.01),
    ]


def test_the_matrix_has_every_cosine_in_the_order_of_the_tree_and_none_of_a_language_with_itself(result):
    figure = plots.relatives([result], LANGS)
    _, matrix = sorted(figure.axes[:2], key=lambda axes: len(axes.collections))
    order = [label.get_text() for label in matrix.get_xticklabels()]
    assert sorted(order) == sorted(CODES)
    shown = np.ma.filled(matrix.collections[0].get_array().astype(float), np.nan).reshape(5, 5)
    for row, one in zip(shown, order, strict=True):
        expected = dict(zip(CODES, result.overlaps[one], strict=True)) | {one: np.nan}
        assert row == pytest.approx([expected[two] for two in order], nan_ok=True)
    rows = [label.get_text() for label in matrix.get_yticklabels()]
    assert rows[order.index("en")] == f"en  {LANGUAGES['en'].family}"


@pytest.mark.parametrize(("count", "labelled"), [(12, 12), (30, 0)])
def test_columns_too_narrow_for_a_label_have_none(made, count, labelled):
    languages = list(LANGUAGES.values())[:count]
    codes = tuple(language.code for language in languages)
    figure = plots.relatives([made.estimate(codes=codes)], languages, width=plots.COLUMN_WIDTH)
    matrix = figure.axes[1]
    assert (len(matrix.get_xticklabels()), len(matrix.get_yticklabels())) == (labelled, count)


def test_the_note_counts_how_often_the_most_alike_is_a_relative(result):
    said = overlap_of([result], LANGS).description
    assert "of 2 languages with relatives here, 2 are most similar to one of these (0.5 by chance)" in said


def test_several_seeds_give_the_mean(made, result):
    other = result.model_copy(update={"overlaps": made.cosines(CODES)})
    overlap = overlap_of([result, other], LANGS)
    column = CODES.index("en")
    mean = (result.overlaps["de"][column] + other.overlaps["de"][column]) / 2
    assert overlap.cosines.loc["de", "en"] == pytest.approx(mean)
    assert "mean of 2 seeds" in overlap.description


def test_in_a_terminal_every_language_names_those_most_like_it(result):
    text = str(plots.relatives_text([result], LANGS))
    (german,) = (line for line in text.splitlines() if line.startswith("de "))
    assert german.split()[-6:-2] == ["en", "+0.050", "fr", "+0.030"]
    assert max(map(len, text.splitlines())) <= 80


def test_estimates_that_say_nothing_of_overlap_or_differ_are_refused(made, result, tmp_path):
    with pytest.raises(InputError, match="of an earlier version") as old:
        plots.relatives([result.model_copy(update={"overlaps": {}})], LANGS)
    assert "lslo estimate-subspace" in old.value.hint
    with pytest.raises(InputError, match="differ in languages"):
        overlap_of([result, made.estimate()], LANGS)
    two = made.estimate(codes=("de", "en"))
    with pytest.raises(InputError, match="needs three languages, not 2") as few:
        overlap_of([two], [LANGUAGES["de"], LANGUAGES["en"]])
    assert few.value.hint.endswith("lslo estimate-subspace --langs de,en,LANGUAGE")
    with pytest.raises(InputError, match="lslo estimate-subspace|subspace.json"):
        prepare_relatives([ExperimentFolder(tmp_path)])
