"""The whole method on the built-in world: every stage, baselines beside it, figures and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli import pipeline, plots
from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder
from lslo_cli.artifacts.results import (
    CorrelationRow,
    EvaluationResult,
    IndexStrategyResult,
    PruneReportResult,
    SubspaceResult,
    TrainingResult,
)
from lslo_cli.artifacts.store import replacing
from lslo_cli.errors import UsageError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.languages import Language
from lslo_cli.pipeline import Experiment
from lslo_cli.recipe import resolve
from lslo_cli.tables import markdown, over_seeds, quality_table, spread_table

RECIPE = "demo"
FOLDER = "demo"


@dataclass(frozen=True)
class SeedSummary:
    """What one seed's experiment found: results by run, in the order trained, and what was drawn."""

    seed: int
    folder: Path
    languages: tuple[Language, ...]
    evaluations: list[EvaluationResult]
    trainings: list[TrainingResult]
    correlations: list[CorrelationRow]
    figures: list[Path]


@dataclass(frozen=True)
class DemoSummary:
    """One experiment for each seed. ``study`` is the table over several seeds, None for one."""

    folder: Path
    seeds: list[SeedSummary]
    study: Path | None


def run_demo(
    results: Path, seeds: Sequence[int], runs: Sequence[str], on_event: OnEvent = ignore
) -> DemoSummary:
    """Run the recipe ``demo`` for every seed; what is up to date is kept, so it can be interrupted.

    ``runs`` are named as their folders: ``full``, or ranks with or without pruning, ``2-2-8-gps0.9``. One
    seed lives in ``demo/``, several in ``demo/seed-N/`` with ``study.md`` beside them. Raises UsageError for
    a run that cannot be read.
    """
    folder = results / FOLDER
    several = len(seeds) > 1
    summaries = [
        _run_seed(seed, folder / f"seed-{seed}" if several else folder, runs, on_event) for seed in seeds
    ]
    study = None
    if several:
        study = folder / "study.md"
        with replacing(study) as temporary:
            temporary.write_text(study_text(summaries), encoding="utf-8")
    return DemoSummary(folder, summaries, study)


RUN_NAME = re.compile(
    r"full(?:-lr(?P<lr>[\d.e-]+))?|(?P<ranks>\d+(?:-\d+)*)(?:-gps(?P<gps>\d*\.?\d+))?", flags=re.ASCII
)


def run_settings(name: str) -> dict[str, object]:
    """The recipe keys behind a run's name. Raises UsageError for a name that is not one of the forms."""
    found = RUN_NAME.fullmatch(name)
    if found is None:
        forms = "full, full-lr2e-4, 8-8-8 or 2-2-8-gps0.9"
        raise UsageError(f"cannot read the run '{name}'", f"name runs as {forms}")
    ranks, ratio, rate = found["ranks"], found["gps"], found["lr"]
    settings: dict[str, object] = {"train.method": "full"}
    if ranks:
        settings = {"train.ranks": ranks.replace("-", ",")}
    if ratio:
        settings["train.gps"] = float(ratio)
    if rate:
        settings["fit.lr_full"] = float(rate)
    return settings


def _run_seed(seed: int, path: Path, runs: Sequence[str], on_event: OnEvent) -> SeedSummary:
    folder = ExperimentFolder(path)

    def experiment(**settings: object) -> Experiment:
        recipe = resolve(RECIPE, {"seed": seed, **settings})
        return Experiment(recipe, folder, f"lslo demo --seeds {seed}")

    planned = {name: experiment(**run_settings(name)) for name in runs}
    plain = experiment()
    _tell_if_kept(pipeline.weight_learn(plain, reuse=True, on_event=on_event), on_event)
    _tell_if_kept(pipeline.estimate_subspace(plain, reuse=True, on_event=on_event), on_event)
    trainings = []
    for name, run in planned.items():
        written = pipeline.train(run, run=name, reuse=True, on_event=on_event)
        _tell_if_kept(written, on_event)
        trainings.append(written.artifact.result)
    adapted = [name for name in runs if not name.startswith("full")]
    report = pipeline.prune_report(plain, run=adapted[-1] if adapted else None, on_event=on_event)
    evaluations = pipeline.evaluate(plain, runs=[BASE_RUN, *runs], on_event=on_event)
    languages = plain.recipe.selected_languages()
    result: PruneReportResult = report.artifact.result
    return SeedSummary(
        seed=seed,
        folder=path,
        languages=languages,
        evaluations=[written.artifact.result for written in evaluations],
        trainings=trainings,
        correlations=result.correlations,
        figures=_draw(folder, trainings, languages),
    )


def _tell_if_kept(written: pipeline.Written, on_event: OnEvent) -> None:
    if written.up_to_date:
        on_event(Noted(f"up to date: {written.path}"))


def _draw(
    folder: ExperimentFolder, trainings: list[TrainingResult], languages: Sequence[Language]
) -> list[Path]:
    """Figures 1 to 5 from the artifacts on disk; figure 6 takes a run of its own."""
    strategy = store.read(folder.index_strategy, IndexStrategyResult).result
    subspace = store.read(folder.subspace, SubspaceResult).result
    drawn = {
        "weights": plots.weights(strategy),
        "heatmap": plots.heatmap(subspace, languages),
        "heatmap-by-layer": plots.heatmap(subspace, languages, by_layer=True),
        "epochs": plots.epochs(trainings),
        "matrices": plots.matrices(subspace, languages),
    }
    return [path for stem, figure in drawn.items() for path in plots.save(figure, folder.figures, stem)]


def study_text(summaries: Sequence[SeedSummary]) -> str:
    """The study over several seeds as Markdown: quality with mean and spread, correlations by seed."""
    tables = [quality_table(summary.evaluations, summary.trainings) for summary in summaries]
    combined = over_seeds(tables)
    totals = [
        (summary.seed, row) for summary in summaries for row in summary.correlations if row.kind == "total"
    ]
    lines = [
        f"# The built-in world over {len(summaries)} seeds",
        "",
        f"Seeds {', '.join(str(summary.seed) for summary in summaries)}; metric "
        f"`{summaries[0].evaluations[0].spbleu_signature}`.",
        "",
        markdown(combined),
        "",
        "## Importance score against bitext size, all matrices",
        "",
        "| seed | n | Pearson, log10 bitext | p | Pearson, bitext | p | Spearman | p |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {seed} | {row.n} | {row.pearson_log:.3f} | {row.pearson_log_p:.2g} | {row.pearson:.3f} | "
            f"{row.pearson_p:.2g} | {row.spearman:.3f} | {row.spearman_p:.2g} |"
            for seed, row in totals
            if row.pearson is not None
        ),
        "",
        "## Every seed",
        "",
        *(
            f"Seed {summary.seed}: {markdown(table)}"
            for summary, table in zip(summaries, tables, strict=True)
        ),
        "## Spread",
        "",
        markdown(spread_table(combined)),
    ]
    return "\n".join(lines)
