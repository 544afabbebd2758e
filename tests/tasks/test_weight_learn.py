import pytest
import torch

from lslo_cli.errors import RunError
from lslo_cli.method.strategy import Index
from lslo_cli.tasks.weight_learn import learn_weights


@pytest.fixture(scope="module")
def learned(tiny):
    from lslo_cli.tasks.setup import prepare

    return learn_weights(prepare(tiny.recipe(**{"weight_learn.rank": 3, "weight_learn.epochs": 4})))


def test_every_layer_has_weights_that_sum_to_one_and_the_larger_side(learned):
    assert [row.layer for row in learned.layers] == ["encoder.1", "encoder.2", "decoder.1", "decoder.2"]
    for row in learned.layers:
        assert row.source_weight + row.target_weight == pytest.approx(1)
        assert row.index is (Index.SOURCE if row.source_weight > row.target_weight else Index.TARGET)


def test_weights_are_learned(learned):
    assert all(abs(row.source_weight - 0.5) > 1e-4 for row in learned.layers)
    assert learned.history[-1].loss < learned.history[0].loss


def test_the_trajectory_has_every_epoch_and_ends_in_the_result(learned):
    assert len(learned.trajectory) == len(learned.history) == 4
    assert learned.trajectory[-1] == [row.source_weight for row in learned.layers]
    assert learned.trajectory[0] != learned.trajectory[-1]


def test_the_rank_and_the_epochs_are_its_own(learned, setup):
    assert learned.rank == 3
    assert len(learn_weights(setup(**{"fit.epochs": 1})).history) == 1


def test_the_result_can_be_used_as_a_strategy(learned):
    strategy = learned.strategy()
    assert {str(layer): index for layer, index in strategy.by_layer.items()} == {
        row.layer: row.index for row in learned.layers
    }


def test_the_base_model_is_not_changed(setup):
    stage = setup(**{"fit.epochs": 1})
    before = stage.base.model.model.shared.weight.clone()
    learn_weights(stage)
    assert torch.equal(stage.base.model.model.shared.weight, before)


@pytest.mark.parametrize("accumulate", [1000, 4])
def test_weights_that_nothing_has_moved_are_no_result(setup, heard, accumulate):
    """With one update the learning rate is 0, with two B is still 0 when the weights have their gradient."""
    updates = {1000: "1 update", 4: "2 updates"}[accumulate]
    few = {"fit.epochs": 1 if accumulate == 1000 else 2, "fit.accumulate": 1000}
    with pytest.raises(RunError, match=f"learned nothing: after {updates} source and target") as caught:
        learn_weights(setup(heard.append, **few))
    assert "more epochs" in caught.value.hint
    assert any("changed nothing: 1 update had a learning rate of 0" in note for note in heard.notes) == (
        accumulate == 1000
    )
