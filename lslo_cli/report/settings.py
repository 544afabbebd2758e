"""Table 7: the settings of the gradual pruning schedule, ours beside the printed ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.paper import PrintedSchedule, printed_schedules, printed_table
from lslo_cli.report.provenance import made_by
from lslo_cli.report.study import Study, distinct
from lslo_cli.report.table import Cell, Column, RowSource, SourceCell, Table

SETTINGS_TABLE = 7

Settings = tuple[float, int, int, int]
"""P, E, k and T."""


def settings_table(study: Study) -> Table:
    """Table 7: ISE is the subspace estimate, LSP that with a pool per language, LSLo the runs of table 1."""
    printed = printed_schedules(SETTINGS_TABLE)
    used = (
        [_estimated(seed.subspace) for seed in study.seeds if seed.subspace],
        [_estimated(seed.language_subspace) for seed in study.seeds if seed.language_subspace],
        list(_trained(study)),
    )
    rows: list[tuple[Cell, ...]] = []
    for row, ours in zip(printed.rows, used, strict=True):
        ended: tuple[Cell, ...] = (SourceCell(RowSource.NOT_RUN), *[None] * 4)
        rows.append((row.label, *((SourceCell(RowSource.OURS), *_columns(ours)) if ours else ended)))
        rows.append((row.label, SourceCell(RowSource.PAPER), *_columns(_printed(row))))
    made = [seed.subspace or seed.language_subspace for seed in study.seeds]
    return Table(
        title=printed.title,
        columns=tuple(Column(name) for name in ("Experiments", "Source", "P", "E", "k", "T")),
        rows=tuple(rows),
        names=2,
        number=SETTINGS_TABLE,
        notes=(f"Ours: {made_by(study, [artifact for artifact in made if artifact])}.",) if any(made) else (),
    )


def _columns(settings: Iterable[Settings]) -> tuple[Cell, ...]:
    """P, E, k and T, each with every value that occurs: {0.1, 0.9} if there are several."""
    columns = (distinct(sorted(set(column))) for column in zip(*settings, strict=True))
    return tuple(f"{{{values}}}" if "," in values else values for values in columns)


def _printed(row: PrintedSchedule) -> list[Settings]:
    return [(ratio, row.start_epoch, row.duration, row.epochs) for ratio in row.ratios]


def _estimated(artifact: Artifact[SubspaceResult]) -> Settings:
    section = artifact.recipe["estimate_subspace"]
    result = artifact.result
    return result.target_ratio, section["start_epoch"], section["duration"], len(result.history)


def _trained(study: Study) -> Iterator[Settings]:
    for row in printed_table(1).rows:
        for artifact in study.trainings(row.key):
            result = artifact.result
            if result.target_ratio:
                yield result.target_ratio, result.start_epoch, result.duration, len(result.history)
