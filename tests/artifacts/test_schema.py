import pytest

from lslo_cli.artifacts.evaluations import DirectionScore
from lslo_cli.artifacts.results import PrunedTable, SpectrumTable, SubspaceResult
from lslo_cli.artifacts.schema import LanguageRecord
from lslo_cli.method.allocation import Spectrum
from lslo_cli.method.importance import PrunedMatrix
from lslo_cli.method.languages import LANGUAGES, Direction
from lslo_cli.method.sites import Layer, Site, Stack
from lslo_cli.method.strategy import Index


@pytest.mark.parametrize("code", ["en", "wo"])
def test_a_language_reads_back_what_was_recorded(code):
    assert LanguageRecord.of(LANGUAGES[code]).language() == LANGUAGES[code]


def test_a_table_of_pruned_matrices_gives_back_a_and_b():
    site = Site.parse("decoder.1.c-q")
    a, b = PrunedMatrix(site, "wo", 3, 10), PrunedMatrix(site, "wo", 4, 20)
    table = PrunedTable.of([(a, "A"), (b, "B")])
    assert list(table.matrices()) == [a, b]
    assert list(table.matrices("B")) == [b]


def test_an_index_strategy_is_read_off_its_layers(index_strategy):
    assert index_strategy.strategy().of(Layer(Stack.ENCODER, 1)) is Index.SOURCE
    assert index_strategy.weights()[Layer(Stack.DECODER, 1)].target_weight == 0.9


def test_an_estimate_is_read_off_its_tables(subspace):
    spectrum = Spectrum(Site.parse("encoder.1.q"), "wo", 24, [3.0, 1.0])
    made = subspace.model_copy(update={"spectra": SpectrumTable.of([spectrum]), "gains": {"wo": 0.5}})
    estimate = SubspaceResult.model_validate_json(made.model_dump_json()).estimate()
    assert [(m.language, m.pruned) for m in estimate.matrices] == [("en", 90), ("wo", 50)]
    assert list(estimate.spectra) == [spectrum]
    assert (estimate.gains, estimate.target_ratio) == ({"wo": 0.5}, subspace.target_ratio)


def test_the_shape_of_the_base_model_is_recorded(make, subspace):
    assert make(subspace).model.shape.d_model == 16


def test_a_score_knows_its_direction():
    score = DirectionScore.model_construct(src="en", tgt="wo")
    assert score.direction == Direction("en", "wo")


def test_a_result_cannot_be_changed(subspace):
    with pytest.raises(ValueError, match="frozen"):
        subspace.rank = 3
