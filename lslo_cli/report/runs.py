"""Runs outside the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lslo_cli.report.quality import quality_table
from lslo_cli.report.scores import printed_runs
from lslo_cli.report.seeds import over_seeds
from lslo_cli.report.study import Study
from lslo_cli.report.table import Table


def other_runs(study: Study) -> Table | None:
    """Every evaluated run without a row in tables 1 to 4 and 8; None if there is none."""
    printed = printed_runs()
    others = [run for run in study.runs() if run not in printed]
    tables = [_of_seed(study, number, others) for number in range(len(study.seeds))]
    there = [table for table in tables if table]
    if not there:
        return None
    table = over_seeds(there) if len(there) > 1 else there[0]
    return replace(table, title=f"Other runs: {table.title}")


def _of_seed(study: Study, number: int, runs: Sequence[str]) -> Table | None:
    seed = study.seeds[number]
    evaluations = [seed.evaluations[run].result for run in runs if run in seed.evaluations]
    trainings = [artifact.result for artifact in seed.trainings.values()]
    return quality_table(evaluations, trainings, study.metric) if evaluations else None
