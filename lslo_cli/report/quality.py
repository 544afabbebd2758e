"""Quality by group of directions (paper, tables 1 to 4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from lslo_cli.artifacts.results import EvaluationResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import groups
from lslo_cli.report.table import Column, Table, millions, two_decimals


class Metric(StrEnum):
    """What a quality table shows."""

    SPBLEU = "spBLEU"
    CHRF = "chrF++"

    def signature(self, run: EvaluationResult) -> str:
        return run.spbleu_signature if self is Metric.SPBLEU else run.chrf_signature

    def groups(self, run: EvaluationResult) -> dict[str, float]:
        return run.groups if self is Metric.SPBLEU else run.chrf_groups

    def average(self, run: EvaluationResult) -> float:
        return run.average if self is Metric.SPBLEU else run.chrf_average


def quality_table(
    evaluations: Sequence[EvaluationResult],
    trainings: Sequence[TrainingResult],
    metric: Metric = Metric.SPBLEU,
) -> Table:
    """Runs x groups with the average over directions, as tables 1 to 4.

    #Params is the true number of trainable parameters, with the paper's count beside it, which may be the
    same; runs without a training result, such as the base model, have neither. Raises InputError without a
    run, or where runs were scored with different metrics or on different directions.
    """
    if not evaluations:
        raise InputError("there is no evaluated run", "evaluate one: lslo evaluate")
    first = evaluations[0]
    for run in evaluations:
        _check_comparable(first, run, metric)
    names = [
        name
        for name in groups([record.language() for record in first.languages])
        if any(name in metric.groups(run) for run in evaluations)
    ]
    trained = {training.run: training for training in trainings}
    rows = []
    for run in evaluations:
        training = trained.get(run.run)
        counts = (training.trainable_parameters, training.paper_parameters) if training else (None, None)
        scores = (metric.groups(run).get(name) for name in names)
        rows.append((run.run, *counts, *scores, metric.average(run)))
    return Table(
        title=f"{metric} by group of directions ({metric.signature(first)})",
        columns=(
            Column("Run"),
            Column("#Params", millions),
            Column("paper's #Params", millions),
            *(Column(name, two_decimals) for name in names),
            Column("AVG", two_decimals),
        ),
        rows=tuple(rows),
    )


def _check_comparable(first: EvaluationResult, run: EvaluationResult, metric: Metric) -> None:
    if metric.signature(run) != metric.signature(first):
        raise InputError(
            f"runs {first.run} and {run.run} were scored with different metrics: "
            f"{metric.signature(first)} and {metric.signature(run)}",
            "score them alike: lslo evaluate --force",
        )
    if run.spbleu().keys() != first.spbleu().keys():
        raise InputError(
            f"runs {first.run} and {run.run} were evaluated on different directions "
            f"({len(first.directions)} and {len(run.directions)}), so their averages do not compare",
            "evaluate all runs alike: lslo evaluate --force",
        )
