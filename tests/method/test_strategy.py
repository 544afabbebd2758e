import pytest

from lslo_cli.errors import InputError
from lslo_cli.method.sites import Layer, Stack, layers
from lslo_cli.method.strategy import Index, LayerWeights, paper, uniform


def encoder_layers_by_source(strategy, depth):
    numbers = [n for n in range(1, depth + 1) if strategy.of(Layer(Stack.ENCODER, n)) is Index.SOURCE]
    assert numbers == list(range(1, len(numbers) + 1)), "a layer by target lies below one by source"
    return len(numbers)


def test_the_papers_strategy_has_encoder_layers_1_to_9_by_source_and_all_others_by_target():
    strategy = paper(12, 12)
    for layer in layers(12, 12):
        by_source = layer.stack is Stack.ENCODER and layer.number <= 9
        assert strategy.of(layer) is (Index.SOURCE if by_source else Index.TARGET)


@pytest.mark.parametrize(
    ("depth", "by_source"), [(1, 1), (2, 2), (3, 2), (4, 3), (6, 5), (8, 6), (12, 9), (24, 18)]
)
def test_other_depths_keep_the_papers_proportion(depth, by_source):
    assert encoder_layers_by_source(paper(depth, depth), depth) == by_source


def test_the_decoder_may_have_another_depth():
    strategy = paper(12, 3)
    assert len(strategy.by_layer) == 15
    assert strategy.of(Layer(Stack.DECODER, 1)) is Index.TARGET


@pytest.mark.parametrize("index", Index)
def test_a_uniform_strategy_indexes_the_encoder_by_one_side_and_the_decoder_by_target(index):
    strategy = uniform(index, 2, 2)
    assert {strategy.of(layer) for layer in layers(2, 0)} == {index}
    assert {strategy.of(layer) for layer in layers(0, 2)} == {Index.TARGET}


def test_the_larger_weight_chooses_the_side():
    weights = {
        Layer(Stack.ENCODER, 1): LayerWeights(0.6, 0.4),
        Layer(Stack.ENCODER, 2): LayerWeights(0.4, 0.6),
        Layer(Stack.DECODER, 1): LayerWeights(0.5, 0.5),
    }
    assert [pair.index for pair in weights.values()] == [Index.SOURCE, Index.TARGET, Index.TARGET]


def test_a_layer_that_the_strategy_does_not_cover_is_refused():
    with pytest.raises(InputError, match="has no entry for encoder.3; it covers 4 layers"):
        paper(2, 2).of(Layer(Stack.ENCODER, 3))
