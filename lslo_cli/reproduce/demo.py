"""The whole method on the built-in world: reproduce the recipe ``demo``, and summarise the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder
from lslo_cli.artifacts.lock import write_locked
from lslo_cli.artifacts.results import CorrelationRow, PruneReportResult, TrainingResult
from lslo_cli.events import OnEvent, ignore
from lslo_cli.report.building import TABLES, Format, build, write
from lslo_cli.report.markdown import markdown
from lslo_cli.report.quality import quality_table
from lslo_cli.report.reading import read_studies
from lslo_cli.report.seeds import over_seeds, spread_table
from lslo_cli.reproduce import Job, JobKind, Target, execute, find_targets, jobs_of

RECIPE = "demo"


@dataclass(frozen=True)
class SeedSummary:
    """The results of one seed's experiment by run, in the order trained, and its figures."""

    seed: int
    folder: Path
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
    report: Path
    """Tables and figures in one HTML file."""


def run_demo(
    results: Path,
    seeds: Sequence[int],
    runs: Sequence[str] = (),
    processes: int = 1,
    command: str = "lslo demo",
    on_event: OnEvent = ignore,
) -> DemoSummary:
    """Run the recipe ``demo`` for every seed; a repeated call skips jobs that are up to date.

    ``runs`` replace those of the recipe's ``[reproduce]``, in the same form. ``seeds`` go to
    ``demo/seed-N/``, several beside ``study.md``, and without any the recipe's seed goes to ``demo/``;
    ``demo/report.html`` has the tables and figures of all.
    Raises UsageError for a run's name that cannot be parsed.
    """
    (target,) = find_targets([RECIPE])
    if runs:
        wanted = target.wanted.model_copy(update={"runs": (BASE_RUN, *runs)})
        target = Target(target.name, wanted, target.recipe_name)
    jobs = jobs_of([target], results, seeds, command, on_event)
    execute(jobs, processes, on_event)
    by_folder: dict[Path, list[Job]] = {}
    for job in jobs.values():
        by_folder.setdefault(job.experiment.folder.path, []).append(job)
    summaries = [_summary(made) for made in by_folder.values()]
    folder = results / target.recipe().experiment
    study = None
    if len(seeds) > 1:
        study = folder / "study.md"
        write_locked(study, study_text(summaries))
    report = folder / "report.html"
    write_locked(report, write(build(read_studies([folder]), TABLES, figures=True), Format.HTML))
    return DemoSummary(folder, summaries, study, report)


def _summary(jobs: Sequence[Job]) -> SeedSummary:
    """The results of the jobs of one seed."""
    experiment = jobs[0].experiment
    folder: ExperimentFolder = experiment.folder
    runs = [folder.run(job.name) for job in jobs if job.kind is JobKind.RUN]
    trained = [run for run in runs if run.name != BASE_RUN]
    report = store.read(folder.prune_report, PruneReportResult).result
    figures = [job.name for job in jobs if job.kind is JobKind.FIGURE]
    return SeedSummary(
        seed=experiment.recipe.seed,
        folder=folder.path,
        evaluations=[store.read(run.evaluation, EvaluationResult).result for run in runs],
        trainings=[store.read(run.training, TrainingResult).result for run in trained],
        correlations=report.correlations,
        figures=[folder.figures / f"{name}.{kind}" for name in figures for kind in ("png", "pdf")],
    )


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
        f"`{summaries[0].evaluations[0].metric().signature}`.",
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
