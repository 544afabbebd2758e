"""``lslo flare report``: tables and figures from the artifacts of a FLARE experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.artifacts.lock import write_locked
from lslo_cli.flare.catalogue import FIGURES
from lslo_cli.flare.reading import Evaluation, Training, read_artifacts
from lslo_cli.flare.study import FlareStudy
from lslo_cli.flare.tables import flare_tables
from lslo_cli.method.flare import FlareRun, Translated
from lslo_cli.plots.catalogue import DrawnFigure, draw_all
from lslo_cli.plots.files import save
from lslo_cli.plots.style import Style
from lslo_cli.report.building import Format, write
from lslo_cli.report.document import DocumentSection, ReportDocument
from lslo_cli.report.figures import for_pages
from lslo_cli.report.provenance import commits, software
from lslo_cli.report.study import distinct
from lslo_cli.report.table import millions
from lslo_cli.wording import counted

AS_PUBLISHED = "as published"


def document_of_all(folders: Sequence[ExperimentFolder], with_figures: bool = False) -> ReportDocument:
    """Experiments as one document, each a section. Raises InputError as :func:`read_artifacts`."""
    sections = (_section(folder, with_figures) for folder in folders)
    return ReportDocument("FLARE and its baselines", tuple(sections))


def _section(folder: ExperimentFolder, with_figures: bool) -> DocumentSection:
    """All tables, and with ``with_figures`` all figures, which take seconds to draw."""
    found = read_artifacts([folder])
    study, evaluations = found.study, tuple(found.evaluations.values())
    first = evaluations[0]
    return DocumentSection(
        f"{first.experiment}: {study.task}, {len(study.languages)} target languages",
        tuple(_facts(study, evaluations, tuple(found.trainings.values()))),
        tuple(flare_tables(study, first.model)),
        tuple(for_pages(FIGURES, lambda spec: spec.prepare([folder]))) if with_figures else (),
    )


def report(folder: ExperimentFolder) -> tuple[ReportDocument, list[Path]]:
    """Write ``report.md`` and the figures, and return the document with the paths written."""
    document, path = write_report(folder)
    drawn = draw_all([folder], Style.PAPER, FIGURES)
    figures = (
        save(item.figure, folder.figures, item.stem) for item in drawn if isinstance(item, DrawnFigure)
    )
    return document, [path, *(path for paths in figures for path in paths)]


def write_report(folder: ExperimentFolder) -> tuple[ReportDocument, Path]:
    """Write ``report.md``, and return the document with its path."""
    document, path = document_of_all([folder]), folder.path / "report.md"
    write_locked(path, write(document, Format.MARKDOWN))
    return document, path


def _facts(
    study: FlareStudy, artifacts: Sequence[Evaluation], trainings: Sequence[Training]
) -> Iterator[tuple[str, str]]:
    first, trained_with = artifacts[0], trainings[0].recipe
    settings, model = trained_with["flare"], first.model
    rows = distinct(f"{len(result.gold):,}" for result in study.evaluations.values())
    layers = model.encoder_layers + model.decoder_layers
    yield (
        "Task model",
        f"{model.name}, {millions(model.parameters)} parameters, {layers} layers, "
        f"d = {model.d_model}, {model.digest[:12]}",
    )
    yield "Target languages", ", ".join(study.languages)
    paths = distinct(text.path for item in artifacts for text in item.data)
    yield "Test text", f"{paths}, {rows} rows each{_left_out(artifacts, Translated.TEST)}"
    yield "Sources", _origin(artifacts, Translated.TEST)
    trained_on, left_out = _origin(trainings, Translated.TRAIN), _left_out(trainings, Translated.TRAIN)
    if trained_on != AS_PUBLISHED or left_out:
        yield "Training text", f"{trained_on}{left_out}"
    beside = ", with token F1 beside it" if study.has_token_f1 else ""
    yield "Metric", f"{study.metric}, 0 to 100{beside}"
    if len(study.noise) > 1 or study.noise[0] or settings.get("train_noise"):
        shares = ", ".join(f"{share:.0%}" for share in study.noise)
        own = any(FlareRun.parse(run).train_noise is not None for run in study.runs)
        training = f"{settings['train_noise']:.0%} in training" + (
            ", or the share after a run's ~" if own else ""
        )
        kind = first.recipe["flare"]["source_noise"]
        yield "Noise in sources", f"{kind}: {shares} of words in tests, {training}"
    yield (
        "Training",
        f"{settings['epochs']} epochs, batches of {settings['batch_size']}, lr {settings['lr']:g}, "
        f"rank {settings['rank']}, texts of at most {settings['max_length']} tokens, "
        f"{trained_with['run']['precision']}",
    )
    if tuning := _tuning(settings):
        yield "Tuning on the source language", tuning
    trained = [run for result in study.trainings.values() for run in result.runs if run.translator]
    if trained:
        yield "Translation models", distinct((f"{run.run}: {run.translator}" for run in trained), "; ")
    yield "Seeds", ", ".join(map(str, study.seeds))
    yield "Device", distinct((item.made.device for item in artifacts), "; ")
    yield "Commit", commits(list(artifacts))
    yield "Software", software(list(artifacts))


def _tuning(settings: Mapping[str, Any]) -> str:
    """The settings of tuning on the source language that are not those of training; empty if none is."""
    epochs, lr = (settings.get(f"english_{key}") for key in ("epochs", "lr"))
    return ", ".join(([f"{epochs} epochs"] if epochs else []) + ([f"lr {lr:g}"] if lr else []))


def _origin(artifacts: Sequence[Evaluation | Training], side: Translated) -> str:
    """The origin of the texts that may be translations: the sources of tests, the targets of training."""
    origins = {
        split: origin
        for item in artifacts
        for split, origin in item.result.translations.items()
        if split.endswith(f"/{side}")
    }
    if not origins:
        is_translated = side in artifacts[0].recipe["flare"].get("translated", ())
        return "machine translations, whose translator is not recorded" if is_translated else AS_PUBLISHED
    one, kept = next(iter(origins.values())), sum(origin.rows for origin in origins.values())
    every = kept + sum(origin.lost for origin in origins.values())
    return (
        f"translated by {one.translator}; {kept:,} of {every:,} rows kept "
        f"in {counted(len(origins), 'language')}"
    )


def _left_out(artifacts: Sequence[Evaluation | Training], side: Translated) -> str:
    """How many questions of all languages lack an answer or a translation; empty if none does."""
    texts = {text.split: text for item in artifacts for text in item.data if text.split.endswith(f"/{side}")}
    every = sum(text.rows for text in texts.values())
    lost = every - sum(text.examples for text in texts.values())
    return f"; {lost:,} of {every:,} left out, without an answer in both texts" if lost else ""
