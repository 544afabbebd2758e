"""Divide a budget of ranks among languages by a subspace estimate, without resource labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import fmean

from lslo_cli.errors import UsageError
from lslo_cli.method.importance import PrunedMatrix, scores_by_language
from lslo_cli.method.languages import Language
from lslo_cli.method.ranks import RankMap, parse_ranks
from lslo_cli.method.sites import Layer, Site
from lslo_cli.method.statistics import reliability
from lslo_cli.wording import Command

CONTRAST = 4.0
"""The ratio of the largest rank to the smallest unless a rule determines it: that of the paper's 2;2;8."""

LEAST_DIFFERENCE = 0.2
"""Gains count as equal if they all lie within so many nats per token, a fifth of perplexity.

Smaller differences can be real, and yet unequal ranks for them cost quality: the built-in world with equal
bitext for all has differences of 0.1, the worlds with unequal bitext of 0.65 to 1.
"""

SAME_AS = "same-as:"


@dataclass(frozen=True)
class Spectrum:
    """The singular values of one language's B A at one site, descending; ``cost`` is d_in + d_out."""

    site: Site
    language: str
    cost: int
    values: Sequence[float]


class Rule(StrEnum):
    """How the share s_l of language l in a budget of R ranks follows from an estimate.

    ``SIGN``: two levels with a ratio of 4, the higher one if the importance score (eq. 6) is negative: more
    of B survived than the target. The paper's ranks were read off its heatmap in this way.
    Here as in ``KEPT``, a language that is pruned against no other has the mean share.
    ``KEPT``: s_l ~ kept_l^g, kept_l the share of B's entries that survived, g such that the largest share is
    4 times the smallest.
    ``SPECTRUM``: the largest squared singular values of B A over all languages and sites, at a cost of
    d_in + d_out parameters each, until R ranks are spent; s_l ~ the cost of those of language l.
    ``LEVELS``: two levels with a ratio of 4, the higher one if the expected gain is above its mean over
    languages; one level if no expected gain is twice another; 0 for languages without a gain. It is the
    paper's 2;2;8 with a measurement in place of resource labels.
    ``GAIN``: s_l ~ max(0, expected gain of l).
    ``MIXTURE``: of the R largest values of s_l e_li, at most half of all, those of language l; s_l is that
    of ``GAIN`` and e_li the share of singular direction i in the squared singular values of language l.
    Equal shares if no expected gain is twice another.
    """

    SIGN = "sign"
    KEPT = "kept"
    SPECTRUM = "spectrum"
    LEVELS = "levels"
    GAIN = "gain"
    MIXTURE = "mixture"


@dataclass(frozen=True)
class Estimate:
    """A subspace estimate: matrices B after pruning to ``target_ratio``, and the spectra of B A.

    ``gains`` are in nats per target token, by language, and ``gains_by_fold`` the same in each fold of the
    dev rows. Estimates without dev text have neither; those of earlier versions may lack folds or spectra.
    ``order`` has the languages that are meant, in the order of the recipe: matrices may lack some in a layer.
    """

    matrices: Sequence[PrunedMatrix]
    target_ratio: float
    spectra: Sequence[Spectrum] = ()
    gains: Mapping[str, float] = field(default_factory=dict)
    gains_by_fold: Mapping[str, Sequence[float]] = field(default_factory=dict)
    order: Sequence[str] = field(default=(), compare=False)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.order or (matrix.language for matrix in self.matrices)))

    def of(self, codes: Sequence[str]) -> Estimate:
        """The estimate of these of its languages, in this order, which share budgets and make the means.

        All matrices stay: these languages were pruned against the others.
        """
        return replace(
            self,
            spectra=[spectrum for spectrum in self.spectra if spectrum.language in codes],
            gains={code: self.gains[code] for code in codes if code in self.gains},
            gains_by_fold={code: self.gains_by_fold[code] for code in codes if code in self.gains_by_fold},
            order=codes,
        )

    @property
    def compared(self) -> list[PrunedMatrix]:
        """The matrices of its languages in layers where another language has some.

        Those of a language that is alone in a layer are pruned to the target ratio by construction.
        """
        by_layer: dict[Layer, set[str]] = {}
        for matrix in self.matrices:
            by_layer.setdefault(matrix.site.layer, set()).add(matrix.language)
        wanted = set(self.languages)
        return [
            each for each in self.matrices if each.language in wanted and len(by_layer[each.site.layer]) > 1
        ]

    @property
    def reliability(self) -> float:
        """The reliability of the differences between gains, from 0 to 1; 1 without folds."""
        return reliability(list(self.gains_by_fold.values())) if self.gains_by_fold else 1.0

    @property
    def expected_gains(self) -> dict[str, float]:
        """Gains, shrunk towards their mean by their reliability: m + a (gain_l - m).

        gain_l is the loss on dev text without the adapter of l minus that with it, m its mean over languages,
        and a the reliability of gains (:func:`~.statistics.reliability`). All are m if they then lie within
        ``LEAST_DIFFERENCE``.
        """
        if not self.gains:
            return {}
        mean, reliable = fmean(self.gains.values()), self.reliability
        expected = {code: mean + reliable * (gain - mean) for code, gain in self.gains.items()}
        differ = max(expected.values()) - min(expected.values()) >= LEAST_DIFFERENCE
        return expected if differ else dict.fromkeys(expected, mean)

    @property
    def best_rule(self) -> Rule:
        """The default rule: ``MIXTURE`` if any language has a positive expected gain, else ``KEPT``.

        An estimate of an earlier version, without spectra, has ``LEVELS`` in place of ``MIXTURE``.
        """
        if not any(gain > 0 for gain in self.expected_gains.values()):
            return Rule.KEPT
        return Rule.MIXTURE if self.spectra else Rule.LEVELS


@dataclass(frozen=True)
class Allocation:
    """A divided budget: the rank of every language, 0 included, and the share that it was rounded from."""

    rule: Rule
    ranks: Mapping[str, int]
    shares: Mapping[str, float]

    @property
    def is_flat(self) -> bool:
        """Whether no language has twice the share of another."""
        return _is_flat(self.shares)

    @property
    def rank_map(self) -> RankMap:
        return RankMap(dict(self.ranks))

    @property
    def pruned(self) -> tuple[str, ...]:
        """Languages with less than the mean share, whose adapters gradual pruning prunes; none if flat."""
        if self.is_flat:
            return ()
        mean = 1 / len(self.shares)
        return tuple(code for code, share in self.shares.items() if mean - share > 1e-9)


def allocate(estimate: Estimate, budget: int, rule: Rule | None = None) -> Allocation:
    """Divide ``budget`` ranks, summed over languages, by ``rule`` or the estimate's best.

    Shares add up to 1 and are rounded by largest remainder, so that the ranks add up to the budget; a rank
    may be 0. Raises UsageError for a budget below 1, and if the estimate lacks a measurement of the rule.
    """
    rule = rule or estimate.best_rule
    if budget < 1:
        raise UsageError(f"a budget of {budget} ranks gives no language an adapter", "raise --budget")
    _check_found(estimate, rule)
    amounts = {
        Rule.SIGN: _by_sign,
        Rule.KEPT: _by_kept,
        Rule.SPECTRUM: _by_spectrum,
        Rule.LEVELS: _by_levels,
        Rule.GAIN: _by_gain,
        Rule.MIXTURE: _by_mixture,
    }[rule](estimate, budget)
    total = sum(amounts.values())
    if not total > 0:
        message = f"rule '{rule}' gives no language a rank"
        if rule is Rule.KEPT:
            again = Command("estimate-subspace", "--target-ratio", 0.7)
            raise UsageError(message, "estimate again with less pruning", again)
        raise UsageError(message, "choose another, as --set train.rule=kept, or give --ranks")
    shares = {code: amount / total for code, amount in amounts.items()}
    return Allocation(rule, _rounded(shares, budget), shares)


def rank_budget(text: str, languages: Sequence[Language], per_rank: int, base: int) -> int:
    """Read a budget as ranks summed over languages.

    ``350000`` are parameters, ``2.5%`` a share of the base model's ``base``, ``same-as:2,2,8`` what these
    ranks cost. A rank costs one language ``per_rank`` parameters, summed over sites. Raises UsageError for
    another form.
    """
    if text.startswith(SAME_AS):
        return parse_ranks(text.removeprefix(SAME_AS), languages).total
    try:
        amount = float(text.removesuffix("%"))
    except ValueError:
        amount = math.nan
    if not 0 < amount < math.inf:
        raise UsageError(
            f"--budget {text} is not a number of parameters", "write 350000, 2.5% or same-as:2,2,8"
        )
    parameters = amount / 100 * base if text.endswith("%") else amount
    return int(parameters / per_rank)


def _check_found(estimate: Estimate, rule: Rule) -> None:
    if rule in (Rule.LEVELS, Rule.GAIN, Rule.MIXTURE) and not estimate.gains:
        raise UsageError(
            f"rule '{rule}' needs the gain of each language on dev text, which the estimate lacks",
            "estimate with text to measure it on",
            Command("estimate-subspace", "--dev-rows", "20"),
        )
    if rule in (Rule.SPECTRUM, Rule.MIXTURE) and not estimate.spectra:
        raise UsageError(
            f"rule '{rule}' needs singular values, which estimates of earlier versions lack",
            "estimate again",
            Command("estimate-subspace"),
        )


def _is_flat(amounts: Mapping[str, float]) -> bool:
    """Whether no language has twice the amount of another."""
    return max(amounts.values()) < 2 * min(amounts.values())


def _by_sign(estimate: Estimate, budget: int) -> dict[str, float]:
    scores = scores_by_language(estimate.compared, estimate.target_ratio)
    amounts = {code: CONTRAST if score < 0 else 1.0 for code, score in scores.items()}
    return _with_means(amounts, estimate.languages)


def _by_kept(estimate: Estimate, budget: int) -> dict[str, float]:
    entries: dict[str, int] = {}
    size: dict[str, int] = {}
    for matrix in estimate.compared:
        entries[matrix.language] = entries.get(matrix.language, 0) + matrix.size - matrix.pruned
        size[matrix.language] = size.get(matrix.language, 0) + matrix.size
    most = max(size.values(), default=0)  # of a language that is measured at every site
    kept = {code: count * most / size[code] for code, count in entries.items()}
    low, high = min(kept.values(), default=0), max(kept.values(), default=0)
    if low not in (0, high):
        exponent = math.log(CONTRAST) / math.log(high / low)
        kept = {code: (count / high) ** exponent for code, count in kept.items()}
    return _with_means(kept, estimate.languages)


def _with_means(amounts: Mapping[str, float], languages: Sequence[str]) -> dict[str, float]:
    """The amounts of all languages: of one that was compared with no other, the mean of the others."""
    mean = fmean(amounts.values()) if amounts else 1.0
    return {code: amounts.get(code, mean) for code in languages}


def _by_spectrum(estimate: Estimate, budget: int) -> dict[str, float]:
    per_rank = dict.fromkeys(estimate.languages, 0)
    for spectrum in estimate.spectra:
        per_rank[spectrum.language] += spectrum.cost
    values = [
        (value**2, spectrum.language, spectrum.cost / per_rank[spectrum.language])
        for spectrum in estimate.spectra
        for value in spectrum.values
    ]
    return _largest(values, budget, estimate.languages)


def _by_levels(estimate: Estimate, budget: int) -> dict[str, float]:
    gains = _by_gain(estimate, budget)
    if _is_flat(gains):
        return dict.fromkeys(gains, 1.0)
    mean = fmean(gains.values())
    return {code: CONTRAST if gain > mean else float(gain > 0) for code, gain in gains.items()}


def _by_gain(estimate: Estimate, budget: int) -> dict[str, float]:
    return {code: max(0.0, gain) for code, gain in estimate.expected_gains.items()}


def _by_mixture(estimate: Estimate, budget: int) -> dict[str, float]:
    gains = _by_gain(estimate, budget)
    if _is_flat(gains):
        return dict.fromkeys(gains, 1.0)
    energy: dict[str, list[float]] = {}
    for spectrum in estimate.spectra:
        summed = energy.get(spectrum.language, [0.0] * len(spectrum.values))
        energy[spectrum.language] = [
            one + value**2 for one, value in zip(summed, spectrum.values, strict=True)
        ]
    values = [
        (gains[language] * value / (sum(squares) or 1.0), language, 1.0)
        for language in estimate.languages
        if (squares := energy.get(language))
        for value in squares
    ]
    most = min(budget, len(values) / 2)  # with all of them, every language would have the estimate's rank
    return _largest([each for each in values if each[0] > 0], most, estimate.languages)


def _largest(
    values: Iterable[tuple[float, str, float]], budget: float, languages: Sequence[str]
) -> dict[str, float]:
    """The ranks spent on each language when values are selected in descending order within a budget."""
    spent = dict.fromkeys(languages, 0.0)
    for _, language, cost in sorted(values, key=lambda each: -each[0]):
        share = min(cost, budget)
        spent[language] += share
        budget -= share
    return spent


def _rounded(shares: Mapping[str, float], budget: int) -> dict[str, int]:
    """Whole ranks that add up to ``budget``, by largest remainder; ties go to the earlier language."""
    ranks = {code: int(share * budget + 1e-9) for code, share in shares.items()}
    by_remainder = sorted(shares, key=lambda code: ranks[code] - shares[code] * budget)
    for code in by_remainder[: budget - sum(ranks.values())]:
        ranks[code] += 1
    return ranks
