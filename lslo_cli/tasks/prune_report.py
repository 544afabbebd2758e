"""Pruned shares by language, and the correlation of importance with bitext size (tables 9 and 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.results import (
    MEASURES,
    CorrelationRow,
    PruneReportResult,
    SizeRow,
    SubspaceResult,
    TrainingResult,
)
from lslo_cli.artifacts.schema import Artifact, LanguageRecord
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.importance import Pool, mean_demand
from lslo_cli.method.languages import Language
from lslo_cli.method.sites import KINDS, Stack
from lslo_cli.method.statistics import CORRELATED, NEEDED, correlate_with_bitext
from lslo_cli.recipe import Method, Recipe
from lslo_cli.tasks.experiment import Experiment, Upstream, Written, read_training, write_derived
from lslo_cli.tasks.freshness import same_languages
from lslo_cli.wording import Command, several


def prune_report(
    experiment: Experiment,
    *,
    run: str | None = None,
    subspace: Path | None = None,
    estimate_only: bool = False,
    reuse: bool = False,
    on_event: OnEvent = ignore,
) -> Written:
    """Correlate importance with bitext size, count parameters, and write ``prune-report.json``.

    The bitext sizes are the recipe's, as estimates read none. Reports on ``run``, or else on the latest run
    that trained adapters; without one, or with ``estimate_only``, on the estimate alone. With ``reuse`` a
    report that is up to date is returned as it is.
    """
    stopwatch = Stopwatch()
    path = subspace or experiment.folder.subspace
    estimate = store.read_fresh(path, SubspaceResult)
    upstream = [Upstream("subspace", path, estimate.digest)]
    reported = None if estimate_only else _reported_run(experiment.folder, run)
    if reported:
        folder, training = reported
        upstream.append(Upstream("training", folder.training, training.digest))
    records = _with_sizes_of(experiment.recipe, estimate.languages)
    if reuse and (current := _current(experiment, upstream, records)):
        return current
    if changed := [each for each in records if each not in estimate.languages]:
        sizes = several(f"{each.code} {each.bitext or 'none'}" for each in changed)
        on_event(Noted(f"bitext sizes that the recipe did not have when {path} was made: {sizes}"))
    estimate = estimate.model_copy(update={"languages": records})
    if reported:
        on_event(Noted(f"reporting on run {folder.name}"))
    languages = [record.language() for record in estimate.languages]
    result = report_on(
        estimate.result,
        training.result if reported else None,
        languages,
        estimate.model.parameters,
        [record.language() for record in training.languages] if reported else (),
    )
    if not result.correlations:
        on_event(Noted(f"no correlation with bitext size: {NEEDED}"))
    # A report draws nothing at random: its seed is that of the estimate, as its languages are.
    path = experiment.folder.prune_report
    return write_derived(result, experiment, path, estimate, upstream, stopwatch)


def _with_sizes_of(recipe: Recipe, records: Sequence[LanguageRecord]) -> list[LanguageRecord]:
    """The languages of an estimate with the bitext sizes that the recipe has for them."""
    known = recipe.known_languages()
    sizes = (known.get(each.code, each.language()).bitext for each in records)
    return [each.model_copy(update={"bitext": size}) for each, size in zip(records, sizes, strict=True)]


def _current(
    experiment: Experiment, upstream: list[Upstream], languages: Sequence[LanguageRecord]
) -> Written | None:
    """The existing report, if it was made from the same artifacts and with the same bitext sizes."""
    path = experiment.folder.prune_report
    try:
        artifact = store.read(path, PruneReportResult)
    except InputError:
        return None
    made_from = [item.digest for item in artifact.inputs]
    same = made_from == [item.digest for item in upstream] and same_languages(artifact, languages)
    return Written(path, artifact, up_to_date=True) if same else None


def _reported_run(
    experiment: ExperimentFolder, name: str | None
) -> tuple[RunFolder, Artifact[TrainingResult]] | None:
    """The named run, or the latest with language-specific adapters; None if there is none."""
    if name is not None:
        run = experiment.run(name)
        return run, read_training(experiment, run)
    for run in reversed(experiment.trained_runs()):
        artifact = store.read(run.training, TrainingResult)
        if artifact.result.method == Method.LSLO:
            return run, read_training(experiment, run)
    return None


def report_on(
    subspace: SubspaceResult,
    training: TrainingResult | None,
    languages: Sequence[Language],
    base_parameters: int,
    trained_languages: Sequence[Language] = (),
) -> PruneReportResult:
    """Correlate importance with bitext size, and count the parameters of each language of a training run.

    ``languages`` are the estimate's; ``trained_languages`` the run's, which may be others.

    Without a training run, or after one without language-specific adapters, there are no sizes. Raises
    InputError for an estimate that pruned each language alone: it gives every language the same total.
    """
    if subspace.pool is Pool.LANGUAGE:
        raise InputError(
            "this subspace estimate pruned each language alone (pool language), so its scores cannot be "
            "compared between languages",
            "estimate across languages",
            Command("estimate-subspace", "--pool", "layer"),
        )
    return PruneReportResult(
        run=training.run if training else None,
        base_parameters=base_parameters,
        trainable_parameters=training.trainable_parameters if training else None,
        trainable_parameters_paper_style=training.trainable_parameters_paper_style if training else None,
        nonzero_parameters=training.nonzero_parameters if training else None,
        sizes=_sizes(training, trained_languages or languages) if training else [],
        scores=subspace.scores,
        correlations=_correlations(subspace, languages),
    )


def _sizes(training: TrainingResult, languages: Sequence[Language]) -> list[SizeRow]:
    parameters: dict[str, int] = {}
    pruned: dict[str, int] = {}
    for matrix in training.pruned.matrices():
        parameters[matrix.language] = parameters.get(matrix.language, 0) + matrix.size
        pruned[matrix.language] = pruned.get(matrix.language, 0) + matrix.pruned
    return [
        SizeRow(
            language=language.code,
            resource=language.resource,
            rank=training.ranks[language.code],
            parameters=parameters[language.code],
            pruned=pruned[language.code],
        )
        for language in languages
        if language.code in parameters
    ]


def _correlations(subspace: SubspaceResult, languages: Sequence[Language]) -> list[CorrelationRow]:
    """Tables 9 and 10, then the languages' total scores; empty with fewer than three bitext sizes.

    A language's score for a kind is the mean of eq. 6 over the layers of the stack.
    """
    if sum(language.bitext is not None for language in languages) < CORRELATED:
        return []
    matrices = list(subspace.pruned.matrices("B"))
    rows = []
    for stack in Stack:
        demand = mean_demand(matrices, subspace.target_ratio, stack)
        present = {kind for _, kind in demand}
        of_stack = []
        for kind in KINDS[stack]:
            if kind in present:
                scores = {code: -value for (code, of_kind), value in demand.items() if of_kind == kind}
                of_stack.append(_row(stack, kind, scores, languages))
        rows += [*of_stack, _average(of_stack)] if of_stack else []
    return [*rows, _row("all", "total", subspace.scores, languages)]


def _row(stack: str, kind: str, scores: Mapping[str, float], languages: Sequence[Language]) -> CorrelationRow:
    counted = [language for language in languages if language.bitext and language.code in scores]
    correlation = correlate_with_bitext(scores, languages) if len(counted) >= CORRELATED else None
    if correlation is None:
        return CorrelationRow(stack=stack, kind=kind, n=len(counted), **dict.fromkeys(MEASURES))
    return CorrelationRow(stack=stack, kind=kind, **asdict(correlation))


def _average(rows: Sequence[CorrelationRow]) -> CorrelationRow:
    """The AVG row of a stack: the mean of each column over the kinds that have a correlation."""
    columns = {name: [getattr(row, name) for row in rows if row.pearson is not None] for name in MEASURES}
    means = {name: fmean(values) if values else None for name, values in columns.items()}
    return CorrelationRow(stack=rows[0].stack, kind="avg", n=rows[0].n, **means)
