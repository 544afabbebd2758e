"""Results of any size, made up, from which figures can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import (
    Curve,
    CurvePoint,
    EpochRecord,
    IndexStrategyResult,
    LearnedWeights,
    PrunedTable,
    SubspaceResult,
    TensorFile,
    TrainingResult,
)
from lslo_cli.method.adapters import Span
from lslo_cli.method.importance import Pool, PrunedMatrix, scores_by_language
from lslo_cli.method.languages import LANGUAGES, Direction, directions
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import SiteSet, layers, sites
from lslo_cli.method.strategy import Index
from tests.scored import scored

CODES = ("wo", "en", "fr", "zh", "sd")  # in no order of resource
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:flores101|smooth:exp|version:2.6.0"


def estimate(
    pool: Pool = Pool.LAYER,
    depths: tuple[int, int] = (2, 2),
    site_set: SiteSet = SiteSet.ALL,
    codes: tuple[str, ...] = CODES,
    kept: float | None = None,
) -> SubspaceResult:
    """An estimate in which high-resource languages are pruned more; ``kept``: everywhere that much alike."""
    rng = np.random.default_rng(1)
    matrices = []
    for site in sites(*depths, site_set):
        for code in codes:
            size = 32_768 if site.kind == "fc1" else 8_192
            lean = {"H": 0.85, "M": 0.75, "L": 0.65, "V": 0.55}[LANGUAGES[code].resource.letter]
            share = float(np.clip(rng.normal(lean, 0.05), 0, 1)) if kept is None else 1 - kept
            matrices.append(PrunedMatrix(site, code, round(share * size), size))
    return SubspaceResult(
        pool=pool,
        rank=8,
        target_ratio=0.7,
        pruned=PrunedTable.of([(matrix, "B") for matrix in matrices]),
        scores=scores_by_language(matrices, 0.7),
        mean_rank=4.0,
        ranks=dict.fromkeys(codes, 4),
        overlaps=cosines(codes),
        history=[
            EpochRecord(epoch=e, loss=1.0, updates=e, tokens=1, target_ratio=0.35 * (e - 1))
            for e in (1, 2, 3)
        ],
    )


def cosines(codes: tuple[str, ...], seed: int = 1) -> dict[str, list[float]]:
    """Overlaps as an estimate has them, symmetric, from -0.02 to 0.05 and 1 with itself."""
    drawn = np.random.default_rng(seed).uniform(-0.01, 0.025, (len(codes), len(codes)))
    symmetric = drawn + drawn.T
    np.fill_diagonal(symmetric, 1.0)
    return dict(zip(codes, symmetric.tolist(), strict=True))


def strategy(depths: tuple[int, int] = (2, 2)) -> IndexStrategyResult:
    """The source's weight falls from layer to layer."""
    rows = []
    for layer in layers(*depths):
        weight = 0.9 - 0.5 * (layer.number - 1) / max(depths) if layer.stack == "encoder" else 0.2
        index = Index.SOURCE if weight > 0.5 else Index.TARGET
        rows.append(
            LearnedWeights(layer=str(layer), source_weight=weight, target_weight=1 - weight, index=index)
        )
    return IndexStrategyResult(rank=8, layers=rows, trajectory=[], history=[])


def trained(
    run: str = "2-2-8",
    ratio: float = 0.9,
    final: float = 33.0,
    groups: tuple[str, ...] = ("H2H", "V2V"),
    parameters: int = 1000,
    epochs: int = 4,
    **curve: object,
) -> TrainingResult:
    """A run of four epochs, pruned from the first to the third, whose spBLEU rises from 30 to ``final``."""
    schedule = GradualPruning(ratio, 1, 2, epochs)
    values = [30.0, *np.linspace(31.0, final, epochs)]
    points = [CurvePoint(epoch=n, spbleu=dict.fromkeys(groups, value)) for n, value in enumerate(values)]
    return TrainingResult(
        run=run,
        method="lslo",
        index={},
        index_source="paper",
        ranks={},
        sites="all",
        target_ratio=ratio,
        start_epoch=1,
        duration=2,
        pruned_languages=["en"],
        prune_targets="both",
        trainable_parameters=parameters,
        trainable_parameters_paper_style=None,
        nonzero_parameters=parameters,
        pruned=PrunedTable(
            rows=[
                ("encoder.1.q", "en", "A", 90, 100),
                ("encoder.1.q", "en", "B", 85, 100),
                ("encoder.1.q", "wo", "B", 0, 400),
            ]
        ),
        history=[
            EpochRecord(epoch=e, loss=1.0, updates=e, tokens=1, target_ratio=schedule.ratio_at(e))
            for e in range(1, epochs + 1)
        ],
        curve=Curve(**{"rows": 50, "signature": SIGNATURE, "points": points, **curve}),
        weights=TensorFile(path="weights", digest="0"),
        skipped_sentences=0,
        span=Span.ALL,
    )


def evaluated(
    run: str,
    scores: dict[tuple[str, str], float],
    average: float = 1.0,
    signature: str = SIGNATURE,
    codes: tuple[str, ...] = CODES,
) -> EvaluationResult:
    """A run with these scores by direction."""
    by_direction = {Direction(*pair): score for pair, score in scores.items()}
    return scored(run, [LANGUAGES[code] for code in codes], by_direction, signature, average=average)


def evaluated_everywhere(
    run: str, codes: tuple[str, ...], seed: int, spread: float = 4.0
) -> EvaluationResult:
    """A run with a score for every direction among ``codes``; ``spread`` 0: the same for all."""
    rng = np.random.default_rng(seed)
    pairs = directions([LANGUAGES[code] for code in codes])
    return evaluated(run, {(pair.src, pair.tgt): 20 + spread * rng.normal() for pair in pairs}, codes=codes)


@pytest.fixture
def made() -> SimpleNamespace:
    """The functions of this file."""
    functions: list[Callable] = [cosines, estimate, strategy, trained, evaluated, evaluated_everywhere]
    return SimpleNamespace(**{each.__name__: each for each in functions})
