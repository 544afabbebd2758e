"""Training of one method: schedule, best epoch, divergence."""

import pytest
import torch
from accelerate import Accelerator

from lslo_cli.errors import RunError
from lslo_cli.events import Noted, Started, ignore
from lslo_cli.flare.setup import FlareSetup
from lslo_cli.flare.training import LinearDecay, fit_method
from lslo_cli.recipe import resolve


class Model:
    """A task model that has nothing but a backbone, and remembers in which mode it was."""

    def __init__(self):
        self.backbone = torch.nn.Linear(1, 1)
        self.modes = []

    def train(self, mode):
        self.modes.append(mode)


class Line:
    """A method of numbers: the logit of label 1 is ``w x``. What it answers on dev is told beforehand."""

    def __init__(self, dev_answers):
        self.model = Model()
        self.w = torch.nn.Parameter(torch.zeros(1))
        self.dev_answers = iter(dev_answers)
        self.weights = []

    def modules(self):
        return {}

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


@pytest.fixture
def fit(tmp_path):
    """Trains a method for three epochs, in batches of four rows."""

    def fit(method, accelerator=None, on_event=ignore):
        recipe = resolve(None, {"flare.task": "xnli", "flare.batch_size": 4, "seed": 1})
        setup = FlareSetup(recipe, accelerator or Accelerator(cpu=True), on_event)
        schedule = LinearDecay.of(recipe.flare, epochs=3, lr=0.1)
        return fit_method(setup, method, Split, Split, schedule, "a task", tmp_path / "metrics.jsonl")

    return fit


def test_the_rate_rises_over_the_warm_up_and_falls_to_zero():
    optimiser = LinearDecay(epochs=1, lr=1.0, warmup=0.1, weight_decay=0.0, clip_norm=0.0)
    factors = [optimiser.factor(step, updates=20) for step in range(21)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[11] == pytest.approx(0.5)
    assert factors[20] == 0


def test_the_best_epoch_on_dev_is_kept_and_of_equals_the_first(fit):
    good, bad = [1] * 6, [0] * 6
    method = Line([bad, good, good])
    trained = fit(method)
    assert trained.best_epoch == 2
    assert [epoch.dev_score for epoch in trained.history] == [0, 100, 100]
    assert method.w.item() == method.weights[1] != method.weights[2]


def test_every_update_is_that_of_adamw_on_the_mean_loss_of_its_rows(fit):
    method = Line([[1] * 6] * 3)
    trained = fit(method)
    w = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([w], lr=0.1, weight_decay=0.01)
    rates = LinearDecay(3, 0.1, 0.1, 0.01, 1.0)
    losses = []
    for step in range(6):  # all rows are equal, so their order does not matter
        optimizer.param_groups[0]["lr"] = 0.1 * rates.factor(step, 6)
        optimizer.zero_grad()
        loss = torch.nn.functional.softplus(-w).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert method.weights[-1] == pytest.approx(w.item(), rel=1e-6)
    assert [epoch.loss for epoch in trained.history] == pytest.approx(
        [(a + b) / 2 for a, b in zip(losses[::2], losses[1::2], strict=True)]
    )


def test_the_device_keeps_nothing_of_a_training_that_is_over(fit):
    accelerator = Accelerator(cpu=True)
    fit(Line([[1] * 6] * 3), accelerator)
    assert not accelerator._models and not accelerator._optimizers


def test_events_tell_how_far_it_is(fit):
    events = []
    fit(Line([[1] * 6] * 3), on_event=events.append)
    assert events[0] == Started("a task", 6, "updates")
    assert [event for event in events if isinstance(event, Noted)] == [
        Noted(f"a task: epoch {epoch}, dev 100.0") for epoch in (1, 2, 3)
    ]


def test_a_loss_that_is_not_finite_ends_the_run(fit):
    method = Line([[1] * 6] * 3)
    method.w.data.fill_(float("nan"))
    with pytest.raises(RunError, match="a task diverged: the loss is nan in epoch 1") as caught:
        fit(method)
    assert "fit." not in caught.value.hint
