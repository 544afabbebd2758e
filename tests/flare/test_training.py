"""Training of one reading: schedule, best epoch, divergence."""

import pytest
import torch

from lslo_cli.errors import RunError
from lslo_cli.events import Finished, Started
from lslo_cli.flare.training import TaskFit, linear_schedule
from lslo_cli.method.task_scores import accuracy
from lslo_cli.recipe.flare import FlareSection


class Line:
    """A reading of numbers: the logit of label 1 is ``w x``. What it answers on dev is told beforehand."""

    class model:
        train = staticmethod(lambda mode: None)

    def __init__(self, dev_answers):
        self.w = torch.nn.Parameter(torch.zeros(1))
        self.dev_answers = iter(dev_answers)
        self.weights = []

    def parameters(self):
        return [self.w]

    def loss(self, split, rows):
        return torch.nn.functional.softplus(-self.w * split.x[rows]).mean()

    def predict(self, split, size):
        self.weights.append(self.w.item())
        return next(self.dev_answers)


class Split:
    x = torch.ones(6)
    lengths = (1,) * 6
    labels = torch.tensor([1, 1, 1, 1, 1, 1])


def fit(reading, **changes):
    settings = {"epochs": 3, "lr": 0.1, "seed": 1, "task": "a task", **changes}
    return TaskFit(reading, Split, Split, accuracy, FlareSection(batch_size=4), **settings)


def test_the_rate_rises_over_the_warm_up_and_falls_to_zero():
    factors = [linear_schedule(step, updates=20, warmup=0.1) for step in range(21)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[11] == pytest.approx(0.5)
    assert factors[20] == 0


def test_the_best_epoch_on_dev_is_kept_and_of_equals_the_first():
    good, bad = [1] * 6, [0] * 6
    reading = Line([bad, good, good])
    trained = fit(reading).run()
    assert trained.best_epoch == 2
    assert [epoch.dev_score for epoch in trained.history] == [0, 100, 100]
    assert reading.w.item() == reading.weights[1] != reading.weights[2]


def test_events_tell_how_far_it_is():
    events = []
    fit(Line([[1] * 6] * 3), on_event=events.append).run()
    assert events[0] == Started("a task", 6, "updates")
    assert events[-1] == Finished("a task", "dev 100.0")
    assert events[-2].completed == 6


def test_a_loss_that_is_not_finite_ends_the_run():
    reading = Line([[1] * 6] * 3)
    reading.w.data.fill_(float("nan"))
    with pytest.raises(RunError, match="a task diverged: the loss is nan in epoch 1"):
        fit(reading).run()
