"""``lslo flare report``: tables and figures from the artifacts of a FLARE experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.lock import write_locked
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.errors import InputError
from lslo_cli.flare.figures import FIGURES
from lslo_cli.flare.folder import evaluations as all_evaluations
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import flare_tables
from lslo_cli.plots.files import save, svg
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import Style
from lslo_cli.recipe import recorded
from lslo_cli.report import DocumentSection, Figure, ReportDocument
from lslo_cli.report.building import Format, write
from lslo_cli.report.provenance import commits, software
from lslo_cli.report.study import distinct
from lslo_cli.report.table import millions

Evaluation = Artifact[FlareEvaluationResult]


@dataclass(frozen=True)
class FlareReport:
    """A study with the artifacts it was read from."""

    study: FlareStudy
    artifacts: tuple[Evaluation, ...]

    def document(self, *, with_figures: bool = False) -> ReportDocument:
        """All tables, and with ``with_figures`` all figures, which take seconds to draw."""
        model = self.artifacts[0].model
        languages = len(self.study.languages)
        drawn = tuple(_for_pages(self.study)) if with_figures else ()
        section = DocumentSection(
            f"{self.artifacts[0].experiment}: {self.study.task}, {languages} target languages",
            tuple(_facts(self.study, self.artifacts)),
            tuple(flare_tables(self.study, model)),
            drawn,
        )
        return ReportDocument("FLARE and what it is compared with", (section,))

    def save_figures(self, folder: Path, style: Style = Style.PAPER) -> list[Path]:
        """Every figure as PNG and PDF."""
        return [
            path
            for prepared in _prepared(self.study)
            for path in save(prepared.figure(style=style), folder, prepared.stem, style=style)
        ]


def read_report(folder: ExperimentFolder) -> FlareReport:
    """Every evaluation in a folder with the training behind it.

    Raises InputError where there is none, where one is damaged or stale, or where they were made with
    different settings, models or texts.
    """
    evaluations, trainings, artifacts = {}, {}, []
    for path in all_evaluations(folder):
        artifact = store.read(path, FlareEvaluationResult)
        store.check_fresh(path, artifact, FlareEvaluationResult.command)
        key = (artifact.seed, artifact.result.language)
        evaluations[key] = artifact.result
        trainings[key] = store.read(path.with_name("training.json"), FlareTrainingResult).result
        artifacts.append(artifact)
        _check_alike(path, artifacts)
    if not artifacts:
        raise InputError(f"no evaluation in {folder.path}", f"make it first: {FlareEvaluationResult.command}")
    return FlareReport(FlareStudy(evaluations, trainings), tuple(artifacts))


def report(folder: ExperimentFolder) -> tuple[ReportDocument, list[Path]]:
    """Write ``report.md`` and the figures, and return the document with the paths written."""
    found = read_report(folder)
    document = found.document()
    path = folder.path / "report.md"
    write_locked(path, write(document, Format.MARKDOWN))
    return document, [path, *found.save_figures(folder.figures)]


def _check_alike(path: Path, artifacts: Sequence[Evaluation]) -> None:
    """Raise InputError where the last artifact does not belong with the others."""
    first, last = artifacts[0], artifacts[-1]
    texts = {(text.split, text.digest) for artifact in artifacts for text in artifact.data}
    different = {
        "settings": _settings(first) != _settings(last),
        "task model": first.model.digest != last.model.digest,
        "test text": len(texts) != len({split for split, _ in texts}),
    }
    for what, differs in different.items():
        if differs:
            raise InputError(
                f"{path} was made with other {what} than {first.result.language} of seed {first.seed}",
                "report them apart: keep each in an experiment of its own",
            )


def _settings(artifact: Evaluation) -> object:
    """The settings that must be the same in all artifacts."""
    made_with = recorded(artifact.recipe)
    return FlareEvaluationResult.settings(made_with) if made_with else artifact.recipe["flare"]


def _facts(study: FlareStudy, artifacts: Sequence[Evaluation]) -> Iterator[tuple[str, str]]:
    first = artifacts[0]
    settings, model = first.recipe["flare"], first.model
    rows = distinct(f"{len(result.gold):,}" for result in study.evaluations.values())
    layers = model.encoder_layers + model.decoder_layers
    yield (
        "Task model",
        f"{model.name}, {millions(model.parameters)} parameters, {layers} layers, "
        f"d = {model.d_model}, {model.digest[:12]}",
    )
    yield "Target languages", ", ".join(study.languages)
    yield "Test text", f"{distinct(text.path for item in artifacts for text in item.data)}, {rows} rows each"
    yield "Metric", f"{study.metric}, 0 to 100"
    yield (
        "Training",
        f"{settings['epochs']} epochs, batches of {settings['batch_size']}, lr {settings['lr']:g}, "
        f"rank {settings['rank']}, texts of at most {settings['max_length']} tokens, "
        f"{first.recipe['run']['precision']}",
    )
    trained = [run for result in study.trainings.values() for run in result.runs if run.translator]
    if trained:
        yield "Translation models", distinct((f"{run.run}: {run.translator}" for run in trained), "; ")
    yield "Seeds", ", ".join(map(str, study.seeds))
    yield "Device", distinct((item.made.device for item in artifacts), "; ")
    yield "Commit", commits(list(artifacts))
    yield "Software", software(list(artifacts))


def _prepared(study: FlareStudy) -> Iterator[PreparedFigure]:
    """The figures that a study allows."""
    for spec in FIGURES:
        try:
            yield spec.prepare(study)
        except InputError:  # the study has none of the runs that it shows
            continue


def _for_pages(study: FlareStudy) -> Iterator[Figure]:
    for prepared in _prepared(study):
        light, dark = (svg(prepared.figure(style=style)) for style in (Style.SCREEN, Style.DARK))
        yield Figure(prepared.caption, light, dark)
