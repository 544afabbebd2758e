"""The command that only counts: the prune report."""

from __future__ import annotations

from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
from lslo_cli.artifacts.provenance import Stopwatch
from lslo_cli.artifacts.results import PruneReportResult, SubspaceResult, TrainingResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.pipeline.experiment import Experiment, Upstream, Written, document, read_training
from lslo_cli.recipe import Method
from lslo_cli.stages.prune_report import prune_report as prune_report_stage


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

    Reports on ``run``, or else on the latest run that trained adapters; without one, or with
    ``estimate_only``, on the estimate alone. With ``reuse`` a report that is up to date is returned as it is.
    """
    stopwatch = Stopwatch()
    path = subspace or experiment.folder.subspace
    estimate = store.read(path, SubspaceResult)
    store.check_fresh(path, estimate, SubspaceResult.command)
    upstream = [Upstream("subspace", path, estimate.digest)]
    reported = None if estimate_only else _reported_run(experiment.folder, run)
    if reported:
        folder, training = reported
        upstream.append(Upstream("training", folder.training, training.digest))
    if reuse and (current := _current(experiment, upstream)):
        return current
    if reported:
        on_event(Noted(f"reporting on run {folder.name}"))
    result = prune_report_stage(
        estimate.result,
        training.result if reported else None,
        [record.language() for record in estimate.languages],
        estimate.model.parameters,
    )
    written = document(
        result,
        experiment,
        experiment.folder.prune_report,
        model=estimate.model,
        data=estimate.data,
        upstream=upstream,
        stopwatch=stopwatch,
        device="cpu",
    )
    store.write(written.path, written.artifact)
    return written


def _current(experiment: Experiment, upstream: list[Upstream]) -> Written | None:
    """The report that is there, if it was made from the same artifacts."""
    path = experiment.folder.prune_report
    try:
        artifact = store.read(path, PruneReportResult)
    except InputError:
        return None
    same = [item.digest for item in artifact.inputs] == [item.digest for item in upstream]
    return Written(path, artifact, up_to_date=True) if same else None


def _reported_run(
    experiment: ExperimentFolder, name: str | None
) -> tuple[RunFolder, Artifact[TrainingResult]] | None:
    """The named run, or the latest with adapters by language; None where there is none."""
    if name is not None:
        run = experiment.run(name)
        return run, read_training(experiment, run)
    for run in reversed(experiment.trained_runs()):
        artifact = store.read(run.training, TrainingResult)
        if artifact.result.method == Method.LSLO:
            return run, read_training(experiment, run)
    return None
