"""Evaluations with the scores that a test wants."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from lslo_cli.artifacts.evaluations import DirectionScore, EvaluationResult, MetricSummary
from lslo_cli.artifacts.schema import LanguageRecord
from lslo_cli.method.languages import Direction, Language
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, SPBLEU
from lslo_cli.method.statistics import group_means


def scored(
    run: str,
    languages: Sequence[Language],
    spbleu: Mapping[Direction, float],
    signature: str,
    *,
    chrf: float = 1.0,
    average: float | None = None,
    **fields: Any,
) -> EvaluationResult:
    """One sentence in every direction; chrF++ is ``chrf`` times spBLEU, whose mean ``average`` replaces."""
    factors = {SPBLEU: 1.0, CHRF_PLUS_PLUS: chrf}
    means = group_means(spbleu, languages)
    mean = fmean(spbleu.values()) if average is None else average
    return EvaluationResult(
        run=run,
        languages=[LanguageRecord.of(language) for language in languages],
        metrics={
            name: MetricSummary(
                signature=signature if name == SPBLEU else "nw:2",
                groups={group: factor * value for group, value in means.items()},
                average=factor * mean,
            )
            for name, factor in factors.items()
        },
        directions=[
            DirectionScore(
                src=pair.src,
                tgt=pair.tgt,
                sentences=1,
                scores={name: factor * score for name, factor in factors.items()},
                counts=[1] * 4,
                totals=[1] * 4,
                hypothesis_length=1,
                reference_length=1,
            )
            for pair, score in spbleu.items()
        ],
        **{"search": {}, "hypotheses_digest": "", **fields},
    )
