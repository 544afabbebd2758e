"""Quality by group of directions (paper, tables 1 to 4)."""

from __future__ import annotations

from collections.abc import Sequence

from lslo_cli.artifacts.comparable import check_scored_alike
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import groups
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.report.table import Column, Table, millions, two_decimals


def quality_table(
    evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult], metric: str = SPBLEU
) -> Table:
    """Runs x groups with the average over directions, as tables 1 to 4.

    #Params is the true number of trainable parameters, beside the paper's count, which may be the same; runs
    without a training result, such as the base model, have neither. Raises InputError if there is
    no run, or if runs were scored with different metrics or search, or on different directions.
    """
    if not evaluations:
        raise InputError("no run was evaluated", "evaluate one: lslo evaluate")
    first = evaluations[0]
    check_scored_alike(evaluations, metric)
    names = [
        name
        for name in groups([record.language() for record in first.languages])
        if any(name in run.metric(metric).groups for run in evaluations)
    ]
    trained = {training.run: training for training in trainings}
    rows = []
    for run in evaluations:
        training = trained.get(run.run)
        counts = (training.trainable_parameters, training.paper_parameters) if training else (None, None)
        scores = (run.metric(metric).groups.get(name) for name in names)
        rows.append((run.run, *counts, *scores, run.metric(metric).average))
    return Table(
        title=f"{metric} by group of directions ({first.metric(metric).signature})",
        columns=(
            Column("Run"),
            Column("#Params", millions),
            Column("paper's #Params", millions),
            *(Column(name, two_decimals) for name in names),
            Column("AVG", two_decimals),
        ),
        rows=tuple(rows),
    )
