import math

import pytest
import torch

from lslo_cli.nn.tally import LossTally

LOSSES = [7.25, 3.1, 0.7, 11.3, 2.9]


def tally_of(losses, interval):
    tally = LossTally(interval)
    for number, loss in enumerate(losses):
        tally.add(torch.tensor(loss), 10 + number)
    return tally


def test_a_loss_is_read_once_enough_updates_wait():
    tally = tally_of(LOSSES, 2)
    assert len(tally.losses) == 4
    assert tally.tokens == 10 + 11 + 12 + 13
    tally.read()
    tally.read()
    assert tally.losses == [torch.tensor(loss).item() for loss in LOSSES]
    assert tally.tokens == 60


@pytest.mark.parametrize("interval", [1, 2, 3, 100])
def test_the_total_is_that_of_reading_every_update(interval):
    tally = tally_of(LOSSES, interval)
    tally.read()
    total = 0.0
    for loss in LOSSES:
        total += float(torch.tensor(loss))
    assert (tally.total, tally.mean) == (total, total / 60)


def test_the_first_loss_that_is_not_finite_is_named():
    tally = tally_of([1.0, 2.0, math.inf, math.nan, 1.0], 5)
    assert tally.diverged == 3
    assert tally_of([1.0, math.nan], 3).diverged is None  # not yet read
    assert tally_of(LOSSES, 1).diverged is None
