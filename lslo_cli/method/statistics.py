"""Averages over directions, the significance of differences, and correlations with bitext size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Direction, Language, grouping, groups

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
"""The confidence of every interval."""

EXACT_UP_TO = 8
"""Most pairs of values of which all pairings are counted for a p-value: 8 have 40,320."""

EQUAL = 1e-9
"""Differences of scores that lie this close together are the same but for rounding."""

CORRELATED = 3
"""The fewest languages whose scores are correlated with their bitext sizes."""
NEEDED = f"a correlation needs {CORRELATED} languages with a bitext size"
"""The words for it in messages."""


def group_means(scores: Mapping[Direction, float], languages: Sequence[Language]) -> dict[str, float]:
    """Mean score of each group's directions, in the column order of table 1; empty groups are left out."""
    members: dict[str, list[float]] = {name: [] for name in groups(languages)}
    group_of = grouping(languages)
    for direction, score in scores.items():
        members[group_of(direction)].append(score)
    return {name: fmean(values) for name, values in members.items() if values}


@dataclass(frozen=True)
class Correlation:
    """Correlation of a score with bitext size over ``n`` languages, with two-sided p-values.

    Pearson on raw sizes is the paper's (tables 9 and 10). Sizes span five orders of magnitude, hence
    Pearson on log10 of the size, and Spearman. Pearson's p-values are those of normal values, exact for any
    ``n``; Spearman's are those of :func:`p_value_of_spearman`.
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

    English has no bitext with itself and is left out, so lang12 gives n = 11, as in the paper. Returns
    None if all scores or all sizes are equal, since no correlation is defined then. Raises UsageError for
    fewer than three languages.
    """
    from scipy import stats

    counted = [language for language in languages if language.bitext and language.code in scores]
    if len(counted) < CORRELATED:
        raise UsageError(
            f"{NEEDED}, got {len(counted)}", "give bitext sizes in the recipe under [languages.CODE]"
        )
    values = [scores[language.code] for language in counted]
    bitext = [language.bitext for language in counted if language.bitext]
    if len(set(values)) == 1 or len(set(bitext)) == 1:
        return None
    raw = stats.pearsonr(bitext, values)
    log = stats.pearsonr([math.log10(size) for size in bitext], values)
    return Correlation(
        len(counted),
        float(raw.statistic),
        float(raw.pvalue),
        float(log.statistic),
        float(log.pvalue),
        float(stats.spearmanr(bitext, values).statistic),
        p_value_of_spearman(bitext, values),
    )


def p_value_of_spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p-value of Spearman's rank correlation of paired values, neither all equal.

    Up to :data:`EXACT_UP_TO` pairs it is twice the share of all n! pairings that correlate at least as much
    in this direction, at most 1. So it is for any n if the ranks agree or are reversed: only tied values can
    then change places, and without ties it is 2 / n!. Otherwise it is that of Student's t with n - 2 degrees
    of freedom, which would be 0 for such ranks.
    """
    from scipy import stats

    ranks, others = stats.rankdata(one), stats.rankdata(other)
    if len(ranks) <= EXACT_UP_TO:
        # A sum of products of ranks is exact in floating point, and rises and falls with the correlation.
        test = stats.permutation_test(
            (ranks,), lambda paired, axis: (paired * others).sum(axis), permutation_type="pairings",
            vectorized=True, n_resamples=math.inf,
        )  # fmt: skip
        return float(test.pvalue)
    if (ranks == others).all() or (ranks + others == len(ranks) + 1).all():
        ties = Counter(ranks.tolist()).values()
        return min(1.0, 2 * math.prod(map(math.factorial, ties)) / math.factorial(len(ranks)))
    return float(stats.spearmanr(ranks, others).pvalue)


@dataclass(frozen=True)
class Interval:
    """A confidence interval, ends included."""

    low: float
    high: float

    @property
    def is_point(self) -> bool:
        """Whether it has no width, and is not 0: every seed gives the same difference, by chance or not.

        A few seeds without spread do not say how much others would differ, so nothing shows. Where no seed
        differs at all, both runs do the same.
        """
        return self.high - self.low < EQUAL and abs(self.low) > EQUAL


class Significance(StrEnum):
    """The conclusion from a difference between two runs and its intervals."""

    HIGHER = "higher"
    LOWER = "lower"
    OPEN = "not told apart"
    ONE_SEED = "one seed shows nothing"


def interval_over_seeds(differences: Sequence[float]) -> Interval | None:
    """Student's t interval of the mean of differences that are paired by seed: mean +- t s / sqrt(n).

    None with fewer than two seeds.
    """
    if len(differences) < 2:
        return None
    from scipy import stats

    middle = fmean(differences)
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1))
    half = t * stdev(differences) / math.sqrt(len(differences))
    return Interval(middle - half, middle + half)


def interval_over_sentences(resampled: Sequence[float]) -> Interval:
    """The percentile interval of a difference that was computed on many resamples of the test sentences."""
    import numpy as np

    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))


def verdict(over_seeds: Interval | None, over_sentences: Interval) -> Significance:
    """Whether a difference is significant over both training seeds and test sentences."""
    if over_seeds is None:
        return Significance.ONE_SEED
    if over_seeds.is_point:
        return Significance.OPEN
    if min(over_seeds.low, over_sentences.low) > 0:
        return Significance.HIGHER
    if max(over_seeds.high, over_sentences.high) < 0:
        return Significance.LOWER
    return Significance.OPEN


def reliability(values: Sequence[Sequence[float]]) -> float:
    """Reliability of the differences between rows, from 0 to 1: Hoyt's coefficient.

        a = max(0, 1 - MS_rest / MS_rows)

    with the mean squares of a two-way analysis of variance without replication, rows (languages) x columns
    (folds); column effects count as neither. It is Cronbach's alpha, and the factor that shrinks row means
    towards the grand mean if row effects are random (James and Stein). It is 0 if rows do not differ.
    Raises ValueError for fewer than two rows or columns.
    """
    import numpy as np

    table = np.asarray(values, dtype=float)
    rows, columns = table.shape
    if min(rows, columns) < 2:
        raise ValueError(f"reliability needs two rows and columns or more, not {rows} x {columns}")
    by_row, by_column = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    between = columns * ((by_row - table.mean()) ** 2).sum() / (rows - 1)
    rest = ((table - by_row - by_column + table.mean()) ** 2).sum() / ((rows - 1) * (columns - 1))
    return max(0.0, float(1 - rest / between)) if between else 0.0


def resampled_counts(sentences: int, resamples: int, seed: Sequence[int]) -> np.ndarray:
    """How often each sentence is drawn: (resamples, sentences), each row summing to ``sentences``.

    All directions of n-way text share sentence numbers, and are resampled by the same draw.
    """
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(list(seed)))
    return generator.multinomial(sentences, np.full(sentences, 1 / sentences), size=resamples)


def bleu(statistics: np.ndarray) -> np.ndarray:
    """BLEU, 0 to 100, from sums over sentences: (..., 10) to (...).

    The last axis holds matched n-grams, all n-grams, n = 1 to 4 each, and the lengths of hypotheses and
    references. As in sacreBLEU: exponential smoothing if no n-gram of some n matches, 0 if no unigram does
    or if there are no n-grams of some n.
    """
    import numpy as np

    matched, total = statistics[..., :4].astype(float), statistics[..., 4:8].astype(float)
    ours, theirs = statistics[..., 8].astype(float), statistics[..., 9].astype(float)
    halvings = np.cumsum(matched == 0, axis=-1)
    smoothed = np.where(matched == 0, 0.5**halvings, matched)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(smoothed / total).mean(axis=-1))
        brevity = np.where(ours < theirs, np.exp(1 - theirs / ours), 1.0)
        score = 100 * precision * brevity
    return np.where((matched.sum(axis=-1) > 0) & (total > 0).all(axis=-1), score, 0.0)
