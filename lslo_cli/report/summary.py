"""Sentences on a set of runs: gains and losses against the base model, and how certain they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import CorrelationRow
from lslo_cli.method.languages import groups, resource_classes
from lslo_cli.method.statistics import interval_over_seeds

NOTICEABLE = 0.05
"""Points of spBLEU below which a difference is reported as no change."""


def summarise(seeds: Sequence[Mapping[str, EvaluationResult]], base: str) -> Iterator[str]:
    """A sentence for each run but ``base``, and one on what the number of seeds allows one to conclude.

    ``seeds`` are the evaluations of each seed by run. Sentences give the average, the directions among the
    languages with the most text, and those among the languages with the least. Yields nothing without the
    base, or without another run.
    """
    if not all(base in runs and len(runs) > 1 for runs in seeds):
        return
    first = seeds[0][base]
    languages = [record.language() for record in first.languages]
    classes, names = resource_classes(languages), groups(languages)
    for run in (name for name in seeds[0] if name != base):
        pairs = [(runs[run].metric(), runs[base].metric()) for runs in seeds if run in runs]
        parts = [_change([ours.average - theirs.average for ours, theirs in pairs]) + " on average"]
        ends = dict.fromkeys(((names[0], classes[0]), (names[-1], classes[-1])))
        for group, resource in ends if len(classes) > 1 else ():
            differences = [
                ours.groups[group] - theirs.groups[group]
                for ours, theirs in pairs
                if group in ours.groups and group in theirs.groups
            ]
            if differences:
                parts.append(f"{_change(differences)} among {resource}-resource languages ({group})")
        yield f"{run} against the base model, in spBLEU: {', '.join(parts)}."
    if len(seeds) == 1:
        yield "One seed says nothing about others: the differences may be chance."
    else:
        yield f"Brackets: 95 % interval over {len(seeds)} seeds."


def correlation_sentence(rows: Sequence[CorrelationRow]) -> str | None:
    """How importance scores correlate with bitext size, over seeds; None if unknown.

    ``rows`` are the total correlations of each seed.
    """
    values = [row.pearson_log for row in rows if row.pearson_log is not None]
    if not values:
        return None
    r = fmean(values)
    follows = "the less text a language has, the more capacity it takes"
    said = follows if r > 0 else "capacity does not follow text"
    return f"Importance score against the logarithm of bitext size: r = {r:.2f}; {said}."


def _change(differences: Sequence[float]) -> str:
    """A mean difference with its sign, and its 95 % interval if there are several seeds."""
    mean = fmean(differences)
    text = f"{mean:+.1f}" if abs(mean) >= NOTICEABLE else "no change"
    interval = interval_over_seeds(differences)
    return text if interval is None else f"{text} [{interval.low:+.1f}, {interval.high:+.1f}]"
