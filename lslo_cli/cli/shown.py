"""Every kind of artifact, and how ``lslo show`` prints it: as the command did that made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lslo_cli.artifacts.data_check import DataCheckResult
from lslo_cli.artifacts.evaluations import ComparisonResult, EvaluationResult
from lslo_cli.artifacts.results import (
    BaseTrainingResult,
    IndexStrategyResult,
    PruneReportResult,
    SubspaceResult,
    TrainingResult,
)
from lslo_cli.artifacts.schema import Artifact, Result
from lslo_cli.cli import console
from lslo_cli.cli.commands import compare, estimate_subspace, evaluate, prune_report, train, weight_learn
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult, FlareTranslationResult
from lslo_cli.report.quality import quality_table


def _show_evaluation(document: Artifact[EvaluationResult]) -> None:
    """The scores by group in every metric, then by direction."""
    result = document.result
    for metric in result.metrics:
        evaluate.show_quality(quality_table([result], [], metric))
    rows = [
        (str(row.direction), *(f"{row.scores[name]:.2f}" for name in result.metrics))
        for row in result.directions
    ]
    console.results.print()
    console.show_table("By direction", ("direction", *result.metrics), rows)


def _show_fields(document: Artifact[Any]) -> None:
    """The fields of a result that are a text or a number."""
    values = document.result.model_dump(mode="json").items()
    console.show_facts((name, value) for name, value in values if isinstance(value, str | int | float))


SHOWN: Mapping[type[Result], Callable[[Artifact[Any]], None]] = {
    BaseTrainingResult: _show_fields,
    ComparisonResult: lambda document: compare.show_comparison(document.result),
    DataCheckResult: _show_fields,
    EvaluationResult: _show_evaluation,
    FlareEvaluationResult: _show_fields,
    FlareTrainingResult: _show_fields,
    FlareTranslationResult: _show_fields,
    IndexStrategyResult: lambda document: weight_learn.show_strategy(document.result),
    PruneReportResult: lambda document: prune_report.show_report(document.result),
    SubspaceResult: estimate_subspace.show_subspace,
    TrainingResult: train.show_run,
}
