"""Averages over directions and correlations with bitext size (paper, tables 1, 2, 9 and 10)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Direction, Language, group, groups


def group_means(scores: Mapping[Direction, float], languages: Sequence[Language]) -> dict[str, float]:
    """Mean score of each group's directions, in the column order of table 1; empty groups are left out."""
    members: dict[str, list[float]] = {name: [] for name in groups(languages)}
    for direction, score in scores.items():
        members[group(direction, languages)].append(score)
    return {name: fmean(values) for name, values in members.items() if values}


def average_over_directions(cells: Mapping[str, float], languages: Sequence[Language]) -> float:
    """The paper's AVG from a row of group means: each weighted by its number of directions.

    A group of one class with itself has n(n-1) directions, any other n*m: 12 and 16 for lang12. The
    result is the mean over all 132 (lang30: 870) directions, not over the cells.
    """
    size = {resource.letter: 0 for resource in {language.resource for language in languages}}
    for language in languages:
        size[language.resource.letter] += 1
    weights = {name: size[name[0]] * (size[name[2]] - (name[0] == name[2])) for name in cells}
    return sum(weights[name] * cell for name, cell in cells.items()) / sum(weights.values())


@dataclass(frozen=True)
class Correlation:
    """Correlation of a score with bitext size over ``n`` languages, with two-sided p-values.

    Pearson on raw sizes is the paper's (tables 9 and 10). Sizes span five orders of magnitude, so
    Pearson on log10 of the size and Spearman stand beside it.
    """

    n: int
    pearson: float
    pearson_p: float
    pearson_log: float
    pearson_log_p: float
    spearman: float
    spearman_p: float


def correlate_with_bitext(scores: Mapping[str, float], languages: Sequence[Language]) -> Correlation | None:
    """Correlate scores by language with bitext size, over the languages that have one.

    English has no bitext with itself and stays out, so lang12 gives n = 11, as in the paper. Returns
    None where the scores are all equal, since no correlation is defined then. Raises UsageError with
    fewer than three languages.
    """
    from scipy import stats

    counted = [language for language in languages if language.bitext and language.code in scores]
    if len(counted) < 3:
        raise UsageError(
            f"a correlation needs at least 3 languages with a bitext size, got {len(counted)}",
            "give bitext sizes in the recipe under [languages.CODE]",
        )
    values = [scores[language.code] for language in counted]
    bitext = [language.bitext for language in counted]
    if len(set(values)) == 1 or len(set(bitext)) == 1:
        return None
    raw = stats.pearsonr(bitext, values)
    log = stats.pearsonr([math.log10(size) for size in bitext], values)
    rank = stats.spearmanr(bitext, values)
    return Correlation(
        len(counted),
        float(raw.statistic),
        float(raw.pvalue),
        float(log.statistic),
        float(log.pvalue),
        float(rank.statistic),
        float(rank.pvalue),
    )


def p_value_of_pearson(r: float, n: int) -> float:
    """Two-sided p-value of a Pearson correlation ``r`` in (-1, 1) over ``n`` points, from Student's t."""
    from scipy import stats

    t = r * math.sqrt((n - 2) / (1 - r * r))
    return float(2 * stats.t.sf(abs(t), n - 2))
