"""Comparing runs: how much better one is than another, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

import numpy as np

from lslo_cli.artifacts import store
from lslo_cli.artifacts.again import seed_flags
from lslo_cli.artifacts.comparable import Located, check_study, one_of_each_seed
from lslo_cli.artifacts.evaluations import ComparedRow, ComparisonResult, EvaluationResult
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.data.corpus import Corpus
from lslo_cli.data.splits import with_splits
from lslo_cli.data.text import read_text
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import Advanced, Finished, OnEvent, Started, ignore
from lslo_cli.method.languages import AVERAGE, Direction, Language, grouping, groups
from lslo_cli.method.statistics import (
    bleu,
    interval_over_seeds,
    interval_over_sentences,
    resampled_counts,
    verdict,
)
from lslo_cli.models.places import find_model
from lslo_cli.search.metric import MetricSettings, SpBleu, open_spbleu
from lslo_cli.tasks.experiment import Experiment, Upstream, Written, write_derived
from lslo_cli.tasks.translations import read_hypotheses
from lslo_cli.wording import Command, several

TASK = "comparing"


Evaluated = Located[EvaluationResult]

Scope = Literal["average", "group", "direction"]
Statistics = dict[Direction, np.ndarray]
"""By direction (sentences, 10): BLEU's sums for every test sentence, 0 where the sentence has a gap."""


def compare(
    experiment: Experiment,
    runs: Sequence[str],
    *,
    seeds: Sequence[int] = (),
    resamples: int = 1000,
    on_event: OnEvent = ignore,
) -> list[Written]:
    """Compare the first of ``runs`` with each of the others, and write ``comparisons/RUN-vs-OTHER.json``.

    If the experiment's folder holds seeds as ``seed-N/``, those with both runs are used, or only ``seeds``,
    which the file's name then ends with, as ``-seed-1-seed-3``.
    Raises UsageError for fewer than two runs or a repeated seed, and InputError if they were not evaluated,
    or not on the same sentences with the same metric.
    """
    first, *others = dict.fromkeys(runs)
    if not others:
        raise UsageError(
            "a comparison takes two runs or more", "name both", Command("compare", "2-2-8-gps0.9", "base")
        )
    folders = _seed_folders(experiment.folder, seeds)
    some = seeds if len(folders) < len(experiment.folder.seeds()) else ()
    paths = [experiment.folder.comparison(first, other, some) for other in others]
    store.check_writable(paths[0].parent)
    return [
        _compare_two(experiment, folders, first, other, path, resamples, on_event)
        for other, path in zip(others, paths, strict=True)
    ]


def _seed_folders(folder: ExperimentFolder, seeds: Sequence[int]) -> list[ExperimentFolder]:
    """The experiments of the seeds, or the experiment itself.

    Raises InputError for a missing seed, and UsageError for one that would count twice.
    """
    if repeated := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise UsageError(f"seed {repeated[0]} is named twice", "name each seed once")
    numbered = folder.seed_folders()
    if missing := [seed for seed in seeds if seed not in numbered]:
        raise InputError(
            f"no seed {missing[0]} in {folder.path}",
            f"seeds there: {', '.join(map(str, numbered)) or 'none; --seeds is for folders seed-N/'}",
        )
    return [ExperimentFolder(numbered[seed]) for seed in seeds or numbered] or [folder]


def _compare_two(
    experiment: Experiment,
    folders: Sequence[ExperimentFolder],
    run: str,
    other: str,
    path: Path,
    resamples: int,
    on_event: OnEvent,
) -> Written:
    stopwatch = Stopwatch()
    pairs = _evaluated_pairs(folders, run, other)
    languages = [record.language() for record in pairs[0][0].result.languages]
    directions = list(pairs[0][0].result.scores())
    on_event(Started(f"{TASK} {run} with {other}", 2 * len(pairs), "evaluations"))
    measured, drawn = [], []
    for done, pair in enumerate(pairs):
        statistics = [_statistics(experiment, each) for each in pair]
        counts = _counts(pair[0], len(next(iter(statistics[0].values()))), resamples)
        ours, theirs = (
            {direction: bleu(counts @ table) for direction, table in each.items()} for each in statistics
        )
        drawn.append({direction: ours[direction] - theirs[direction] for direction in ours})
        scores = [each.result.scores() for each in pair]
        measured.append({direction: scores[0][direction] - scores[1][direction] for direction in ours})
        on_event(Advanced(f"{TASK} {run} with {other}", 2 * (done + 1)))
    on_event(Finished(f"{TASK} {run} with {other}"))
    result = ComparisonResult(
        run=run,
        other=other,
        seeds=[pair[0].artifact.seed for pair in pairs],
        resamples=resamples,
        spbleu_signature=pairs[0][0].result.metric().signature,
        rows=[_row(*scope, measured, drawn) for scope in _scopes(directions, languages)],
    )
    upstream = [Upstream("evaluation", each.path, each.artifact.digest) for pair in pairs for each in pair]
    return write_derived(result, experiment, path, pairs[0][0].artifact, upstream, stopwatch)


def _evaluated_pairs(
    folders: Sequence[ExperimentFolder], run: str, other: str
) -> list[tuple[Evaluated, Evaluated]]:
    """Both runs of every folder that has both, checked to be comparable."""
    both = [
        folder
        for folder in folders
        if folder.run(run).evaluation.exists() and folder.run(other).evaluation.exists()
    ]
    if not both:
        there = sorted({each.name for folder in folders for each in folder.evaluated_runs()})
        raise InputError(
            f"no experiment in {several(folder.path for folder in folders)} has evaluations of both '{run}' "
            f"and '{other}'; evaluated there: {several(there) or 'no run'}",
            "evaluate them",
            Command("evaluate", *seed_flags(folders[0].path), "--run", run, "--run", other),
        )
    found = [
        [Located.read(folder.run(name).evaluation, EvaluationResult) for name in (run, other)]
        for folder in both
    ]
    trained = [folder.run(name).training for folder in both for name in (run, other)]
    trainings = [Located.read(path, TrainingResult) for path in trained if path.exists()]
    check_study([each for pair in found for each in pair], trainings)
    return list(zip(*map(one_of_each_seed, zip(*found, strict=True)), strict=True))


def _counts(evaluated: Evaluated, sentences: int, resamples: int) -> np.ndarray:
    """How often each resample draws each sentence; the same for all runs scored on this text."""
    return resampled_counts(sentences, resamples, [int(evaluated.artifact.data[0].digest[:8], 16)])


def _statistics(experiment: Experiment, evaluated: Evaluated) -> Statistics:
    """The sums for every test sentence, numbered alike in all directions."""
    corpus, metric = _references(experiment, evaluated)
    numbers = {
        pair: number
        for number, pair in enumerate(
            (section, row) for section, rows in enumerate(corpus.sections) for row in range(len(rows))
        )
    }
    tables = {}
    for direction, lines in read_hypotheses(evaluated.path, evaluated.result).items():
        _, references = corpus.pairs(direction)
        table = np.zeros((len(numbers), 10), dtype=np.int64)
        rows = [numbers[section, row] for section, row in corpus.rows(direction).tolist()]
        table[rows] = metric.sentence_statistics(lines, references)
        tables[direction] = table
    return tables


def _references(experiment: Experiment, evaluated: Evaluated) -> tuple[Corpus, SpBleu]:
    """The test text and the metric of an evaluation. Raises InputError if they are not those it names."""
    text, result = evaluated.artifact.data[0], evaluated.result
    recipe = with_splits(experiment.recipe.model_copy(update={"seed": evaluated.artifact.seed}))
    corpus = read_text(recipe, [record.code for record in result.languages], text.split)
    corpus = corpus if text.limit is None else corpus.limit(text.limit)
    if corpus.digest != text.digest:
        raise InputError(
            f"{evaluated.path} was scored on other text than {recipe.data.path}, split '{text.split}'",
            "give the recipe and the text that it was evaluated with, or evaluate it on this one",
            Command("evaluate"),
        )
    base = find_model(recipe.model.name, recipe.model.revision).folder
    metric = open_spbleu(MetricSettings(recipe.evaluate.metric_model, base))
    if metric.sha256 != result.metric_model_sha256:
        raise InputError(
            f"{evaluated.path} was scored with another sentencepiece model than {metric.path}",
            f"give the one it was evaluated with; its signature is {result.metric().signature}",
        )
    return corpus, metric


def _scopes(
    directions: Sequence[Direction], languages: Sequence[Language]
) -> Iterator[tuple[Scope, str, list[Direction]]]:
    """The sets of directions whose means are compared, by name: all, each group, and each direction."""
    yield "average", AVERAGE, list(directions)
    group_of = grouping(languages)
    for name in groups(languages):
        if members := [direction for direction in directions if group_of(direction) == name]:
            yield "group", name, members
    yield from (("direction", str(direction), [direction]) for direction in directions)


def _row(
    scope: Scope,
    name: str,
    members: Sequence[Direction],
    measured: Sequence[Mapping[Direction, float]],
    drawn: Sequence[Mapping[Direction, np.ndarray]],
) -> ComparedRow:
    """The difference in the mean over ``members``, and its intervals."""
    by_seed = [fmean(scores[direction] for direction in members) for scores in measured]
    resampled = np.mean([draws[direction] for draws in drawn for direction in members], axis=0)
    over_seeds, over_sentences = interval_over_seeds(by_seed), interval_over_sentences(resampled)
    return ComparedRow(
        scope=scope,
        name=name,
        directions=len(members),
        difference=fmean(by_seed),
        by_seed=by_seed,
        over_sentences=(over_sentences.low, over_sentences.high),
        over_seeds=(over_seeds.low, over_seeds.high) if over_seeds else None,
        verdict=verdict(over_seeds, over_sentences),
    )
