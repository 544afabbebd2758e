"""The gain by each language's adapter on text that nothing was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lslo_cli.data.splits import DEV_ROWS
from lslo_cli.events import Advanced, Finished, Started, ignore
from lslo_cli.nn.attach import Adapters
from lslo_cli.tasks.setup import Setup
from lslo_cli.training.validation import Validation

TASK = "switching off one language at a time"


def dev_gains(setup: Setup, adapters: Adapters) -> dict[str, float]:
    """By language: loss on the dev rows without its adapter less that with it, in nats per target token.

    Over the directions from and to the language, all other adapters in place: two forward passes of these.
    Empty where the recipe has no dev rows.
    """
    if not setup.recipe.data.dev_rows:
        return {}
    corpus = setup.corpus(DEV_ROWS)
    gains = {}
    setup.on_event(Started(TASK, len(setup.codes), "languages"))
    for number, code in enumerate(setup.codes, start=1):
        named = [direction for direction in setup.directions if code in (direction.src, direction.tgt)]
        batches = setup.batches(corpus, named)
        loss = Validation(setup.base, batches, setup.accelerator, ignore, adapters.route)
        with_adapter = loss.measure()
        with switched_off(adapters, code):
            gains[code] = loss.measure() - with_adapter
        setup.on_event(Advanced(TASK, number))
    setup.on_event(Finished(TASK))
    return gains


@contextmanager
def switched_off(adapters: Adapters, language: str) -> Iterator[None]:
    """Let one language's adapters add nothing until the block ends."""
    matrices = [each for each in adapters.matrices() if (each.language, each.name) == (language, "B")]
    kept = [matrix.weight.clone() for matrix in matrices]
    with torch.no_grad():
        for matrix in matrices:
            matrix.weight.zero_()
        try:
            yield
        finally:
            for matrix, weight in zip(matrices, kept, strict=True):
                matrix.weight.copy_(weight)
