"""The list of FLARE's figures: ``lslo flare report`` iterates it.

An entry names the function that prepares its figure from a study; it raises InputError where the study has
none of the runs that the figure shows.
"""

from __future__ import annotations

from functools import partial
from statistics import fmean

from lslo_cli.errors import InputError
from lslo_cli.flare import plots
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import GIVEN
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.plots.specs import FigureSpec, PreparedFigure

FIGURES = (
    FigureSpec(
        name="languages",
        summary="Every method in every target language.",
        source="lslo_cli.flare.figures:prepare_languages",
    ),
    FigureSpec(
        name="sources",
        summary="Fusion functions with the right source and with those of the controls.",
        source="lslo_cli.flare.figures:prepare_sources",
    ),
    FigureSpec(
        name="activations",
        summary="Mean activation of source and target in the bottleneck: of the first query adapter by "
        "dimension (FLARE's figure 5), and by layer.",
        source="lslo_cli.flare.figures:prepare_activations",
        paper="FLARE, figure 5",
    ),
)


def prepare_languages(study: FlareStudy) -> PreparedFigure:
    """Every method in every target language, and the mean over languages."""
    scores = _by_language(study)
    return _prepared(0, partial(plots.languages, scores, study.metric, _chance(study)))


def prepare_sources(study: FlareStudy) -> PreparedFigure:
    """Scores of fusion functions with the right source and with those of the controls."""
    fused = {name: _by_run(study, source) for source, name in GIVEN.items()}
    fused = {name: by_run for name, by_run in fused.items() if by_run}
    if not fused:
        raise InputError("no run of this study fuses its source", "train one: lslo flare train")
    unfused = [run for run in study.runs if not FlareRun.parse(run).method.fuses]
    alone = {run: spread.mean for run in unfused if (spread := study.average(run))}
    lines = {**alone, "wrong source's label": _chance(study)}
    return _prepared(1, partial(plots.sources, fused, lines, study.metric))


def prepare_activations(study: FlareStudy) -> PreparedFigure:
    """The contributions of source and target to the bottleneck."""
    probed = {key: result.activations for key, result in study.evaluations.items() if result.activations}
    if not probed:
        raise InputError("no run of this study recorded activations", "evaluate one: lslo flare evaluate")
    return _prepared(2, partial(plots.activations, probed))


def _prepared(place: int, draw: partial) -> PreparedFigure:
    return PreparedFigure(FIGURES[place].name, FIGURES[place].summary, draw)


def _chance(study: FlareStudy) -> float:
    """The mean score of another row's label."""
    chances = study.chances()
    return fmean(chances.values()) if chances else 0.0


def _by_language(study: FlareStudy) -> dict[str, dict[str, list[float]]]:
    """Scores of the methods as they are, without other choices of fusion; their means as a last language."""
    scores: dict[str, dict[str, list[float]]] = {}
    for run in study.runs:
        parsed = FlareRun.parse(run)
        if parsed.method is FlareMethod.FLARE and run != study.run_of(FlareMethod.FLARE):
            continue
        by_language = scores.setdefault(run, {})
        for language in study.languages:
            tests = study.tests(run)
            found = [tests[seed, language].score for seed in study.seeds if (seed, language) in tests]
            if found:
                by_language[language] = found
        if means := study.averages(run):
            by_language["mean"] = list(means.values())
    return scores


def _by_run(study: FlareStudy, source: SourceGiven) -> dict[str, list[float]]:
    """Every fused run's mean over languages in every seed."""
    return {
        run: list(means.values())
        for run in study.runs
        if FlareRun.parse(run).method.fuses and (means := study.averages(run, source))
    }
