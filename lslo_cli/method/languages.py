"""Languages, their resource classes, and the directions between them (paper, tables 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from random import Random

from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.codes import MODEL_LANGUAGES, find_code
from lslo_cli.method.relations import FAMILY_OF


class Resource(StrEnum):
    """Resource class of a language: FLORES-101's four, from most bitext to least, and none."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    VERY_LOW = "very-low"
    UNLABELLED = "unlabelled"

    @property
    def letter(self) -> str:
        """The letter that stands for the class in group names: H, M, L, V or U."""
        return self.value[0].upper()


THRESHOLDS = {Resource.HIGH: 100_000_000, Resource.MEDIUM: 1_000_000, Resource.LOW: 100_000}
"""FLORES-101's classes: languages with more sentence pairs with English than this; very low have fewer."""


@dataclass(frozen=True)
class Language:
    """A language as the method sees it.

    ``code`` is the base model's code. ``bitext`` counts sentence pairs with English in the base
    model's training data, and is None if there is no such number, as for English itself.
    """

    code: str
    resource: Resource
    family: str = ""
    bitext: int | None = None


@dataclass(frozen=True)
class Direction:
    """An ordered pair of language codes, written ``en-de``."""

    src: str
    tgt: str

    def __str__(self) -> str:
        return f"{self.src}-{self.tgt}"

    @classmethod
    def parse(cls, text: str) -> Direction:
        """Read ``en-de``. Raises UsageError if ``text`` is not two codes joined by a hyphen."""
        src, hyphen, tgt = text.partition("-")
        if not (src and hyphen and tgt) or "-" in tgt:
            raise UsageError(f"'{text}' is not a direction", "write source and target as en-de")
        return cls(src, tgt)


_H, _M, _L, _V = Resource.HIGH, Resource.MEDIUM, Resource.LOW, Resource.VERY_LOW

LANGUAGES: dict[str, Language] = {
    language.code: language
    for language in (
        Language("en", _H, "Germanic"),
        Language("fr", _H, "Romance", 289_000_000),
        Language("de", _H, "Germanic", 216_000_000),
        Language("it", _H, "Romance", 116_000_000),
        Language("pt", _H, "Romance", 137_000_000),
        Language("ru", _H, "Balto-Slavic", 127_000_000),
        Language("es", _H, "Romance", 315_000_000),
        Language("ar", _M, "Afro-Asiatic", 25_200_000),
        Language("zh", _M, "Sino-Tibetan", 37_900_000),
        Language("nl", _M, "Germanic", 82_400_000),
        Language("he", _M, "Afro-Asiatic", 6_640_000),
        Language("hi", _M, "Indo-Aryan", 3_300_000),
        Language("ja", _M, "Japonic", 23_200_000),
        Language("ko", _M, "Koreanic", 7_460_000),
        Language("mt", _M, "Afro-Asiatic", 5_820_000),
        Language("no", _M, "Germanic", 10_900_000),
        Language("af", _L, "Germanic", 570_000),
        Language("am", _L, "Afro-Asiatic", 339_000),
        Language("hy", _L, "Other IE", 977_000),
        Language("ha", _L, "Afro-Asiatic", 335_000),
        Language("ny", _L, "Bantu", 932_000),
        Language("sn", _L, "Bantu", 877_000),
        Language("yo", _L, "Nilotic+Other AC", 171_000),
        Language("zu", _L, "Bantu", 123_000),
        Language("ff", _V, "Nilotic+Other AC", 71_000),
        Language("kam", _V, "Bantu", 50_000),
        Language("oc", _V, "Romance", 5_110),
        Language("or", _V, "Indo-Aryan", 5_000),
        Language("sd", _V, "Indo-Aryan", 21_800),
        Language("wo", _V, "Nilotic+Other AC", 86_900),
    )
}
"""Tables 5 and 6: every language of the paper, by its M2M-124 code, in the paper's order."""

LANG30: tuple[str, ...] = tuple(LANGUAGES)
LANG12: tuple[str, ...] = ("en", "fr", "de", "it", "zh", "nl", "ja", "ko", "oc", "or", "sd", "wo")
LANGUAGE_SETS: Mapping[str, tuple[str, ...]] = {"lang12": LANG12, "lang30": LANG30}


def resolve_languages(
    names: str | Sequence[str],
    known: Mapping[str, Language],
    sets: Mapping[str, Sequence[str]] = LANGUAGE_SETS,
    added: Iterable[str] = (),
) -> tuple[Language, ...]:
    """The languages that :func:`language_codes` finds, each with its class.

    A language of a published model that is not ``known`` is unlabelled. Raises UsageError as that does.
    """
    unlabelled = Resource.UNLABELLED
    return tuple(
        known.get(code) or Language(code, unlabelled, FAMILY_OF.get(code, ""))
        for code in language_codes(names, known, sets, added)
    )


def language_names(
    names: str | Sequence[str], sets: Mapping[str, Sequence[str]] = LANGUAGE_SETS
) -> tuple[str, ...]:
    """The names of languages as given, with a set expanded."""
    if isinstance(names, str):
        names = sets.get(names) or [name.strip() for name in names.split(",") if name.strip()]
    return tuple(names)


def language_codes(
    names: str | Sequence[str],
    known: Collection[str],
    sets: Mapping[str, Sequence[str]] = LANGUAGE_SETS,
    added: Iterable[str] = (),
) -> list[str]:
    """Turn ``lang12``, ``"en,fr,wo"`` or a list of names into the codes of languages, in the order given.

    A language may be given by any of its names: ``nb`` and ``nob_Latn`` are ``no``. ``added`` codes are
    appended unless named already.

    Raises UsageError for an unknown code (naming the nearest), a language named twice, or fewer than two.
    """
    names = language_names(names, sets)
    codes = [find_code(name, known) for name in names]
    codes += [code for code in added if code not in codes]
    for name, code in zip(names, codes, strict=False):
        if code not in known and code not in MODEL_LANGUAGES:
            raise UsageError(
                f"unknown language '{name}'.{nearest(name, {*known, *sets, *MODEL_LANGUAGES})}",
                f"name a set ({', '.join(sets)}) or codes that the base model knows; for a language of "
                f"another model give its resource class: --resource {name}=low; "
                f"to add it to the model: --add-lang {name} --like RELATIVE",
            )
    for position, code in enumerate(codes):
        if code in codes[:position]:
            spelt = dict.fromkeys(name for name in names if code == find_code(name, known))
            spellings = f", as {' and '.join(spelt)}" if len(spelt) > 1 else ""
            raise UsageError(f"language '{code}' is named twice{spellings}", "name each language once")
    if len(codes) < 2:
        raise UsageError(
            f"translation needs at least two languages, got {len(codes)}", "name them as --langs en,fr,wo"
        )
    return codes


def resource_classes(languages: Iterable[Language]) -> tuple[Resource, ...]:
    """The classes that occur, from high to very-low: the order of ``--ranks 2,2,8``."""
    present = {language.resource for language in languages}
    return tuple(resource for resource in Resource if resource in present)


def directions(languages: Iterable[Language]) -> tuple[Direction, ...]:
    """All ordered pairs of different languages: n(n-1) directions, 132 for lang12, 870 for lang30."""
    return tuple(Direction(src.code, tgt.code) for src, tgt in permutations(languages, 2))


def choose_directions(patterns: Sequence[str], languages: Iterable[Language]) -> tuple[Direction, ...]:
    """The directions that the patterns name, or all without patterns.

    A pattern is a direction, ``en-wo``, whose source and target may be any name of a language, or ``*`` for
    all languages. Raises UsageError for a pattern that names no direction.
    """
    available = directions(languages)
    everything = set(available)
    codes = {direction.src for direction in available}
    named: set[Direction] = set()
    for pattern in patterns:
        asked = Direction.parse(pattern)
        src, tgt = (find_code(name, codes) for name in (asked.src, asked.tgt))
        if "*" in (src, tgt):
            found = {each for each in available if src in ("*", each.src) and tgt in ("*", each.tgt)}
        else:  # looked up, since hundreds of languages have tens of thousands of directions
            found = {Direction(src, tgt)} & everything
        if not found:
            raise UsageError(
                f"direction '{pattern}' is not among this experiment's",
                f"its languages are {', '.join(sorted(codes))}; source or target may be *, as in en-*",
            )
        named |= found
    return tuple(each for each in available if each in named or not patterns)


def sample_directions(languages: Iterable[Language], partners: int, seed: int) -> tuple[Direction, ...]:
    """Both directions between every language and ``partners`` others, or all if there are fewer.

    Languages are put on a circle in an order drawn from ``seed``, and each is paired with its neighbours,
    ceil(partners / 2) on either side, so that the number of directions is linear in that of languages.
    """
    available = directions(languages)
    codes = list(dict.fromkeys(direction.src for direction in available))
    circle = Random(seed).sample(codes, len(codes))
    position = {code: number for number, code in enumerate(circle)}
    reach = (partners + 1) // 2

    def apart(direction: Direction) -> int:
        steps = abs(position[direction.src] - position[direction.tgt])
        return min(steps, len(circle) - steps)

    return tuple(direction for direction in available if apart(direction) <= reach)


def grouping(languages: Iterable[Language]) -> Callable[[Direction], str]:
    """From a direction to its group, such as ``H2V``: the class letters of its source and target."""
    letter = {language.code: language.resource.letter for language in languages}
    return lambda direction: f"{letter[direction.src]}2{letter[direction.tgt]}"


AVERAGE = "AVG"
"""The mean over all directions, beside the groups."""


def groups(languages: Iterable[Language]) -> tuple[str, ...]:
    """The groups that occur, in the order of the paper's table columns: H2H, H2M, H2V, M2H, ..."""
    letters = [resource.letter for resource in resource_classes(languages)]
    return tuple(f"{src}2{tgt}" for src in letters for tgt in letters)
