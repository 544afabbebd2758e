import pytest

from lslo_cli.errors import UsageError
from lslo_cli.method.schedule import GradualPruning

# Eq. 4 for E=2, k=8, P=0.9, T=15 (table 7), computed by hand from P - P (1 - (e - E)/k)^3.
PUBLISHED = [0, 0, 0.297070, 0.520312, 0.680273, 0.7875, 0.852539, 0.885938, 0.898242] + [0.9] * 6


@pytest.mark.parametrize(("epoch", "ratio"), list(enumerate(PUBLISHED, start=1)))
def test_each_epoch_is_pruned_to_the_ratio_of_eq_4(epoch, ratio):
    assert GradualPruning(0.9, start_epoch=2, duration=8, epochs=15).ratio_at(epoch) == pytest.approx(
        ratio, abs=6e-7
    )


def test_the_ratio_never_falls_and_ends_exactly_at_the_target():
    schedule = GradualPruning(0.7, start_epoch=0, duration=5, epochs=9)
    ratios = [schedule.ratio_at(epoch) for epoch in range(1, 10)]
    assert ratios == sorted(ratios)
    assert ratios[4:] == [0.7] * 5


def test_a_target_of_zero_never_prunes():
    schedule = GradualPruning(0.0, start_epoch=2, duration=8, epochs=15)
    assert {schedule.ratio_at(epoch) for epoch in range(1, 16)} == {0.0}


def test_a_schedule_without_pruning_fits_any_number_of_epochs():
    assert GradualPruning(0.0, start_epoch=2, duration=8, epochs=1).ratio_at(1) == 0


def test_a_rise_may_end_with_the_last_epoch():
    assert GradualPruning(0.9, start_epoch=2, duration=8, epochs=10).ratio_at(10) == 0.9


def test_a_rise_that_ends_after_the_last_epoch_is_refused_with_both_numbers():
    with pytest.raises(UsageError, match="end at epoch 10 of 9") as caught:
        GradualPruning(0.9, start_epoch=2, duration=8, epochs=9)
    assert "at least 10 epochs" in caught.value.hint


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_a_ratio_outside_0_to_1_is_refused(ratio):
    with pytest.raises(UsageError, match=r"outside \[0, 1\)"):
        GradualPruning(ratio, start_epoch=2, duration=8, epochs=15)


@pytest.mark.parametrize(("start", "duration"), [(-1, 8), (2, 0)])
def test_a_start_or_duration_that_cannot_be_is_refused(start, duration):
    with pytest.raises(UsageError, match=f"after epoch {start} and rise for {duration}"):
        GradualPruning(0.9, start, duration, epochs=15)
