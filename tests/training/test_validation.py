"""The loss on held-out text."""

from itertools import permutations

import pytest
import torch

from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.errors import RunError
from lslo_cli.method.languages import Direction
from lslo_cli.nn.loss import TranslationLoss
from lslo_cli.tasks.setup import prepare
from lslo_cli.training.validation import Validation


@torch.no_grad()
def test_the_loss_is_the_mean_over_all_pairs_of_directions_of_any_size(tiny):
    setup = prepare(tiny.recipe(**{"data.temperature": 5.0}))
    whole = setup.read("train")
    chosen = [Direction(*pair) for pair in permutations(("qta", "qso", "qki"), 2)]
    rows = {Direction("qta", "qso"): 24, Direction("qta", "qki"): 3}
    parts = []
    for direction, number in rows.items():
        texts = zip((direction.src, direction.tgt), whole.pairs(direction), strict=True)
        parts.append(CorpusSection(str(direction), {code: list(lines[:number]) for code, lines in texts}))
    corpus = Corpus(tuple(parts))
    batches = setup.batches(corpus, chosen)
    assert sorted(batches.sizes.tolist()) == [0, 0, 3, 3, 24, 24]
    loss, tokens = Validation(setup.base, batches, setup.accelerator, print).totals()

    objective = TranslationLoss(setup.base.model, smoothing=0.0).eval()
    everything = batches.build(torch.arange(len(batches.examples)).numpy())
    assert tokens == everything.tokens
    assert loss == pytest.approx(float(objective(everything)), rel=1e-5)


def test_a_loss_that_is_not_finite_ends_the_training(tiny, monkeypatch):
    setup = prepare(tiny.recipe())
    validation = Validation(setup.base, setup.batches(setup.read("train")), setup.accelerator, print)
    monkeypatch.setattr(validation, "totals", lambda: (float("nan"), 1))
    with pytest.raises(RunError, match="loss on held-out rows is nan after epoch 2") as raised:
        validation.after_epoch(2)
    assert raised.value.hint.startswith("lower the learning rate")
    assert validation.losses == []
