"""Sentences on a set of runs: gains and losses against the base model, and how certain they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import CorrelationRow
from lslo_cli.method.languages import Resource, resource_classes
from lslo_cli.method.statistics import interval_over_seeds
from lslo_cli.report.findings import SIGNIFICANT

NOTICEABLE = 0.05
"""Points of spBLEU below which a difference is reported as no change."""


def summarise(seeds: Sequence[Mapping[str, EvaluationResult]], base: str) -> Iterator[str]:
    """A sentence for each run but ``base``, and one on what the number of seeds allows one to conclude.

    ``seeds`` are the evaluations of each seed by run. Differences are paired by seed, so that a run has those
    of the seeds that have both it and ``base``; a sentence names their number unless all have. Sentences give
    the average, the directions among the languages with the most text, and those among the languages with the
    least. Yields nothing without a seed that has both.
    """
    pairs: dict[str, list[tuple[EvaluationResult, EvaluationResult]]] = {}
    for runs in seeds:
        for run in runs.keys() - {base} if base in runs else ():
            pairs.setdefault(run, []).append((runs[run], runs[base]))
    for run in dict.fromkeys(run for runs in seeds for run in runs if run in pairs):
        some = f", in {len(pairs[run])} of {len(seeds)} seeds" if len(pairs[run]) < len(seeds) else ""
        changes = ", ".join(_changes(pairs[run]))
        yield f"{run} against the base model, in spBLEU{some}: {changes}."
    counts = sorted({len(of_run) for of_run in pairs.values()})
    if counts and counts[-1] == 1:
        yield "One seed says nothing about others: the differences may be chance."
    elif counts:
        fewer = ", or over as many as a sentence names" if counts[0] < len(seeds) else ""
        yield f"Brackets: 95 % interval over {len(seeds)} seeds{fewer}."


def correlation_sentence(rows: Sequence[CorrelationRow]) -> str | None:
    """How importance scores correlate with bitext size, over seeds; None if unknown.

    ``rows`` are the total correlations of each seed. A relation shows if it has one sign with p < 0.05 in
    every seed.
    """
    found = [(row.pearson_log, row.pearson_log_p) for row in rows if row.pearson_log is not None]
    if not found:
        return None
    r = fmean(value for value, _ in found)
    said = "no relation shows in every seed" if len(found) > 1 else "no relation shows"
    if all(p is not None and p < SIGNIFICANT and value * r > 0 for value, p in found):
        said = f"the less text a language has, the {'more' if r > 0 else 'less'} capacity it takes"
    return f"Importance score against the logarithm of bitext size: r = {r:.2f}; {said}."


def _changes(pairs: Sequence[tuple[EvaluationResult, EvaluationResult]]) -> Iterator[str]:
    """The changes of a run against the base on average, and at both ends of the classes of languages.

    Languages without a class have no place among these.
    """
    scores = [(ours.metric(), theirs.metric()) for ours, theirs in pairs]
    yield _change([ours.average - theirs.average for ours, theirs in scores]) + " on average"
    languages = [record.language() for record in pairs[0][1].languages]
    classes = resource_classes(languages)
    known = [each for each in classes if each is not Resource.UNLABELLED]
    for resource in dict.fromkeys((*known[:1], *known[-1:])) if len(classes) > 1 else ():
        group = f"{resource.letter}2{resource.letter}"
        both = [(ours.groups, theirs.groups) for ours, theirs in scores]
        differences = [
            ours[group] - theirs[group] for ours, theirs in both if group in ours and group in theirs
        ]
        if differences:
            yield f"{_change(differences)} among {resource}-resource languages ({group})"


def _change(differences: Sequence[float]) -> str:
    """A mean difference with its sign, and its 95 % interval if there are several seeds.

    It is no change if it is too small to notice, and its interval, if any, holds nothing noticeable.
    """
    mean, interval = fmean(differences), interval_over_seeds(differences)
    ends = (interval.low, interval.high) if interval else ()
    text = "no change" if all(abs(value) < NOTICEABLE for value in (mean, *ends)) else f"{mean:+.1f}"
    return f"{text} [{interval.low:+.1f}, {interval.high:+.1f}]" if interval else text
