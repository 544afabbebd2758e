"""Padding of a training epoch under a token budget, ours, random and sorted, and the time to build one.

    python -m benchmarks.batches [--shape lang12|world] [--json FILE]

``lang12`` is 997 sentences in 12 languages with lengths like those of news text, ``world`` the training text
that comes with lslo.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from benchmarks import measure
from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.method.languages import Direction
from lslo_cli.models.base import load_base
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.nn.loss import IGNORED
from lslo_cli.training.batches import Batch, EpochBatches, token_budget
from lslo_cli.training.tokenized import Examples, TokenizedCorpus
from lslo_cli.world import sentences

LENGTHENING = (1.0, 1.2, 1.2, 1.2, 0.9, 1.1, 1.0, 1.0, 1.4, 1.6, 1.3, 1.3)
"""The mean pieces of each language over the first one's: a shared vocabulary splits some languages more."""

MEAN_LENGTH, SPREAD = 33, 0.4


@dataclass(frozen=True)
class Text:
    """The number of rows, their origin, and the token budget of a batch."""

    rows: int
    max_tokens: int
    of_world: bool = False


TEXTS = {
    "lang12": Text(rows=997, max_tokens=4000),
    "world": Text(rows=200, max_tokens=2000, of_world=True),
    "tiny": Text(rows=20, max_tokens=300),
}


class Lengths:
    """A tokenizer of sentences that consist of their number of pieces."""

    pad_id, piece, output_size = 1, 3, 4

    def encode(self, text: str) -> list[int]:
        return [self.piece] * int(text)

    def source_ids(self, pieces: list[int], src: str, tgt: str) -> list[int]:
        return [self.piece, *pieces, self.piece]

    target_ids = source_ids


def tokenized(text: Text) -> TokenizedCorpus:
    """The text of a shape as pieces."""
    if text.of_world:
        tokenizer: Tokenizer | Lengths = load_base("world").tokenizer
        lines = sentences("train", text.rows)
    else:
        tokenizer, lines = Lengths(), _lengths(text.rows)
    return TokenizedCorpus(Corpus((CorpusSection("text", lines),)), tokenizer)


def _lengths(rows: int) -> dict[str, list[str]]:
    """Log-normal lengths that a sentence shares with its translations, up to a tenth and by language."""
    generator = default_rng(1)
    shared = generator.lognormal(np.log(MEAN_LENGTH), SPREAD, rows)
    own = {code: generator.lognormal(np.log(factor), 0.1, rows) for code, factor in _factors().items()}
    return {code: [str(max(1, round(n))) for n in shared * factor] for code, factor in own.items()}


def _factors() -> dict[str, float]:
    return {f"l{number}": factor for number, factor in enumerate(LENGTHENING)}


def cut(order: np.ndarray, examples: Examples, max_tokens: int) -> list[np.ndarray]:
    """Batches from examples in a given order."""
    return [order[start:stop] for start, stop in token_budget(examples.width[order], max_tokens)]


def random_order(examples: Examples, generator: Generator) -> np.ndarray:
    return generator.permutation(len(examples))


def sorted_order(examples: Examples, generator: Generator) -> np.ndarray:
    """By target length, then by source length: the least padding of any one order."""
    return np.lexsort((examples.source_length, examples.target_length))


def by_direction(examples: Examples, max_tokens: int) -> Iterator[np.ndarray]:
    """Batches of one direction each, sorted by length."""
    for direction in np.unique(examples.direction):
        here = np.flatnonzero(examples.direction == direction)
        yield from cut(here[sorted_order(examples[here], default_rng(1))], examples, max_tokens)


def padding(groups: list[np.ndarray], examples: Examples) -> float:
    """Padded over real tokens of both sides."""
    sides = (examples.source_length, examples.target_length)
    computed = sum(len(group) * int(side[group].max()) for group in groups for side in sides)
    return computed / sum(int(side[group].sum()) for group in groups for side in sides)


def padding_of(batches: Iterable[Batch]) -> float:
    """Padded over real tokens of both sides of batches as they are built."""
    computed = real = 0
    for batch in batches:
        computed += batch.input_ids.numel() + batch.labels.numel()
        real += int(batch.attention_mask.sum() + (batch.labels != IGNORED).sum())
    return computed / real


def run(shape: str) -> list[dict[str, Any]]:
    """Measure every way to cut an epoch into batches. Times are processor time of one run."""
    text = TEXTS[shape]
    corpus = tokenized(text)
    codes = corpus.corpus.languages
    directions = [Direction(src, tgt) for src in codes for tgt in codes if src != tgt]
    ours = EpochBatches(
        corpus, directions, codes, max_tokens=text.max_tokens, max_length=256, temperature=1.0, seed=1
    )
    examples, generator = ours.examples, default_rng(1)
    orders: dict[str, Callable[[], list[np.ndarray]]] = {
        "random": lambda: cut(random_order(examples, generator), examples, text.max_tokens),
        "all sorted": lambda: cut(sorted_order(examples, generator), examples, text.max_tokens),
        "one direction each": lambda: list(by_direction(examples, text.max_tokens)),
    }
    rows = []
    for name, make in orders.items():
        groups, seconds = timed(make)
        rows.append(_row(name, padding(groups, examples), len(groups), seconds, None))
    epoch, seconds = timed(lambda: ours.batches(1))
    built, building = timed(lambda: sum(batch.tokens for batch in epoch))
    rows.append(_row("ours", padding_of(epoch), len(epoch), seconds, built / building))
    return rows


def _row(name: str, ratio: float, batches: int, seconds: float, rate: float | None) -> dict[str, Any]:
    return {
        "batches": name,
        "padded over real": ratio,
        "number": batches,
        "seconds to order": seconds,
        "target tokens/s to build": rate and round(rate),
    }


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and its processor time in seconds."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def main() -> None:
    given = measure.parse(measure.parser(__doc__, tuple(TEXTS)))
    measure.report(run(given.shape), given)


if __name__ == "__main__":
    main()
