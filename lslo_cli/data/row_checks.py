"""Checks of the rows of a split, by language and by pair of languages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from lslo_cli.artifacts.data_check import Check, DataFinding, LanguageCheck, PairCheck, Severity, SplitCheck
from lslo_cli.data.inspection import Inspected
from lslo_cli.data.lines import Same, damaged, duplicates, untranslated
from lslo_cli.data.unknown import Base, Reader, described, unknown_rows

PLACES = 3
"""The most lines that a finding names."""

FEWEST_ROWS = 20
"""The fewest sentence pairs for estimating the spread of lengths."""
FARTHEST = 5.0
"""Robust standard deviations from the usual length beyond which a line is an outlier.

Of the 997 sentences of FLORES-101's dev split, 0 to 4 are outliers, depending on the language.
"""
LEAST_SPREAD = 0.5
"""The smallest spread, for text with translations all of one length."""

_MAD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""

_MESSAGES = {
    Check.LINE_ENDINGS: (Severity.NOTE, "ends with CR LF, which is read as a newline"),
    Check.EMPTY: (Severity.NOTE, "empty: a translation is missing"),
    Check.CHARACTERS: (Severity.WARNING, "control characters, U+FFFD, or UTF-8 decoded as cp1252"),
    Check.DUPLICATES: (Severity.WARNING, "repeats an earlier line"),
    Check.LENGTHS: (
        Severity.WARNING,
        "far shorter or longer than expected from its counterpart in '{pivot}'",
    ),
    Check.UNTRANSLATED: (Severity.WARNING, "the same in another language"),
}
"""The severity and the message of each check that finds lines."""


def check_lines(
    split: str, sections: Sequence[Inspected], codes: Sequence[str], base: Base
) -> tuple[SplitCheck, list[DataFinding]]:
    """Count the findings of all lines of the languages ``codes``, section by section."""
    counts: dict[Check, dict[str, int]] = {check: defaultdict(int) for check in _MESSAGES}
    places: dict[Check, list[str]] = defaultdict(list)
    pairs = {pair: [0, 0] for pair in combinations(codes, 2)}
    for section in sections:
        same = untranslated(section.text) if section.is_aligned else {}
        for kind, language, rows in _rows_found(section, same):
            counts[kind][language] += len(rows)
            places[kind] += [section.place(language, row) for row in rows[:PLACES]]
        for language, lines in section.crlf.items():
            counts[Check.LINE_ENDINGS][language] += lines
        if section.is_aligned:
            _count_pairs(section, same, pairs)
    check = SplitCheck(
        split=split,
        sections=[section.found.name for section in sections if section.found.files],
        languages=[_language_check(code, sections, counts) for code in codes],
        pairs=[
            PairCheck(languages=pair, rows=rows, identical=identical)
            for pair, (rows, identical) in pairs.items()
        ],
    )
    check, found = _read_by(base.reader, check, sections) if base.reader else (check, [])
    pivots = "' or '".join(dict.fromkeys(section.pivot for section in sections if section.text))
    return check, [*_findings(split, counts, places, pivots), *found]


def _read_by(
    reader: Reader, check: SplitCheck, sections: Sequence[Inspected]
) -> tuple[SplitCheck, list[DataFinding]]:
    """The check, extended by the lines in which a model reads ``<unk>`` and the characters that cause it."""
    unknown: dict[str, int] = {}
    places, causes = [], []
    for each in check.languages:
        characters = Counter[str]()
        unknown[each.language] = 0
        for section in sections:
            rows, found = unknown_rows(section.text.get(each.language, ()), reader)
            unknown[each.language] += len(rows)
            characters += found
            places += [section.place(each.language, row) for row in rows[:PLACES]]
        if characters:
            causes.append(f"{each.language} {described(characters)}")
    languages = [each.model_copy(update={"unknown": unknown[each.language]}) for each in check.languages]
    finding = DataFinding(
        severity=Severity.WARNING,
        check=Check.UNKNOWN,
        split=check.split,
        message=f"read as <unk> by the base model, for {'; '.join(causes)}",
        languages={language: count for language, count in unknown.items() if count},
        where=places[:PLACES],
    )
    return check.model_copy(update={"languages": languages}), [finding] if finding.languages else []


def _rows_found(section: Inspected, same: Same) -> Iterator[tuple[Check, str, list[int]]]:
    pivot = section.text.get(section.pivot, [])
    copied: dict[str, set[int]] = defaultdict(set)
    for pair, rows in same.items():
        for language in pair:
            if language != section.pivot:  # blame the copy, not the original
                copied[language].update(rows)
    for language, lines in section.text.items():
        yield Check.EMPTY, language, [row for row, line in enumerate(lines) if not line]
        yield Check.CHARACTERS, language, damaged(lines)
        yield Check.DUPLICATES, language, duplicates(lines)
        yield Check.UNTRANSLATED, language, sorted(copied[language])
        if section.is_aligned and language != section.pivot:
            yield Check.LENGTHS, language, length_outliers(pivot, lines)


def _count_pairs(section: Inspected, same: Same, pairs: dict[tuple[str, str], list[int]]) -> None:
    """Add to every pair's (rows with both languages, rows in which both are the same)."""
    present = {code: np.array([bool(line) for line in lines]) for code, lines in section.text.items()}
    for pair, count in pairs.items():
        first, second = pair
        if first in present and second in present:
            count[0] += int(np.count_nonzero(present[first] & present[second]))
            count[1] += len(same.get(pair) or same.get((second, first)) or ())


def _language_check(
    code: str, sections: Sequence[Inspected], counts: dict[Check, dict[str, int]]
) -> LanguageCheck:
    here = [section for section in sections if code in section.found.files]
    return LanguageCheck(
        language=code,
        names=list(dict.fromkeys(section.name(code) for section in here)),
        lines=sum(len(section.text.get(code, ())) for section in here),
        empty=counts[Check.EMPTY][code],
        crlf=counts[Check.LINE_ENDINGS][code],
        characters=counts[Check.CHARACTERS][code],
        duplicates=counts[Check.DUPLICATES][code],
        lengths=counts[Check.LENGTHS][code],
        untranslated=counts[Check.UNTRANSLATED][code],
    )


def _findings(
    split: str, counts: dict[Check, dict[str, int]], places: dict[Check, list[str]], pivots: str
) -> Iterator[DataFinding]:
    for check, (severity, message) in _MESSAGES.items():
        lines = {language: count for language, count in counts[check].items() if count}
        if lines:
            yield DataFinding(
                severity=severity,
                check=check,
                split=split,
                message=message.format(pivot=pivots),
                languages=lines,
                where=places[check][:PLACES],
            )


def length_outliers(pivot: Sequence[str], lines: Sequence[str]) -> list[int]:
    """Rows in which a line is far shorter or longer than expected from its counterpart in ``pivot``.

    Gale and Church (1993): with l_p and l characters, delta = (l - c l_p) / sqrt((c l_p + l) / 2) is about
    normal with mean 0 when the two are translations. Here c is the median of l / l_p, and the spread s is
    1.4826 times the median of abs(delta), so that outliers do not hide themselves; outliers have abs(delta) >
    5 s. Gaps are left out, and fewer than 20 rows have no outliers.
    """
    rows = [row for row, (a, b) in enumerate(zip(pivot, lines, strict=True)) if a and b]
    if len(rows) < FEWEST_ROWS:
        return []
    expected = np.array([len(pivot[row]) for row in rows], dtype=float)
    lengths = np.array([len(lines[row]) for row in rows], dtype=float)
    expected *= np.median(lengths / expected)
    delta = np.abs(lengths - expected) / np.sqrt((lengths + expected) / 2)
    spread = max(_MAD * float(np.median(delta)), LEAST_SPREAD)
    return [rows[index] for index in np.flatnonzero(delta > FARTHEST * spread)]
