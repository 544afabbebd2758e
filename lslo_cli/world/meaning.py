"""What a sentence of the built-in world says, before any language says it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random


class Word(StrEnum):
    """Word classes."""

    NOUN = "noun"
    VERB = "verb"
    ADJECTIVE = "adjective"
    TIME = "time"
    ADPOSITION = "adposition"
    NEGATION = "negation"


class Tense(StrEnum):
    """When it happens; the present carries no affix."""

    PRESENT = "present"
    PAST = "past"
    FUTURE = "future"


LEXICON: dict[Word, int] = {
    Word.NOUN: 100,
    Word.VERB: 40,
    Word.ADJECTIVE: 32,
    Word.TIME: 10,
    Word.ADPOSITION: 4,
    Word.NEGATION: 1,
}
"""Number of concepts in each word class. Concept 0 is the most frequent of its class."""


@dataclass(frozen=True)
class NounPhrase:
    """A noun concept, one or many of it, and perhaps a property."""

    noun: int
    plural: bool
    adjective: int | None


@dataclass(frozen=True)
class Meaning:
    """Who does what to whom, where and when. Equal meanings give equal sentences in every language."""

    subject: NounPhrase
    verb: int
    tense: Tense
    negated: bool
    object: NounPhrase | None
    place: tuple[int, int] | None  # adposition, noun
    time: int | None


def _zipf(size: int) -> list[float]:
    """Cumulative probabilities of ``size`` concepts whose frequency falls as (rank + 2) ** -1.5.

    The tail is what a small set of sentences does not show: most concepts are rare, most words are not.
    """
    total = list(accumulate((rank + 2) ** -1.5 for rank in range(1, size + 1)))
    return [value / total[-1] for value in total]


_CUMULATIVE = {word: _zipf(size) for word, size in LEXICON.items()}


def meanings(seed: str) -> Iterator[Meaning]:
    """Endless different meanings, the same for the same seed.

    Only ``Random.random`` is called: its sequence is the one that Python promises to keep.
    """
    random = Random(seed).random
    seen: set[Meaning] = set()

    def concept(word: Word) -> int:
        return min(bisect(_CUMULATIVE[word], random()), LEXICON[word] - 1)

    def noun_phrase() -> NounPhrase:
        adjective = concept(Word.ADJECTIVE) if random() < 0.4 else None
        return NounPhrase(concept(Word.NOUN), random() < 0.3, adjective)

    while True:
        meaning = Meaning(
            subject=noun_phrase(),
            verb=concept(Word.VERB),
            tense=list(Tense)[int(3 * random())],
            negated=random() < 0.2,
            object=noun_phrase() if random() < 0.75 else None,
            place=(concept(Word.ADPOSITION), concept(Word.NOUN)) if random() < 0.35 else None,
            time=concept(Word.TIME) if random() < 0.3 else None,
        )
        if meaning not in seen:
            seen.add(meaning)
            yield meaning
