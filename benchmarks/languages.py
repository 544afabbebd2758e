"""Cost by number of languages: listing an epoch's sentence pairs, ordering them, scoring by group.

    python -m benchmarks.languages [--shape full|tiny] [--json FILE]

Every number of languages has all its directions, with 997 sentences in each language, as in FLORES-101's dev
set, and its own process. Lengths are random; there is no model. ``over linear`` is the time per sentence pair
over that at the smallest number of languages.
"""

from __future__ import annotations

import multiprocessing
import resource
from typing import Any

import numpy as np
from numpy.random import default_rng

from benchmarks import measure
from benchmarks.batches import Lengths, timed
from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.method.languages import Language, Resource, directions
from lslo_cli.method.statistics import group_means
from lslo_cli.training.batches import EpochBatches
from lslo_cli.training.tokenized import TokenizedCorpus

SHAPES = {"full": ((12, 100, 202), 997), "tiny": ((3, 6), 10)}
"""Numbers of languages, and of their common rows."""


def run(shape: str) -> list[dict[str, Any]]:
    """Measure each number of languages in a fresh process, so that its peak of memory is its own."""
    counts, rows = SHAPES[shape]
    measured = []
    for count in counts:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured.append(pool.apply(epoch_of, (count, rows)))
    first = measured[0]
    for row in measured:
        row["over linear"] = (row["seconds to order"] / row["pairs"]) / (
            first["seconds to order"] / first["pairs"]
        )
    return measured


def epoch_of(count: int, rows: int) -> dict[str, Any]:
    """The first epoch of ``count`` languages with ``rows`` rows in all directions."""
    before = _peak_mib()
    languages = [Language(f"l{number}", list(Resource)[number % 4]) for number in range(count)]
    corpus = TokenizedCorpus(Corpus((CorpusSection("text", _lengths(count, rows)),)), Lengths())
    every = directions(languages)
    codes = [language.code for language in languages]
    epochs, listing = timed(
        lambda: EpochBatches(corpus, every, codes, max_tokens=4000, max_length=256, temperature=1.0, seed=1)
    )
    batches, ordering = timed(lambda: epochs.batches(1))
    some = range(0, len(batches), -(-len(batches) // 20))
    tokens, building = timed(lambda: sum(batches[index].tokens for index in some))
    _, scoring = timed(lambda: group_means(dict.fromkeys(every, 1.0), languages))
    return {
        "languages": count,
        "directions": len(every),
        "pairs": len(epochs.examples),
        "seconds to list": listing,
        "seconds to order": ordering,
        "target tokens/s to build": round(tokens / building) if building else None,
        "seconds to average by group": scoring,
        "MiB": _peak_mib() - before,
    }


def _lengths(count: int, rows: int) -> dict[str, list[str]]:
    """Log-normal lengths that a sentence shares with its translations, up to a tenth by language."""
    generator = default_rng(1)
    shared = generator.lognormal(np.log(33), 0.4, rows)
    factors = generator.lognormal(0.1, 0.1, count)
    return {
        f"l{number}": [str(max(1, round(n))) for n in shared * factor]
        for number, factor in enumerate(factors)
    }


def _peak_mib() -> float:
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    given = measure.parse(measure.parser(__doc__, tuple(SHAPES)))
    measure.report(run(given.shape), given)


if __name__ == "__main__":
    main()
