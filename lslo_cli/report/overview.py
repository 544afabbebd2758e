"""The runs in a folder of experiments, one row each: settings, scores, size, age."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult, MetricSummary
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.method.languages import resource_classes
from lslo_cli.report.table import Column, Table, millions, two_decimals
from lslo_cli.wording import counted

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"(\w+)\s*(<=|>=|!=|=|<|>)\s*(.+)")


@dataclass(frozen=True)
class Run:
    """One run of an experiment. Values are None if no artifact has them; ``score`` and ``groups`` are spBLEU.

    ``size`` is the size of its folder on disk, in bytes; ``made`` is when its newest artifact was begun.
    """

    experiment: str
    run: str
    method: str | None
    ranks: str | None
    pruned: float | None
    seed: int | None
    parameters: int | None
    epochs: int | None
    score: float | None
    size: int
    made: datetime | None
    groups: dict[str, float]
    problem: str = ""
    """Why an artifact of the run cannot be read or no longer holds, if any."""

    def values(self) -> dict[str, Any]:
        """The values by which runs can be sorted and filtered, by name."""
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "groups"}
        return plain | self.groups


def find_runs(results: Path) -> list[Run]:
    """Every run below a folder of experiments, in order of its path.

    The values of an artifact that is damaged or stale are None, and ``problem`` says why. Raises InputError
    if the folder is missing.
    """
    if not results.is_dir():
        raise InputError(f"no folder {results}", "name one that holds experiments with --results")
    found = sorted(glob("**/runs/*", root_dir=results, recursive=True))  # which follows links, unlike Path
    folders = [
        path for path in (results / each for each in found) if path.is_dir() and any(path.glob("*.json"))
    ]
    once = {path.resolve(): path for path in reversed(folders)}
    return [_read_run(results, RunFolder(path)) for path in folders if once[path.resolve()] == path]


def chosen(runs: Sequence[Run], where: Sequence[str] = (), sort: str | None = None) -> list[Run]:
    """The runs that meet every condition, such as ``score>40`` or ``method=lslo``, sorted by a column.

    Numbers are sorted from the highest, names alphabetically; runs without a value come last. Raises
    UsageError for a column that no run has, and for an invalid condition.
    """
    for text in where:
        name, compare, wanted = _condition(text, runs)
        runs = [run for run in runs if _meets(run.values().get(name), compare, wanted)]
    if sort is None:
        return list(runs)
    _check_column(sort, runs)
    there = [run for run in runs if run.values().get(sort) is not None]
    highest_first = any(not isinstance(run.values()[sort], str) for run in there)
    there.sort(key=lambda run: run.values()[sort], reverse=highest_first)
    return [*there, *(run for run in runs if run.values().get(sort) is None)]


def runs_table(runs: Sequence[Run], now: datetime) -> Table:
    """Runs as rows, with spBLEU averaged over all directions and by group.

    The experiment's name is in the title if there is only one, else in a column.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.groups))
    experiments = {run.experiment for run in runs}
    several = len(experiments) != 1
    return Table(
        title="Runs" if several else f"Runs of {experiments.pop()}",
        columns=(
            *([Column("experiment")] if several else []),
            Column("run"),
            Column("score", two_decimals),
            Column("method"),
            Column("ranks"),
            Column("pruned", lambda share: f"{share:.0%}"),
            Column("parameters", millions),
            Column("epochs"),
            Column("size", size_on_disk),
            Column("age"),
            *(Column(name, two_decimals) for name in names),
        ),
        rows=tuple(
            (
                *([run.experiment] if several else []),
                run.run,
                run.score,
                run.method,
                run.ranks,
                run.pruned,
                run.parameters,
                run.epochs,
                run.size,
                age(now - run.made) if run.made else None,
                *(run.groups.get(name) for name in names),
            )
            for run in runs
        ),
        names=2 if several else 1,
    )


def size_on_disk(size: float) -> str:
    """Bytes in decimal units, as ``ls -h --si`` writes them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, "TB"
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"


def age(span: Any) -> str:
    """A span of time in its largest unit: ``3 days``."""
    seconds = max(0, span.total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return "now"


def _read_run(results: Path, folder: RunFolder) -> Run:
    training: Artifact[TrainingResult] | None = None
    evaluation: Artifact[EvaluationResult] | None = None
    summary: MetricSummary | None = None
    problems = []
    try:
        if folder.training.exists():
            training = store.read_fresh(folder.training, TrainingResult)
    except InputError as error:
        problems.append(error.message)
    try:
        if folder.evaluation.exists():
            evaluation = store.read_fresh(folder.evaluation, EvaluationResult)
            summary = evaluation.result.metric()
    except InputError as error:
        problems.append(error.message)
    trained = training.result if training else None
    artifacts = [artifact for artifact in (training, evaluation) if artifact]
    experiment = ExperimentFolder(folder.path.parent.parent).path
    return Run(
        experiment=experiment.relative_to(results).as_posix()
        if experiment != results
        else results.resolve().name,
        run=folder.name,
        method=trained.method if trained else None,
        ranks=_ranks(training) if training and training.result.ranks else None,
        pruned=trained.target_ratio if trained and trained.target_ratio else None,
        seed=artifacts[0].seed if artifacts else None,
        parameters=trained.trainable_parameters if trained else None,
        epochs=len(trained.history) if trained else None,
        score=summary.average if summary else None,
        size=sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file()),
        made=max((datetime.fromisoformat(artifact.made.started) for artifact in artifacts), default=None),
        groups=dict(summary.groups) if summary else {},
        problem="; ".join(problems),
    )


def _ranks(training: Artifact[TrainingResult]) -> str:
    """Ranks by resource class, high first: ``2;2;8``; one if all are equal; else the lowest and highest."""
    ranks = training.result.ranks
    low, high = min(ranks.values()), max(ranks.values())
    if low == high:
        return str(low)
    languages = [record.language() for record in training.languages if record.code in ranks]
    classes = [
        {ranks[each.code] for each in languages if each.resource is one}
        for one in resource_classes(languages)
    ]
    if all(len(each) == 1 for each in classes):
        return ";".join(str(rank) for each in classes for rank in each)
    return f"{low} to {high}"


def _condition(text: str, runs: Sequence[Run]) -> tuple[str, Callable[[Any, Any], bool], str]:
    match = CONDITION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--where {text!r} is not a condition", "write one such as 'score>40' or 'method=lslo'"
        )
    _check_column(match[1], runs)
    return match[1], OPERATORS[match[2]], match[3]


def _check_column(name: str, runs: Sequence[Run]) -> None:
    columns = dict.fromkeys(key for run in runs for key in run.values())
    if runs and name not in columns:
        raise UsageError(
            f"runs have no column '{name}'.{nearest(name, columns)}", f"columns: {', '.join(columns)}"
        )


def _meets(value: Any, compare: Callable[[Any, Any], bool], wanted: str) -> bool:
    if value is None:
        return False
    if isinstance(value, int | float):
        try:
            return compare(value, float(wanted))
        except ValueError:
            raise UsageError(
                f"'{wanted}' is not a number to compare {value:g} with", "give a number"
            ) from None
    return compare(str(value), wanted)


def records(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """The runs as plain values, for JSON."""
    for run in runs:
        made = run.made.astimezone(UTC).isoformat() if run.made else None
        yield run.values() | {"made": made}
