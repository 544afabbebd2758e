"""Quality by group of directions, as in the paper's tables 1 to 4, and that of runs outside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lslo_cli.artifacts.comparable import check_scored_alike
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import AVERAGE, groups
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.report.scores import printed_runs
from lslo_cli.report.seeds import over_seeds
from lslo_cli.report.study import Study
from lslo_cli.report.table import Column, Table, millions, two_decimals
from lslo_cli.wording import Command


def quality_table(
    evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult], metric: str = SPBLEU
) -> Table:
    """Runs x groups with the average over directions, as tables 1 to 4.

    #Params is the true number of trainable parameters, beside the paper's count, which may be the same; runs
    without a training result, such as the base model, have neither. Raises InputError if there is
    no run, or if runs were scored with different metrics or search, or on different directions.
    """
    if not evaluations:
        raise InputError("no run was evaluated", "evaluate one", Command("evaluate"))
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
            Column(AVERAGE, two_decimals),
        ),
        rows=tuple(rows),
    )


def other_runs(study: Study) -> Table | None:
    """Every evaluated run without a row in tables 1 to 4 and 8; None if there is none."""
    printed = printed_runs()
    others = [run for run in study.runs() if run not in printed]
    tables = [_of_seed(study, number, others) for number in range(len(study.seeds))]
    there = [table for table in tables if table]
    if not there:
        return None
    table = over_seeds(there, len(study.seeds)) if len(study.seeds) > 1 else there[0]
    return replace(table, title=f"Other runs: {table.title}")


def _of_seed(study: Study, number: int, runs: Sequence[str]) -> Table | None:
    seed = study.seeds[number]
    evaluations = [seed.evaluations[run].result for run in runs if run in seed.evaluations]
    trainings = [artifact.result for artifact in seed.trainings.values()]
    return quality_table(evaluations, trainings, study.metric) if evaluations else None
