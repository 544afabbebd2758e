import numpy as np
import pytest

from lslo_cli.training.sampling import PairSampler, epoch_generator


def test_an_epoch_has_its_own_random_numbers_whatever_the_global_state():
    np.random.seed(1)
    first = epoch_generator(2, 5).integers(1 << 40)
    np.random.seed(2)
    assert epoch_generator(2, 5).integers(1 << 40) == first
    assert (
        len({int(epoch_generator(seed, epoch).integers(1 << 40)) for seed in range(3) for epoch in range(3)})
        == 9
    )


@pytest.mark.parametrize(("directions", "epoch_size"), [(132, 131_604), (870, 867_390)])
@pytest.mark.parametrize("temperature", [1, 5, 100])
def test_equal_sizes_take_every_pair_exactly_once_at_any_temperature(directions, epoch_size, temperature):
    sampler = PairSampler([997] * directions, temperature)
    assert sampler.epoch_size == epoch_size
    drawn = sampler.sample(epoch_generator(2, 1))
    assert all(np.array_equal(np.sort(index), np.arange(997)) for index in drawn)


def test_temperature_one_takes_every_pair_of_unequal_sizes_once():
    sizes = [49_141, 1_465, 6_809, 0, 30_952, 1]
    drawn = PairSampler(sizes, 1).sample(epoch_generator(1, 1))
    assert [
        np.array_equal(np.sort(index), np.arange(size)) for index, size in zip(drawn, sizes, strict=True)
    ] == [True] * 6


@pytest.mark.parametrize(
    ("sizes", "temperature", "epoch_size", "floors"),
    [
        # 1000 (1 + 10^(-1/5)) = 1630.957; shares 1 / 1.630957 and 0.630957 / 1.630957.
        ([1000, 100], 5, 1630, [999, 630]),
        # 1000 (1 + 10^(-1/2)) = 1316.228
        ([1000, 100], 2, 1316, [999, 316]),
        # 1000 (1 + 10 x 100^(-1/5)) = 4981 is more than 1.5 x 1100; shares 1 : 0.398107.
        ([1000] + [10] * 10, 5, 1650, [331] + [131] * 10),
        # Uniform: 3 x 1000 is more than 1.5 x 1150.
        ([1000, 100, 50, 0], float("inf"), 1725, [575, 575, 575, 0]),
    ],
)
def test_counts_follow_the_temperature_formula(sizes, temperature, epoch_size, floors):
    sampler = PairSampler(sizes, temperature)
    assert sampler.epoch_size == epoch_size
    counts = sampler.counts(epoch_generator(1, 1))
    assert counts.sum() == epoch_size
    assert (counts >= floors).all() and (counts - floors).sum() == epoch_size - sum(floors)
    assert (counts[np.array(sizes) == 0] == 0).all()


@pytest.mark.parametrize("temperature", [0.005, 1e-310])
@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([997] * 132, [997] * 132),
        # The largest direction takes all: 0.9^200 is 7e-10.
        ([1000, 0, 900] + [10] * 100, [1000, 0, 0] + [0] * 100),
    ],
)
def test_a_temperature_too_low_for_floating_point_is_that_of_its_limit(sizes, counts, temperature):
    """(1/132)^200 is less than the smallest float."""
    sampler = PairSampler(sizes, temperature)
    assert sampler.epoch_size == sum(counts)
    assert sampler.counts(epoch_generator(1, 1)).tolist() == counts


def test_small_directions_repeat_pairs_and_large_ones_never_do():
    large, small = PairSampler([1000, 100], 5).sample(epoch_generator(1, 1))
    assert len(set(large.tolist())) == len(large) >= 999
    assert len(small) >= 630 and set(small.tolist()) <= set(range(100)) and len(set(small.tolist())) > 90


@pytest.mark.parametrize(("sizes", "temperature"), [([0, 0], 5), ([10], 0), ([10], -1), ([10], float("nan"))])
def test_nothing_to_sample_and_senseless_temperatures_are_refused(sizes, temperature):
    with pytest.raises(ValueError, match="positive temperature"):
        PairSampler(sizes, temperature)
