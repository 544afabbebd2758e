"""Ranks by language, and what they cost in parameters (paper, eq. 3 and table 1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.adapters import Span
from lslo_cli.method.languages import Language, Resource, resource_classes
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.sites import SiteSet
from lslo_cli.wording import counted

SHARED = "shared"
"""The name of the one adapter that all languages use in ordinary LoRA, in place of a language code."""

PAPER_RANKS = {
    Resource.HIGH: 2, Resource.MEDIUM: 2, Resource.LOW: 8, Resource.VERY_LOW: 8, Resource.UNLABELLED: 4
}  # fmt: skip
"""The paper's ranks (tables 1 and 2), and their mean for languages without a class."""


@dataclass(frozen=True)
class RankMap:
    """The rank of each language's adapters, the same at every site.

    A language of rank 0, like an unnamed one, has no adapter and is left out of ``by_language``.
    """

    by_language: Mapping[str, int]

    def __post_init__(self) -> None:
        if not any(self.by_language.values()):
            raise UsageError("no language has an adapter: all ranks are 0", "give one a rank of 1 or more")
        with_adapter = {code: rank for code, rank in self.by_language.items() if rank}
        object.__setattr__(self, "by_language", with_adapter)

    def of(self, code: str) -> int:
        return self.by_language.get(code, 0)

    @property
    def total(self) -> int:
        """The sum of ranks over languages: rows of A and columns of B at one site."""
        return sum(self.by_language.values())

    def parameters(self, shape: ModelShape, site_set: SiteSet = SiteSet.ALL, span: Span = Span.ALL) -> int:
        """Trainable parameters: sum over sites and languages of r (d_in + d_out) of the adapters.

        With ``Span.D_MODEL`` these are the paper's #Params. With ``Span.ALL`` there are 1.46 times as many
        for all matrices of M2M-124 615M, and 2.5 times for feed-forward only.
        """
        return self.total * sum(sum(shape.adapter(site, span)) for site in shape.sites(site_set))


def uniform_ranks(languages: Iterable[Language], rank: int) -> RankMap:
    """The same rank for every language."""
    return RankMap({language.code: rank for language in languages})


def parse_ranks(text: str, languages: Sequence[Language], required: Collection[str] | None = None) -> RankMap:
    """Read ``2,2,8`` (by resource class, high first) or ``en=2,wo=16`` (by language, or by class).

    By name, the ``required`` codes, by default all, need a rank; others may be left without adapter. A
    language's own rank has precedence over its class's. Semicolons may replace commas, as in the paper.

    Raises UsageError for a wrong number of ranks, a name that is neither language nor class or is given
    twice, a language left without a rank, or ranks that are all 0.
    """
    parts = [part.strip() for part in text.replace(";", ",").split(",")]
    if any("=" in part for part in parts):
        return _ranks_by_name(parts, languages, required)
    classes = resource_classes(languages)
    ranks = [_whole_number(part, text) for part in parts]
    if len(ranks) != len(classes):
        counts = (
            f"{counted(len(ranks), 'rank')} for {counted(len(classes), 'resource class', 'resource classes')}"
        )
        example = ",".join(["2"] * (len(classes) - 1) + ["8"])
        raise UsageError(
            f"--ranks {text} gives {counts}: {', '.join(classes)}",
            f"give one rank per class in this order, such as --ranks {example}",
        )
    by_class = dict(zip(classes, ranks, strict=True))
    return RankMap({language.code: by_class[language.resource] for language in languages})


def shared_rank(text: str) -> RankMap:
    """The rank of one LoRA for all languages. Raises UsageError for ranks by class or language."""
    if not text.isdecimal():
        raise UsageError(
            f"one LoRA for all languages has one rank, not --ranks {text}", "give one, such as --ranks 8"
        )
    return RankMap({SHARED: int(text)})


def _ranks_by_name(
    parts: Sequence[str], languages: Sequence[Language], required: Collection[str] | None
) -> RankMap:
    codes = [language.code for language in languages]
    classes = resource_classes(languages)
    given: dict[str, int] = {}
    for part in parts:
        name, equals, rank = (piece.strip() for piece in part.partition("="))
        if not equals or name not in (*codes, *classes):
            suggestion = nearest(name, [*codes, *classes])
            raise UsageError(
                f"'{part}' in --ranks names no language or class of this experiment.{suggestion}",
                f"languages: {', '.join(codes)}; classes: {', '.join(classes)}",
            )
        if name in given:
            raise UsageError(f"--ranks names '{name}' twice", "give each language or class one rank")
        given[name] = _whole_number(rank, part)
    ranks = {lang.code: given.get(lang.code, given.get(lang.resource)) for lang in languages}
    missing = [code for code in (codes if required is None else required) if ranks[code] is None]
    if missing:
        raise UsageError(
            f"--ranks gives no rank for {', '.join(missing)}",
            "name every language, or its class as in very-low=8",
        )
    return RankMap({code: rank for code, rank in ranks.items() if rank is not None})


def _whole_number(text: str, context: str) -> int:
    if not text.isdecimal():
        raise UsageError(
            f"'{text}' in --ranks {context} is not a whole number", "write ranks as 2,2,8 or en=2,wo=16"
        )
    return int(text)
