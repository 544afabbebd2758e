"""Check parallel text for training and testing: counts and findings over the splits of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from lslo_cli.artifacts.data_check import (
    Check,
    DataCheckResult,
    DataFinding,
    OverlapCheck,
    Severity,
    SplitCheck,
)
from lslo_cli.data.first_run import rows_to_hold_out
from lslo_cli.data.inspection import Inspected, inspect
from lslo_cli.data.layouts import (
    NoSplitError,
    explain_unread,
    find_sections,
    find_splits,
    listing,
    require_text,
)
from lslo_cli.data.lines import overlap
from lslo_cli.data.passed_over import note_on_unread
from lslo_cli.data.row_checks import PLACES, check_lines
from lslo_cli.data.unknown import Base
from lslo_cli.data.unread import NAME_BY_CODE
from lslo_cli.errors import InputError
from lslo_cli.events import Advanced, Finished, OnEvent, Started, ignore
from lslo_cli.wording import counted

TASK = "checking"
PUBLISHED = Base()
"""Stands for any published model."""


@dataclass(frozen=True)
class Split:
    """The readable part of a split."""

    name: str
    path: Path
    sections: list[Inspected]

    @property
    def languages(self) -> list[str]:
        """The languages that have files or columns here."""
        return list(dict.fromkeys(code for section in self.sections for code in section.found.files))

    def rows(self, language: str) -> list[tuple[str, Inspected, int]]:
        """Every line of a language, and its section and row."""
        return [
            (line, section, row)
            for section in self.sections
            for row, line in enumerate(section.text.get(language, ()))
        ]


def check_data(
    path: Path,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    against: Path | None = None,
    on_event: OnEvent = ignore,
    base: Base = PUBLISHED,
) -> DataCheckResult:
    """Examine parallel text.

    ``languages`` are model codes, None for all languages found. ``split`` None takes every split, and looks
    for the lines of each in the splits before it. ``against`` is test text whose lines should not occur here:
    a folder, a file, or a split in one (``data/flores101/devtest``). ``base`` is the model that will read it.

    Raises InputError if there is nothing to examine: no data, no such split, or only one side of a bitext.
    """
    splits = read_splits(path, languages, split)
    tests = _read_against(against, languages) if against else []
    codes = list(languages or dict.fromkeys(code for each in splits for code in each.languages))
    findings = [finding for each in (*splits, *tests) for one in each.sections for finding in one.findings]
    findings += _passed_over(path, languages, [split] if split else find_splits(path), splits)
    checks: list[SplitCheck] = []
    on_event(Started(TASK, len(splits), "splits"))
    for number, each in enumerate(splits, start=1):
        check, found = check_lines(each.name, each.sections, codes, base)
        checks.append(check)
        findings += [*_languages_missing(each, codes), *_languages_alone(each, check), *found]
        findings += base.findings(each.name, each.languages) if number == 1 else ()
        on_event(Advanced(TASK, number))
    on_event(Finished(TASK))
    overlaps: list[OverlapCheck] = []
    for train, test in (*combinations(splits, 2), *product(splits, tests)):
        rows, found = _check_overlap(train, test, codes)
        overlaps += rows
        findings += found
    hold_out = None
    if not _has_problem(findings):
        hold_out, found = _check_first_run(path, base.known(codes))
        findings += found
    return DataCheckResult(
        path=str(path),
        against=str(against) if against else None,
        languages=codes,
        splits=checks,
        overlaps=overlaps,
        findings=sorted(findings, key=lambda finding: list(Severity).index(finding.severity)),
        usable=not _has_problem(findings),
        hold_out=hold_out,
    )


def _passed_over(
    path: Path, languages: Sequence[str] | None, names: Sequence[str], splits: Sequence[Split]
) -> list[DataFinding]:
    """A note on text that is in ``path`` and not in the splits that were read, ``names``."""
    found = [section.found for each in splits for section in each.sections]
    note = note_on_unread(path, languages, names, found)
    finding = DataFinding(severity=Severity.NOTE, check=Check.FILE, split=path.stem, message=note)
    return [finding] if note else []


def _has_problem(findings: Iterable[DataFinding]) -> bool:
    return any(finding.severity is Severity.PROBLEM for finding in findings)


def _check_first_run(path: Path, codes: Sequence[str]) -> tuple[int | None, list[DataFinding]]:
    """Rows to hold out as :func:`rows_to_hold_out` says, and a finding if there is nothing to train on."""
    severity = Severity.NOTE
    try:
        rows = rows_to_hold_out(path, codes)
        message = f"nothing to train on: {path} has only {listing(find_splits(path))}" if rows is None else ""
    except InputError as error:
        rows, severity, message = None, Severity.PROBLEM, f"{error.message}; {error.hint}"
    finding = DataFinding(severity=severity, check=Check.SPLITS, split=path.stem, message=message)
    return rows, [finding] if message else []


def read_splits(path: Path, languages: Sequence[str] | None, split: str | None) -> list[Split]:
    """One split or all splits of ``path``; text without splits is one, named after its folder."""
    names: Sequence[str | None] = [split] if split else find_splits(path) or [None]
    read = []
    for each in names:
        name = each or path.stem
        try:
            sections = [inspect(found, name) for found in find_sections(path, languages, each)]
        except NoSplitError as error:
            raise NoSplitError(
                error.message, "name one that is there with --split, or leave it out"
            ) from error
        read.append(Split(name, path, sections))
    return read


def _read_against(path: Path, languages: Sequence[str] | None) -> list[Split]:
    """The splits of ``path``, or if it does not exist, the split that its last part names."""
    if path.exists():
        return [Split(str(path), path, each.sections) for each in read_splits(path, languages, None)]
    try:
        splits = read_splits(path.parent, languages, path.name)
    except NoSplitError as error:
        raise InputError(
            f"no text at {path}, and no split '{path.name}' in {path.parent}",
            "name a folder, a table, or a split of a folder, as in --against data/flores101/devtest",
        ) from error
    return [Split(str(path), path, each.sections) for each in splits]


def _languages_missing(split: Split, codes: Sequence[str]) -> Iterable[DataFinding]:
    try:
        require_text(split.path, codes, [section.found for section in split.sections])
    except InputError as error:
        yield _language_problem(split.name, f"{error.message}. {error.hint}")
    if not split.languages:
        found, hint = explain_unread(split.path)
        yield _language_problem(split.name, f"{found}; {hint}")
    elif len(split.languages) == 1:
        names = sorted({code for section in split.sections for code in section.found.codes})
        yield _language_problem(
            split.name,
            f"translation needs two languages; of the names {listing(names)} "
            f"these are language codes: {listing(split.languages)}; {NAME_BY_CODE}",
        )


def _languages_alone(split: Split, check: SplitCheck) -> Iterable[DataFinding]:
    """Findings on languages without any sentence pair, and on pairs of languages without one."""
    if len(split.languages) < 2 or any(section.is_broken for section in split.sections):
        return  # reported already
    paired = {code for pair in check.pairs if pair.rows for code in pair.languages}
    for language in split.languages:
        if language not in paired:
            message = f"no sentence of '{language}' has a translation in another language"
            yield _language_problem(split.name, message)
    pairs = [pair for pair in check.pairs if set(pair.languages) <= set(split.languages)]
    without = sum(not pair.rows for pair in pairs)
    if without:
        message = f"without a sentence in common: {without:,} of {counted(len(pairs), 'pair')} of languages"
        yield DataFinding(severity=Severity.NOTE, check=Check.LANGUAGE, split=split.name, message=message)


def _language_problem(split: str, message: str) -> DataFinding:
    return DataFinding(severity=Severity.PROBLEM, check=Check.LANGUAGE, split=split, message=message)


def _check_overlap(
    train: Split, test: Split, codes: Sequence[str]
) -> tuple[list[OverlapCheck], list[DataFinding]]:
    """Lines of ``test`` that occur in ``train``, by language, and a finding if there are any."""
    overlaps, found, where = [], {}, []
    for language in codes:
        rows = test.rows(language)
        exact, alike = overlap([line for line, *_ in train.rows(language)], [line for line, *_ in rows])
        overlaps.append(
            OverlapCheck(
                train=train.name,
                test=test.name,
                language=language,
                lines=len(rows),
                exact=len(exact),
                normalised=len(alike),
            )
        )
        if alike:
            found[language] = len(alike)
            where += [rows[row][1].place(language, rows[row][2]) for row in alike[:PLACES]]
    message = f"occurs in {train.name}, apart from case and spaces"
    finding = DataFinding(
        severity=Severity.WARNING,
        check=Check.OVERLAP,
        split=test.name,
        message=message,
        languages=found,
        where=where[:PLACES],
    )
    return overlaps, [finding] if found else []
