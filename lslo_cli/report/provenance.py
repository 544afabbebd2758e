"""The provenance of a study's numbers, in words: for the head of a report and below each table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lslo_cli.artifacts.schema import Artifact
from lslo_cli.report.comparability import signature, tested_text
from lslo_cli.report.study import Study, differing, distinct
from lslo_cli.report.table import millions

FIT_SHOWN = ("epochs", "lr", "lr_full", "warmup", "label_smoothing", "dropout", "max_tokens", "accumulate")


def dates(artifacts: Sequence[Artifact[Any]]) -> str:
    """The days on which artifacts were made, the first and the last."""
    days = sorted(artifact.made.started[:10] for artifact in artifacts)
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def facts(study: Study) -> tuple[tuple[str, str], ...]:
    """The facts common to all tables of a study, by name."""
    artifacts = study.artifacts()
    model = study.model
    shape = f"{model.encoder_layers}+{model.decoder_layers} layers, d = {model.d_model}"
    searches = [run.result.search for run in study.evaluations]
    found = (
        (
            "Base model",
            f"{model.name}, {millions(model.parameters)} parameters, {shape}, {model.digest[:12]}",
        ),
        ("Languages", ", ".join(language.code for language in study.languages)),
        ("Training text", _training_text(study)),
        ("Test text", tested_text(study)),
        ("Metric", f"{study.metric}, {signature(study)}" if study.evaluations else ""),
        ("Search", distinct(f"beam {search.get('beam')}, {search.get('mode')}" for search in searches)),
        ("Training", training_settings(study)),
        ("Adapters", adapter_settings(study)),
        ("Made", dates(artifacts)),
        ("Seeds", distinct(seed.seed for seed in study.seeds)),
        ("Device", distinct((artifact.made.device for artifact in artifacts), "; ")),
        ("Commit", commits(artifacts)),
        ("Software", software(artifacts)),
        ("Folders", distinct(folder.as_posix() for seed in study.seeds for folder in seed.folders)),
    )
    return tuple((name, value) for name, value in found if value)


def made_by(study: Study, artifacts: list[Artifact]) -> str:
    """Seeds, device and commit of some of a study's artifacts, for the note of a table."""
    if not artifacts:
        return ""
    seeds = sorted({artifact.seed for artifact in artifacts})
    named = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(str(seed) for seed in seeds)}"
    device = distinct((artifact.made.device for artifact in artifacts), "; ")
    return f"{named}; {device}; commit {commits(artifacts)}"


def commits(artifacts: list[Artifact]) -> str:
    """The commits that made artifacts; uncommitted changes are mentioned."""

    def named(artifact: Artifact) -> str:
        if artifact.made.commit is None:
            return f"lslo {artifact.made.version}, not from a checkout"
        return artifact.made.commit[:7] + (" with changes" if artifact.made.dirty else "")

    return distinct(named(artifact) for artifact in artifacts)


def software(artifacts: list[Artifact]) -> str:
    """lslo, Python, and the packages that numbers depend on."""
    made = [artifact.made for artifact in artifacts]
    parts = [("lslo", distinct(item.version for item in made)), ("python", distinct(i.python for i in made))]
    parts += [
        (name, distinct(item.packages.get(name) for item in made))
        for name in ("torch", "transformers", "sacrebleu")
    ]
    return "; ".join(f"{name} {versions}" for name, versions in parts if versions)


def training_settings(study: Study) -> str:
    """The settings that all trained runs share, and which keys differ between them."""
    trained = [artifact.recipe for seed in study.seeds for artifact in seed.trainings.values()]
    if not trained:
        return ""
    different = differing(trained, "fit")
    shared = [
        f"{name} {value}"
        for name in FIT_SHOWN
        if (value := trained[0].get("fit", {}).get(name)) is not None and f"fit.{name}" not in different
    ]
    said = [", ".join(shared)] + ([f"different between runs: {', '.join(different)}"] if different else [])
    return "; ".join(said)


def adapter_settings(study: Study) -> str:
    """How A started, and which feed-forward units adapters span."""
    trained = [a for seed in study.seeds for a in seed.trainings.values() if a.result.ranks]
    starts = distinct(a.recipe["adapters"]["initialisation"] for a in trained)
    spans = distinct(a.result.span for a in trained)
    return f"initialisation {starts}, span {spans}" if trained else ""


def _training_text(study: Study) -> str:
    trained = [artifact for seed in study.seeds for artifact in seed.trainings.values()]
    return distinct(
        f"{text.path} {text.split}, {text.rows:,} rows, {text.examples:,} pairs"
        for artifact in trained
        for text in artifact.data[:1]  # the others are samples for curves
    )
