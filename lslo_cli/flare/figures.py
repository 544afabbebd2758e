"""FLARE's figures: prepare their data from the evaluations of an experiment."""

from __future__ import annotations

from functools import partial
from statistics import fmean

from lslo_cli.errors import InputError
from lslo_cli.flare import plots
from lslo_cli.flare.reading import read_artifacts, read_study
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import GIVEN
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.plots.runs import Seeds
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.wording import Command, over

AGAINST_NOISE = (FlareMethod.FLARE, FlareMethod.LORA, FlareMethod.TRANSLATE_TEST, FlareMethod.INPUT_FUSION)
"""The methods whose scores are drawn against noise."""


def prepare_languages(seeds: Seeds) -> PreparedFigure:
    """Every method in every target language, and the mean over languages."""
    study = read_study(seeds)
    scores = _by_language(study)
    return PreparedFigure(
        "flare-languages",
        "Every method in every target language.",
        partial(plots.languages, scores, study.metric, _chance(study)),
    )


def prepare_sources(seeds: Seeds) -> PreparedFigure:
    """Scores of fusion functions with the right source and with those of the controls."""
    study = read_study(seeds)
    fused = {name: _by_run(study, source) for source, name in GIVEN.items()}
    fused = {name: by_run for name, by_run in fused.items() if by_run}
    if not fused:
        raise InputError(
            "no run of this study fuses its source",
            "train one",
            Command("flare train", "--runs", FlareMethod.FLARE),
        )
    unfused = [run for run in study.runs if not FlareRun.parse(run).method.fuses]
    alone = {run: spread.mean for run in unfused if (spread := study.average(run))}
    chance = _chance(study)
    lines = alone if chance is None else {**alone, "wrong source's label": chance}
    return PreparedFigure(
        "flare-sources",
        "Fusion functions with the right source and with those of the controls.",
        partial(plots.sources, fused, lines, study.metric),
    )


def prepare_activations(seeds: Seeds) -> PreparedFigure:
    """Mean activations of source and target in the bottleneck."""
    study = read_study(seeds)
    probed = {key: result.activations for key, result in study.evaluations.items() if result.activations}
    if not probed:
        raise InputError(
            "no run of this study recorded activations", "evaluate one", Command("flare evaluate")
        )
    shares = sorted({item.noise for items in probed.values() for item in items})
    noise = (
        f"{' and '.join(f'{share:.0%}' for share in shares)} of noise in the sources" if any(shares) else ""
    )
    return PreparedFigure(
        "flare-activations",
        "Mean activation of source and target in the bottleneck: of the first query adapter by dimension "
        f"(FLARE's figure 5), and by layer; {noise or 'no noise in the sources'}.",
        partial(plots.activations, probed, noise),
    )


def prepare_noise(seeds: Seeds) -> PreparedFigure:
    """Scores of FLARE and of its baselines by the share of words that were changed in the sources."""
    found = read_artifacts(seeds)
    study = found.study
    if len(study.noise) < 2:
        raise InputError(
            f"all tests of this study have {study.noise[0]:.0%} of noise in their sources",
            "test with more",
            Command("flare evaluate", "--set", "flare.test_noise=0,0.2,0.4"),
        )
    runs = [run for method in AGAINST_NOISE for run in study.run_and_noisy(method)]
    scores = {run: by_share for run in runs if (by_share := _by_share(study, run))}
    if not scores:
        raise InputError(
            "no seed of this study has all languages", "test the others", Command("flare evaluate")
        )
    interval = over("95 % interval", [len(study.seeds)])
    settings = next(iter(found.evaluations.values())).recipe["flare"]
    return PreparedFigure(
        "flare-noise",
        f"Score against noise in the sources of tests: mean over languages, {interval}.",
        partial(plots.noise, scores, study.metric, settings["source_noise"], settings["train_noise"]),
    )


def _chance(study: FlareStudy) -> float | None:
    """The mean score of another row's label; None if answers are spans."""
    chances = study.chances()
    return fmean(chances.values()) if chances else None


def _by_language(study: FlareStudy) -> dict[str, dict[str, list[float]]]:
    """Scores of the methods, of FLARE with one fusion, and without the runs with noise of their own.

    A method that has no other is shown by such a run. The mean over languages is the last language.
    """
    scores: dict[str, dict[str, list[float]]] = {}
    for run in study.runs:
        parsed = FlareRun.parse(run)
        is_choice = parsed.method is FlareMethod.FLARE or parsed.train_noise is not None
        if is_choice and run != study.run_of(parsed.method):
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


def _by_share(study: FlareStudy, run: str) -> dict[float, list[float]]:
    """A run's means over languages in every seed, by the share of noise; shares without any are left out."""
    by_share = {share: study.averages_with_noise(run, share) for share in study.noise}
    return {share: list(means.values()) for share, means in by_share.items() if means}


def _by_run(study: FlareStudy, source: SourceGiven) -> dict[str, list[float]]:
    """Every fused run's mean over languages in every seed."""
    return {
        run: list(means.values())
        for run in study.runs
        if FlareRun.parse(run).method.fuses and (means := study.averages(run, source))
    }
