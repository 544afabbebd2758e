"""The gain from each language's adapters on the dev rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import torch

from lslo_cli.data.corpus import Corpus
from lslo_cli.data.splits import DEV_ROWS
from lslo_cli.errors import InputError
from lslo_cli.events import Advanced, Finished, Started, ignore
from lslo_cli.method.languages import Direction
from lslo_cli.method.strategy import Index
from lslo_cli.nn.attach import Adapters
from lslo_cli.tasks.setup import Setup
from lslo_cli.training.validation import Validation

TASK = "switching off one language at a time"

FOLDS = 4
"""Parts of the dev rows in which gains are measured apart, to tell chance from differences of languages."""


@dataclass(frozen=True)
class DevGains:
    """Gains in nats per target token by language: over all dev rows, and in each fold of them.

    ``by_fold`` is empty where some language has no text in some fold.
    """

    by_language: dict[str, float] = field(default_factory=dict)
    by_fold: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Measured:
    """What the adapter of a language saves in some text, summed over target tokens, and their number."""

    saved: float
    tokens: int


def dev_text(setup: Setup) -> Corpus | None:
    """The dev rows to measure gains on, None if the recipe has none.

    Raises InputError, which names them, if some languages have no sentence pair there that is short enough.
    """
    rows = setup.recipe.data.dev_rows
    if not rows:
        return None
    corpus = setup.corpus(DEV_ROWS)
    lacking = setup.codes
    with suppress(InputError):  # no pair at all
        lacking = setup.batches(corpus, setup.directions).without_pairs
    if lacking:
        limit = min(setup.max_length, setup.recipe.fit.batch_tokens)
        raise InputError(
            f"the dev rows have no sentence pair of at most {setup.length_limit(limit)} for "
            f"{', '.join(lacking)}, to measure gains on",
            f"hold out more rows than --dev-rows {rows}, or leave these languages out of --langs",
        )
    return corpus


def dev_gains(
    setup: Setup, adapters: Adapters, corpus: Corpus | None, trained: Sequence[Direction]
) -> DevGains:
    """By language: loss on the dev rows without its adapter less that with it, in nats per target token.

    Taken over the directions from and to the language, with all other adapters in place: two forward passes.
    A language that is the source of none of the ``trained`` directions is measured in those to it alone, and
    one that is the target of none in those from it. ``corpus`` is the :func:`dev_text`; there are no gains
    without one.
    """
    if corpus is None:
        return DevGains()
    sources, targets = ({side.of(each) for each in trained} for side in (Index.SOURCE, Index.TARGET))
    from_or_to = {
        code: [
            each
            for each in setup.directions
            if (code == each.src and code in sources) or (code == each.tgt and code in targets)
        ]
        for code in setup.codes
    }
    folds = [_fold(corpus, number) for number in range(FOLDS)]
    measured = {}
    setup.on_event(Started(TASK, len(setup.codes), "languages"))
    for number, code in enumerate(setup.codes, start=1):
        try:
            measured[code] = [_measured(setup, adapters, code, fold, from_or_to[code]) for fold in folds]
        except InputError:  # no text in some fold
            measured[code] = [_measured(setup, adapters, code, corpus, from_or_to[code])]
        setup.on_event(Advanced(TASK, number))
    setup.on_event(Finished(TASK))
    by_language = {
        code: sum(part.saved for part in parts) / sum(part.tokens for part in parts)
        for code, parts in measured.items()
    }
    if any(len(parts) < FOLDS for parts in measured.values()):
        return DevGains(by_language)
    return DevGains(
        by_language, {code: [part.saved / part.tokens for part in parts] for code, parts in measured.items()}
    )


def _fold(corpus: Corpus, number: int) -> Corpus:
    """Every fourth row of each section."""
    return Corpus(tuple(each.select(range(number, len(each), FOLDS)) for each in corpus.sections))


def _measured(
    setup: Setup, adapters: Adapters, code: str, corpus: Corpus, directions: Sequence[Direction]
) -> _Measured:
    """What a language's adapter saves. Raises InputError where the directions have no text in the corpus."""
    batches = setup.batches(corpus, directions)
    loss = Validation(setup.base, batches, setup.accelerator, ignore, adapters.route)
    with_adapter, tokens = loss.totals()
    with switched_off(adapters, code):
        without, _ = loss.totals()
    return _Measured(without - with_adapter, tokens)


@contextmanager
def switched_off(adapters: Adapters, language: str) -> Iterator[None]:
    """Set one language's adapters to zero until the block ends."""
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
