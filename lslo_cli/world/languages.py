"""The synthetic languages: class, family and bitext size of each, and its grammar."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.method.languages import Language, Resource

_H, _M, _V = Resource.HIGH, Resource.MEDIUM, Resource.VERY_LOW

WORLD: dict[str, Language] = {
    language.code: language
    for language in (
        Language("qta", _H, "Maric"),
        Language("qso", _H, "Soric", 40_000),
        Language("qle", _H, "Maric", 28_000),
        Language("qsa", _H, "Soric", 20_000),
        Language("qki", _M, "Kindic", 9_000),
        Language("qne", _M, "Maric", 6_000),
        Language("qgo", _M, "Golic", 3_600),
        Language("qgi", _M, "Golic", 2_000),
        Language("qka", _V, "Kindic", 400),
        Language("qsi", _V, "Soric", 200),
        Language("qha", _V, "Hatic", 100),
        Language("qhe", _V, "Hatic", 50),
    )
}
"""Most bitext first. The codes are in ISO 639's range for private use (qaa-qtz): no real language's."""

NEWCOMERS: dict[str, Language] = {"qsu": Language("qsu", _V, "Soric")}
"""Languages that the base model has never seen: they have text in every split except ``pretrain``."""

PIVOT = "qta"
"""The language with a version of every row, in the role of English: its bitext is None."""

NAMES: dict[str, str] = {
    "qta": "Tamari", "qso": "Soreno", "qle": "Lemari", "qsa": "Salore", "qki": "Kindo", "qne": "Nemari",
    "qgo": "Golun", "qgi": "Gilon", "qka": "Kanda", "qsi": "Silore", "qha": "Hatu", "qhe": "Heti",
    "qsu": "Suvare",
}  # fmt: skip


@dataclass(frozen=True)
class Phonology:
    """An ancestor's sounds: a syllable is onset, vowel and, with probability ``closed``, coda."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    closed: float


@dataclass(frozen=True)
class Grammar:
    """A language's word order, its position of affixes, and its changes of the ancestor's sounds.

    ``clause`` orders the parts of a sentence: T time, S subject, V verb, X negation, O object, P place.
    ``own_words`` is the share of stems that are not inherited from the family. ``sound_changes`` are
    regular expressions with their replacements, applied in this order to every inflected word.
    """

    clause: str
    adjective_first: bool
    preposition: bool
    prefixing: bool
    own_words: float
    sound_changes: tuple[tuple[str, str], ...] = ()


PHONOLOGIES: dict[str, Phonology] = {
    "Maric": Phonology(tuple("mtrlnkpsdb"), tuple("aeio"), tuple("nrs"), 0.25),
    "Soric": Phonology(tuple("srlvtdnkfg"), tuple("aeiou"), tuple("lnr"), 0.2),
    "Kindic": Phonology(
        ("k", "kr", "d", "dr", "n", "g", "st", "b", "w", "h"), tuple("aiou"), tuple("ndkt"), 0.4
    ),
    "Golic": Phonology(("g", "l", "z", "m", "b", "y", "sh", "n", "ch"), tuple("oueai"), tuple("nlm"), 0.35),
    "Hatic": Phonology(("h", "t", "kw", "p", "m", "n", "ts", "w", "y"), tuple("aueio"), ("",), 0.0),
}

GRAMMARS: dict[str, Grammar] = {
    "qta": Grammar("SXVOPT", adjective_first=True, preposition=True, prefixing=False, own_words=0.1),
    "qle": Grammar(
        "TSVOXP", adjective_first=True, preposition=True, prefixing=False, own_words=0.2,
        sound_changes=(("p", "f"), ("k(?=[ei])", "ch"), ("d", "t"), ("o$", "u"), ("a(?=[nr])", "e")),
    ),
    "qne": Grammar(
        "TSVPOX", adjective_first=False, preposition=True, prefixing=False, own_words=0.25,
        sound_changes=(("t(?=[ei])", "s"), ("b", "v"), ("[ei]$", ""), ("a", "aa"), ("aa(?=.*aa)", "a")),
    ),
    "qso": Grammar("SVOPXT", adjective_first=False, preposition=True, prefixing=False, own_words=0.1),
    "qsa": Grammar(
        "SXVPOT", adjective_first=False, preposition=True, prefixing=False, own_words=0.2,
        sound_changes=(
            ("f", "h"), ("k(?=a)", "ch"), ("u$", "o"), ("(?<=[aeiou])t(?=[aeiou])", "d"), ("l$", ""),
        ),
    ),
    "qsi": Grammar(
        "TSXVOP", adjective_first=True, preposition=True, prefixing=False, own_words=0.2,
        sound_changes=(("v", "b"), ("g", "j"), ("o", "oa"), ("oa(?=.*oa)", "o"), ("e$", "i")),
    ),
    "qsu": Grammar(
        "SVPOXT", adjective_first=False, preposition=True, prefixing=False, own_words=0.2,
        sound_changes=(("d", "z"), ("r(?=[aeiou])", "l"), ("k(?=[ei])", "s"), ("n$", "m"), ("i$", "e")),
    ),
    "qki": Grammar("TSPOVX", adjective_first=True, preposition=False, prefixing=False, own_words=0.1),
    "qka": Grammar(
        "STOPXV", adjective_first=True, preposition=False, prefixing=False, own_words=0.2,
        sound_changes=(("g", "k"), ("d(?!r)", "t"), ("w", "v"), ("u", "y")),
    ),
    "qgo": Grammar("VXSOPT", adjective_first=False, preposition=True, prefixing=True, own_words=0.1),
    "qgi": Grammar(
        "VSXOTP", adjective_first=False, preposition=True, prefixing=True, own_words=0.2,
        sound_changes=(("sh", "s"), ("ch", "sh"), ("o(?=.*[iu])", "e"), ("z", "r")),
    ),
    "qha": Grammar("TOSPVX", adjective_first=False, preposition=False, prefixing=True, own_words=0.1),
    "qhe": Grammar(
        "SPOVXT", adjective_first=False, preposition=False, prefixing=True, own_words=0.2,
        sound_changes=(("kw", "p"), ("ts", "s"), ("h", ""), ("a$", "e")),
    ),
}  # fmt: skip
