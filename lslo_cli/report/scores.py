"""Tables 1 to 4 and 8 in the paper's layout: our runs and the printed ones, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from lslo_cli.method.languages import AVERAGE
from lslo_cli.paper import PrintedRow, PrintedTable, printed_table
from lslo_cli.report.comparability import PAPERS_OWN, score_differences, signature
from lslo_cli.report.provenance import made_by
from lslo_cli.report.study import Study, distinct
from lslo_cli.report.table import (
    Cell,
    Column,
    Difference,
    RowSource,
    SourceCell,
    Spread,
    Table,
    millions,
    two_decimals,
)
from lslo_cli.report.tidy import RUN

SCORE_TABLES = (1, 2, 3, 4, 8)
PARAMS_NOTE = (
    "#Params is the true number of trainable parameters; the paper counts every adapter as d x d, which is "
    "true of the authors' adapters, over the first d_model feed-forward units."
)


def printed_runs() -> frozenset[str]:
    """The names of runs that are rows of a table of scores."""
    return frozenset(row.key for number in SCORE_TABLES for row in printed_table(number).rows)


def scores_beside_papers(number: int, study: Study) -> Table:
    """A table of scores: for each printed row ours, the paper's and, if they compare, the difference.

    A run that no seed has is "not run"; if base model, languages, text or metric are not the paper's, no
    difference is given and the notes name ours.
    """
    printed = printed_table(number)
    fits = study.groups == printed.groups
    differences = score_differences(study, printed.languages)
    comparable = fits and not differences
    columns = (*printed.groups, AVERAGE)
    rows: list[tuple[Cell, ...]] = []
    for row in printed.rows:
        ours = [study.scores(row.key, column) if fits else None for column in columns]
        theirs = [row.scores[group] for group in printed.groups] + [row.average]
        names = (row.section, row.label, row.key)
        rows.append((*names, _our_source(ours[-1], study, comparable), *_parameters(study, row, ours), *ours))
        papers = SourceCell(RowSource.PAPER, "" if comparable else "paper (M2M-124)")
        rows.append((*names, papers, None, row.params, *theirs))
        if comparable and ours[-1] is not None:
            rows.append((*names, SourceCell(RowSource.DIFFERENCE), None, None, *_differences(ours, theirs)))
    return Table(
        title=f"{printed.title}, {printed.languages}: {study.metric} by group of directions",
        columns=(
            Column("Section"),
            Column(printed.heading),
            Column(RUN, shown=False),
            Column("Source"),
            Column("#Params", millions),
            Column("paper's count", millions),
            *(Column(name, two_decimals) for name in columns),
        ),
        rows=tuple(rows),
        names=4,
        number=number,
        notes=tuple(_notes(printed, study, fits, differences)),
    )


def _our_source(average: Spread | None, study: Study, comparable: bool) -> SourceCell:
    if average is None:
        return SourceCell(RowSource.NOT_RUN)
    return SourceCell(
        RowSource.OURS, "" if comparable else f"ours ({study.model.name.rstrip('/').split('/')[-1]})"
    )


def _parameters(study: Study, row: PrintedRow, ours: list[Spread | None]) -> tuple[Cell, Cell]:
    """Trainable parameters, true and as the paper counts."""
    trained = study.trainings(row.key) if ours[-1] is not None else []
    if not trained:
        return None, None
    result = trained[0].result
    return result.trainable_parameters, result.paper_parameters


def _differences(ours: list[Spread | None], theirs: list[float]) -> list[Cell]:
    return [
        None if our is None else Difference(our.mean - their) for our, their in zip(ours, theirs, strict=True)
    ]


def _notes(printed: PrintedTable, study: Study, fits: bool, differences: list[str]) -> Iterator[str]:
    keys = [row.key for row in printed.rows]
    runs = [run for run in keys if run in study.runs()] if fits else []
    if not fits:
        yield (
            f"Not run: the paper's groups here are {', '.join(printed.groups)}; these languages have "
            f"{', '.join(study.groups)}."
        )
        return
    if not runs:
        yield "Not run: no run of this table was evaluated."
        return
    if differences:
        yield (
            f"Ours are not comparable with the paper's ({PAPERS_OWN}): {'; '.join(differences)}. Compare "
            "rows with rows of the same source."
        )
    made = [seed.evaluations[run] for seed in study.seeds for run in runs if run in seed.evaluations]
    spread = "; mean ± sample standard deviation" if len(study.seeds) > 1 else ""
    yield f"Ours: {signature(study)}; {made_by(study, made)}{spread}."
    yield PARAMS_NOTE
    yield from _schedule_notes(printed, study, runs)
    yield from _seed_notes(printed, study, runs)
    for pair in combinations(runs, 2):
        if study.trained_alike(*pair):
            one, other = (printed.row(run).label for run in pair)
            yield f"{other} was trained with the same settings as {one}."


def _schedule_notes(printed: PrintedTable, study: Study, runs: list[str]) -> Iterator[str]:
    """How long our runs were trained, and when they were pruned, which may differ from the paper."""
    trained = [artifact for run in runs for artifact in study.trainings(run)]
    if not trained:
        return
    schedules: dict[str, list[str]] = {}
    for artifact in trained:
        result = artifact.result
        if result.target_ratio:
            schedule = f"E={result.start_epoch}, k={result.duration}"
            schedules.setdefault(schedule, []).append(printed.row(result.run).label)
    epochs = f"T={distinct(len(artifact.result.history) for artifact in trained)} epochs"
    if len(schedules) == 1:
        epochs += f"; pruning had {next(iter(schedules))}"
    elif schedules:
        each = (f"{schedule} in {distinct(labels)}" for schedule, labels in schedules.items())
        epochs += f"; pruning had {'; '.join(each)}"
    yield f"Ours were trained for {epochs}."
    sources = (artifact.result.index_source for artifact in trained if artifact.result.index)
    followed = [source for source in distinct(sources).split(", ") if source not in ("source", "target")]
    if followed and followed != ["learned"]:
        yield f"WL in ours: the index was {', '.join(followed)}."


def _seed_notes(printed: PrintedTable, study: Study, runs: list[str]) -> Iterator[str]:
    """Notes on rows that some seeds lack."""
    rows: dict[str, list[str]] = {}
    for run in runs:
        seeds = [seed.seed for seed in study.seeds if run in seed.evaluations]
        if len(seeds) < len(study.seeds):
            rows.setdefault(distinct(seeds), []).append(f"{printed.row(run).label} ({run})")
    for which, labels in rows.items():
        yield f"Only seed {which}: {', '.join(labels)}."
