"""From a meaning to a sentence: inherited stems, affixes, sound changes and word order."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from random import Random

from lslo_cli.world.languages import GRAMMARS, NEWCOMERS, PHONOLOGIES, WORLD, Phonology
from lslo_cli.world.meaning import LEXICON, Meaning, NounPhrase, Tense, Word


class Affix(StrEnum):
    """The affixes of a word."""

    PLURAL = "plural"
    OBJECT = "object"
    PAST = "past"
    FUTURE = "future"
    MANY_ACT = "many-act"  # the verb agrees with a plural subject


_SHORT = (Word.ADPOSITION, Word.NEGATION)
"""Word classes with stems of one syllable; the others have two."""


class Speaker:
    """Generates the sentences of meanings in one language of the world.

    Stems and affixes are the family ancestor's, except for the share of stems that the language coined
    itself; the language's sound changes apply to every inflected word.
    """

    def __init__(self, code: str):
        self._grammar = GRAMMARS[code]
        family = {**WORLD, **NEWCOMERS}[code].family
        phonology = PHONOLOGIES[family]
        inherited, coined = _lexicon(family, phonology), _lexicon(code, phonology)
        replaced = Random(f"{code} replaces")
        self._stems = {
            key: coined[key] if replaced.random() < self._grammar.own_words else stem
            for key, stem in inherited.items()
        }
        self._affixes = _affixes(family, phonology)
        self.word = lru_cache(maxsize=None)(self._inflected)

    def say(self, meaning: Meaning) -> str:
        """The sentence of ``meaning``: words in lower case with single spaces between them."""
        parts = {
            "S": self._noun_phrase(meaning.subject),
            "V": [self._verb(meaning)],
            "X": [self.word(Word.NEGATION, 0)] if meaning.negated else [],
            "O": self._noun_phrase(meaning.object, Affix.OBJECT) if meaning.object else [],
            "P": self._place(*meaning.place) if meaning.place else [],
            "T": [] if meaning.time is None else [self.word(Word.TIME, meaning.time)],
        }
        return " ".join(word for part in self._grammar.clause for word in parts[part])

    def _noun_phrase(self, phrase: NounPhrase, *case: Affix) -> list[str]:
        affixes = (Affix.PLURAL, *case) if phrase.plural else case
        noun = self.word(Word.NOUN, phrase.noun, *affixes)
        if phrase.adjective is None:
            return [noun]
        adjective = self.word(Word.ADJECTIVE, phrase.adjective)
        return [adjective, noun] if self._grammar.adjective_first else [noun, adjective]

    def _verb(self, meaning: Meaning) -> str:
        tense = {Tense.PAST: (Affix.PAST,), Tense.FUTURE: (Affix.FUTURE,)}.get(meaning.tense, ())
        agreement = (Affix.MANY_ACT,) if meaning.subject.plural else ()
        return self.word(Word.VERB, meaning.verb, *tense, *agreement)

    def _place(self, adposition: int, noun: int) -> list[str]:
        words = [self.word(Word.ADPOSITION, adposition), self.word(Word.NOUN, noun)]
        return words if self._grammar.preposition else words[::-1]

    def _inflected(self, word: Word, concept: int, *affixes: Affix) -> str:
        """The word for a concept: its stem, then the affixes outward, then the sound changes."""
        form = self._stems[word, concept]
        for affix in affixes:
            form = self._affixes[affix] + form if self._grammar.prefixing else form + self._affixes[affix]
        for pattern, replacement in self._grammar.sound_changes:
            form = re.sub(pattern, replacement, form)
        return form


def _pick(random: Random, items: tuple[str, ...]) -> str:
    return items[int(len(items) * random.random())]


def _syllable(random: Random, sounds: Phonology) -> str:
    coda = _pick(random, sounds.codas) if random.random() < sounds.closed else ""
    return _pick(random, sounds.onsets) + _pick(random, sounds.vowels) + coda


def _lexicon(ancestor: str, sounds: Phonology) -> dict[tuple[Word, int], str]:
    """A stem for every concept, no two alike."""
    random = Random(f"{ancestor} lexicon")
    stems: dict[tuple[Word, int], str] = {}
    taken: set[str] = set()
    for word, size in LEXICON.items():
        syllables = 1 if word in _SHORT else 2
        for concept in range(size):
            stem = ""
            while not stem or stem in taken:
                stem = "".join(_syllable(random, sounds) for _ in range(syllables))
            taken.add(stem)
            stems[word, concept] = stem
    return stems


def _affixes(family: str, sounds: Phonology) -> dict[Affix, str]:
    """A different syllable for every affix."""
    random = Random(f"{family} affixes")
    syllables: list[str] = []
    while len(syllables) < len(Affix):
        syllable = _pick(random, sounds.onsets) + _pick(random, sounds.vowels)
        if syllable not in syllables:
            syllables.append(syllable)
    return dict(zip(Affix, syllables, strict=True))
