"""The meanings of the built-in world's sentences, independent of language."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
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
    """The tense of a verb; the present has no affix."""

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
    """A noun concept, its number, and an optional adjective."""

    noun: int
    plural: bool
    adjective: int | None


@dataclass(frozen=True)
class Meaning:
    """Subject, verb, object, place and time. Equal meanings give equal sentences in every language."""

    subject: NounPhrase
    verb: int
    tense: Tense
    negated: bool
    object: NounPhrase | None
    place: tuple[int, int] | None  # adposition, noun
    time: int | None


@dataclass(frozen=True)
class Genre:
    """A kind of text, by the probabilities of its meanings.

    ``tenses`` are cumulative: up to the first present, up to the second past, above it future.
    ``topical`` is the probability that a noun is one of the ``TOPIC``.
    """

    adjective: float
    plural: float
    tenses: tuple[float, float]
    negated: float
    object: float
    place: float
    time: float
    topical: float


TALK = Genre(
    adjective=0.3, plural=0.3, tenses=(0.5, 0.75), negated=0.2, object=0.7, place=0.25, time=0.25, topical=0.0
)
"""Short sentences about anything, like crawled bitext."""

REPORT = Genre(
    adjective=0.45, plural=0.4, tenses=(0.2, 0.85), negated=0.1, object=0.85, place=0.5, time=0.4, topical=0.3
)
"""Longer sentences about past events, with some less common nouns repeated, like edited text."""

TOPIC = range(25, 35)
"""The topical nouns of reports, which only a model with much bitext knows."""


def _zipf(size: int) -> list[float]:
    """Cumulative probabilities of ``size`` concepts whose frequency falls as (rank + 2) ** -1.5.

    A small set of sentences lacks the tail: most concepts are rare, most words are not.
    """
    total = list(accumulate((rank + 2) ** -1.5 for rank in range(1, size + 1)))
    return [value / total[-1] for value in total]


_CUMULATIVE = {word: _zipf(size) for word, size in LEXICON.items()}


def meanings(seed: str, genre: Genre, known: Iterable[Meaning] = ()) -> Iterator[Meaning]:
    """Endless meanings of a genre, all different and none of them ``known``; the same for the same seed.

    Only ``Random.random`` is called, the only sequence that Python guarantees across versions.
    """
    random = Random(seed).random
    seen = set(known)

    def concept(word: Word) -> int:
        return min(bisect(_CUMULATIVE[word], random()), LEXICON[word] - 1)

    def noun() -> int:
        return TOPIC[int(len(TOPIC) * random())] if random() < genre.topical else concept(Word.NOUN)

    def noun_phrase() -> NounPhrase:
        adjective = concept(Word.ADJECTIVE) if random() < genre.adjective else None
        return NounPhrase(noun(), random() < genre.plural, adjective)

    while True:
        meaning = Meaning(
            subject=noun_phrase(),
            verb=concept(Word.VERB),
            tense=list(Tense)[bisect(genre.tenses, random())],
            negated=random() < genre.negated,
            object=noun_phrase() if random() < genre.object else None,
            place=(concept(Word.ADPOSITION), noun()) if random() < genre.place else None,
            time=concept(Word.TIME) if random() < genre.time else None,
        )
        if meaning not in seen:
            seen.add(meaning)
            yield meaning
