"""``lslo flare report``: tables and figures from the artifacts of a transfer experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lslo_cli import plots
from lslo_cli.artifacts import store
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.artifacts.transfer_folder import TransferFolder
from lslo_cli.artifacts.transfer_results import (
    Activation,
    TransferEvaluationResult,
    TransferTrainingResult,
)
from lslo_cli.errors import InputError
from lslo_cli.method.transfer import SourceGiven, Transfer, TransferRun
from lslo_cli.plots import transfer as figures
from lslo_cli.tables import Document, Section, document_as_markdown
from lslo_cli.tables.transfer import TransferStudy, transfer_tables


def read_study(folder: TransferFolder) -> tuple[TransferStudy, list[Artifact[TransferEvaluationResult]]]:
    """Every evaluation in a folder with the training behind it, and the artifacts themselves.

    Raises InputError where there is none, or where one is damaged or stale.
    """
    evaluations, trainings, artifacts = {}, {}, []
    for seed in folder.seeds():
        for path in sorted((folder.path / f"seed-{seed}").glob("*/evaluation.json")):
            artifact = store.read(path, TransferEvaluationResult)
            store.check_fresh(path, artifact, TransferEvaluationResult.command)
            key = (seed, artifact.result.language)
            evaluations[key] = artifact.result
            trainings[key] = store.read(path.with_name("training.json"), TransferTrainingResult).result
            artifacts.append(artifact)
    if not artifacts:
        raise InputError(
            f"no evaluation in {folder.path}", f"make it first: {TransferEvaluationResult.command}"
        )
    return TransferStudy(evaluations, trainings), artifacts


def report(folder: TransferFolder) -> tuple[TransferStudy, list[Path]]:
    """Write ``report.md`` and the figures, and return the study with the paths written."""
    study, artifacts = read_study(folder)
    section = Section(study.task, _facts(study, artifacts), tuple(transfer_tables(study)))
    document = Document(f"FLARE and what it is compared with: {study.task}", (section,))
    with store.replacing(folder.report) as temporary:
        temporary.write_text(document_as_markdown(document), encoding="utf-8")
    return study, [folder.report, *_draw(study, folder.figures)]


def _facts(
    study: TransferStudy, artifacts: Sequence[Artifact[TransferEvaluationResult]]
) -> tuple[tuple[str, str], ...]:
    first = artifacts[0]
    settings = first.recipe["flare"]
    commits = sorted({(item.made.commit or "none")[:7] for item in artifacts})
    rows = len(next(iter(study.evaluations.values())).gold)
    return (
        (
            "model",
            f"{first.model.name}, {first.model.parameters:,} parameters, sha256 {first.model.digest[:12]}",
        ),
        ("seeds", ", ".join(map(str, study.seeds))),
        ("target languages", ", ".join(study.languages)),
        ("metric", f"{study.metric}, 0 to 100, on {rows} test texts per language"),
        (
            "training",
            f"{settings['epochs']} epochs of batches of {settings['batch_size']}, learning rate "
            f"{settings['lr']:g}, texts cut to {settings['max_length']} tokens, rank {settings['rank']}",
        ),
        ("device", f"{first.made.device}, {first.recipe['run']['precision']}"),
        ("commit", ", ".join(commits)),
    )


def _draw(study: TransferStudy, folder: Path) -> list[Path]:
    shown = [run for run in study.runs if _is_plain(run)]
    drawn = {"languages": figures.languages(_by_language(study, shown), study.metric)}
    fused = {source: _by_run(study, source) for source in SourceGiven}
    fused = {str(source): by_run for source, by_run in fused.items() if by_run}
    if fused:
        reference = {run: study.average(run) for run in study.runs if not TransferRun.parse(run).method.fuses}
        lines = {run: spread.mean for run, spread in reference.items() if spread}
        drawn["sources"] = figures.sources(fused, lines, study.metric)
    found: list[Activation] = [item for result in study.evaluations.values() for item in result.activations]
    if found:
        drawn["activations"] = figures.activations(found)
    return [path for stem, figure in drawn.items() for path in plots.save(figure, folder, stem)]


def _is_plain(run: str) -> bool:
    """Whether a run is a method as it is, without another choice of fusion."""
    parsed = TransferRun.parse(run)
    return parsed.method is not Transfer.FLARE or parsed == TransferRun(Transfer.FLARE)


def _by_language(study: TransferStudy, runs: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    scores: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for (_, language), test in study.tests(run, SourceGiven.MATCHED).items():
            scores.setdefault(run, {}).setdefault(language, []).append(test.score)
    return scores


def _by_run(study: TransferStudy, source: SourceGiven) -> dict[str, list[float]]:
    """Minimum, mean and maximum over seeds of every fused run's mean over languages."""
    found = {}
    for run in study.runs:
        spread = study.average(run, source) if TransferRun.parse(run).method.fuses else None
        if spread:
            found[run] = [spread.minimum, spread.mean, spread.maximum]
    return found
