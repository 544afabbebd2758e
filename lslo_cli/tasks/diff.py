"""``lslo diff``: how two runs translate the same sentences, most changed first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.again import evaluate_again, seed_flags
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.languages import Direction, grouping, groups
from lslo_cli.parsing import parse_json
from lslo_cli.report.changes import Change
from lslo_cli.search.metric import sentence_chrf
from lslo_cli.tasks.translations import read_hypotheses
from lslo_cli.wording import Command, several


def diff(folder: ExperimentFolder, first: str, other: str, only: Sequence[str] = ()) -> list[Change]:
    """Sentences that two evaluated runs translate differently, largest difference in chrF++ first.

    ``only`` keeps directions such as ``en-wo`` and groups such as ``V2V``, by the classes that languages had
    when ``first`` was evaluated. Sentences with equal scores come last, in the order of the text. Raises
    UsageError for an unknown direction or group and for a study of several seeds, and InputError if a run was
    not evaluated, its evaluation is damaged or of an earlier training, its texts are missing or were changed,
    or the two were evaluated on different text.
    """
    if (seeds := folder.seed_folders()) and not folder.evaluated_runs():
        place = seed_flags(next(iter(seeds.values())), by_number=False)
        raise UsageError(
            f"{folder.path} holds seeds {several(seeds)}, and sentences of one seed are compared at a time",
            "name one of them",
            Command("diff", *place, first, other),
        )
    (evaluation, ours), (_, theirs) = (_evaluated(folder.run(name)) for name in (first, other))
    common = [name for name in ours if name in theirs]
    if not common:
        raise InputError(
            f"runs {first} and {other} have no direction in common",
            "evaluate both on the same ones",
            evaluate_again(folder.path),
        )
    languages = [record.language() for record in evaluation.languages]
    group_of = grouping(languages)
    chosen = [name for name in common if not only or {name, group_of(Direction.parse(name))} & {*only}]
    unknown = set(only) - {*common, *groups(languages)}
    if unknown or not chosen:
        named = ", ".join(sorted(unknown or set(only)))
        raise UsageError(f"no direction or group '{named}' was evaluated", f"directions: {', '.join(common)}")
    changes = [
        change
        for name in chosen
        for change in _changes(name, group_of(Direction.parse(name)), ours[name], theirs[name], first, other)
    ]
    return sorted(changes, key=lambda change: -abs(change.difference))


@dataclass(frozen=True)
class DirectionTexts:
    """The file of a direction's texts, and the translations in it as the evaluation knows them."""

    path: Path
    hypotheses: Sequence[str]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the file. Raises InputError if it is damaged or was changed."""
        rows = _rows(self.path)
        lines = [row["hypothesis"] for row in rows if row["hypothesis"] is not None]
        if lines != list(self.hypotheses):
            raise InputError(
                f"the translations in {self.path} are not those that the run was evaluated with",
                "evaluate the run again",
                evaluate_again(self.path),
            )
        return rows


def _evaluated(run: RunFolder) -> tuple[EvaluationResult, dict[str, DirectionTexts]]:
    """A run's evaluation and its texts by direction. Others may be there, of an evaluation before it."""
    missing = InputError(
        f"no translations of run {run.name} at {run.whole.aligned}",
        "translate the test text",
        Command("evaluate", *seed_flags(run.path), "--run", run.name),
    )
    if not run.evaluation.exists():
        raise missing
    evaluation = store.read_fresh(run.evaluation, EvaluationResult).result
    scored = {str(row.direction): row.direction for row in evaluation.directions}
    texts = [path for path in sorted(run.whole.aligned.glob("*.jsonl")) if path.stem in scored]
    if not texts:
        raise missing
    known = read_hypotheses(run.evaluation, evaluation)
    return evaluation, {path.stem: DirectionTexts(path, known[scored[path.stem]]) for path in texts}


def _changes(
    name: str, group: str, first: DirectionTexts, other: DirectionTexts, run: str, than: str
) -> Iterator[Change]:
    ours, theirs = first.rows(), other.rows()
    if [_text(row) for row in ours] != [_text(row) for row in theirs]:
        raise InputError(
            f"runs {run} and {than} were evaluated on different text in {name}",
            "evaluate both again",
            evaluate_again(first.path),
        )
    pairs = [
        (one, two)
        for one, two in zip(ours, theirs, strict=True)
        if one["hypothesis"] is not None and one["hypothesis"] != two["hypothesis"]
    ]
    for one, two in pairs:
        yield Change(
            direction=name,
            group=group,
            section=one["section"],
            row=one["row"],
            source=one["source"],
            reference=one["reference"],
            first=one["hypothesis"],
            other=two["hypothesis"],
            first_score=sentence_chrf(one["hypothesis"], one["reference"]),
            other_score=sentence_chrf(two["hypothesis"], two["reference"]),
        )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one aligned file. Raises InputError if it is damaged."""
    try:
        rows = [parse_json(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        for row in rows:
            if not {"section", "row", "source", "reference", "hypothesis"} <= row.keys():
                raise ValueError("a row lacks a field")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged: {error}", "evaluate the run again", evaluate_again(path)
        ) from None
    return rows


def _text(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["section"], row["row"], row["source"], row["reference"]
