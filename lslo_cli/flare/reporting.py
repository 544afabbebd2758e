"""``lslo flare report``: tables and figures from the artifacts of a FLARE experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.lock import write_locked
from lslo_cli.errors import InputError
from lslo_cli.flare.catalogue import FIGURES
from lslo_cli.flare.reading import Evaluation, read_evaluations, study_of
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import flare_tables
from lslo_cli.method.flare import FlareRun
from lslo_cli.plots.files import save, svg
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import Style
from lslo_cli.report import DocumentSection, Figure, ReportDocument
from lslo_cli.report.building import Format, write
from lslo_cli.report.provenance import commits, software
from lslo_cli.report.study import distinct
from lslo_cli.report.table import millions


@dataclass(frozen=True)
class FlareReport:
    """A study with its artifacts, and their folder."""

    folder: ExperimentFolder
    study: FlareStudy
    artifacts: tuple[Evaluation, ...]

    def section(self, with_figures: bool = False) -> DocumentSection:
        """All tables, and with ``with_figures`` all figures, which take seconds to draw."""
        model = self.artifacts[0].model
        languages = len(self.study.languages)
        drawn = tuple(_for_pages(self.folder)) if with_figures else ()
        return DocumentSection(
            f"{self.artifacts[0].experiment}: {self.study.task}, {languages} target languages",
            tuple(_facts(self.study, self.artifacts)),
            tuple(flare_tables(self.study, model)),
            drawn,
        )


def read_report(folder: ExperimentFolder) -> FlareReport:
    """Every evaluation in a folder with its training. Raises InputError as :func:`read_evaluations`."""
    found = read_evaluations([folder])
    return FlareReport(folder, study_of(found), tuple(found.values()))


def document_of_all(folders: Sequence[ExperimentFolder], with_figures: bool = False) -> ReportDocument:
    """Experiments as one document, each a section. Raises InputError as :func:`read_evaluations`."""
    sections = (read_report(folder).section(with_figures) for folder in folders)
    return ReportDocument("FLARE and its baselines", tuple(sections))


def report(folder: ExperimentFolder) -> tuple[ReportDocument, list[Path]]:
    """Write ``report.md`` and the figures, and return the document with the paths written."""
    document, path = write_report(folder)
    figures = (
        save(prepared.figure(style=Style.PAPER), folder.figures, prepared.stem)
        for prepared in _prepared(folder)
    )
    return document, [path, *(path for paths in figures for path in paths)]


def write_report(folder: ExperimentFolder) -> tuple[ReportDocument, Path]:
    """Write ``report.md``, and return the document with its path."""
    document, path = document_of_all([folder]), folder.path / "report.md"
    write_locked(path, write(document, Format.MARKDOWN))
    return document, path


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
    beside = ", with token F1 beside it" if study.has_token_f1 else ""
    yield "Metric", f"{study.metric}, 0 to 100{beside}"
    if len(study.noise) > 1 or study.noise[0] or settings.get("train_noise"):
        shares = ", ".join(f"{share:.0%}" for share in study.noise)
        own = any(FlareRun.parse(run).train_noise is not None for run in study.runs)
        training = f"{settings['train_noise']:.0%} in training" + (
            ", or the share after a run's ~" if own else ""
        )
        yield "Noise in sources", f"{settings['source_noise']}: {shares} of words in tests, {training}"
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


def _prepared(folder: ExperimentFolder) -> Iterator[PreparedFigure]:
    """The figures that an experiment allows."""
    for spec in FIGURES:
        try:
            yield spec.prepare([folder])
        except InputError:  # the study has none of the runs that it shows
            continue


def _for_pages(folder: ExperimentFolder) -> Iterator[Figure]:
    for prepared in _prepared(folder):
        light, dark = (svg(prepared.figure(style=style)) for style in (Style.SCREEN, Style.DARK))
        yield Figure(prepared.caption, light, dark)
