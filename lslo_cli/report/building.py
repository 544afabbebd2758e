"""Build one document from studies, and write it in each format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.errors import UsageError
from lslo_cli.method.languages import AVERAGE
from lslo_cli.method.metrics import SPBLEU, metric_named
from lslo_cli.report.correlations import CORRELATION_TABLES, printed_correlation_table
from lslo_cli.report.document import GLOSSARY, DocumentSection, Figure, ReportDocument
from lslo_cli.report.findings import findings, findings_table
from lslo_cli.report.latex import document_as_latex
from lslo_cli.report.markdown import document_as_markdown
from lslo_cli.report.page import document_as_html
from lslo_cli.report.provenance import facts
from lslo_cli.report.quality import other_runs
from lslo_cli.report.scores import SCORE_TABLES, scores_beside_papers
from lslo_cli.report.settings import SETTINGS_TABLE, settings_table
from lslo_cli.report.study import Study, distinct
from lslo_cli.report.summary import summarise
from lslo_cli.report.table import Table
from lslo_cli.report.tidy import document_as_csv
from lslo_cli.wording import counted

PAPERS_BEST = "2-2-8-gps0.9"
"""The paper's best run of rank 8."""

TABLES = tuple(sorted((*SCORE_TABLES, SETTINGS_TABLE, *CORRELATION_TABLES)))
"""The paper's tables of results; 5 and 6 list languages."""


class Format(StrEnum):
    """The format of a report. The value is also the suffix of its files."""

    MARKDOWN = "md"
    LATEX = "tex"
    CSV = "csv"
    HTML = "html"


WRITERS: dict[Format, Callable[[ReportDocument], str]] = {
    Format.MARKDOWN: document_as_markdown,
    Format.LATEX: document_as_latex,
    Format.CSV: document_as_csv,
    Format.HTML: document_as_html,
}


def build(
    studies: Sequence[Study], numbers: Sequence[int] = TABLES, *, figures: bool = False
) -> ReportDocument:
    """The report on studies: findings, the paper's tables beside ours, and other runs.

    ``numbers`` choose among :data:`TABLES`; unless all are chosen, runs outside the tables are left out.
    ``figures`` are drawn from the artifacts, which takes seconds. Raises UsageError for an unknown number.
    """
    for number in numbers:
        if number not in TABLES:
            raise UsageError(
                f"table {number} cannot be reported", f"tables: {', '.join(str(each) for each in TABLES)}"
            )
    sections = tuple(_section(study, numbers, figures) for study in studies)
    return ReportDocument("The paper's tables and ours", sections, GLOSSARY)


def write(document: ReportDocument, form: Format) -> str:
    """The document as text."""
    return WRITERS[form](document)


def _section(study: Study, numbers: Sequence[int], figures: bool) -> DocumentSection:
    experiments = distinct(artifact.experiment for artifact in study.artifacts())
    drawn: tuple[Figure, ...] = ()
    if figures:
        from lslo_cli.report.figures import draw  # matplotlib takes a second to load

        drawn = tuple(draw(study))
    title = f"{experiments}: {study.model.name}, {counted(len(study.languages), 'language')}"
    return DocumentSection(
        title, facts(study), tuple(_tables(study, numbers)), drawn, tuple(_summary(study, numbers))
    )


def _summary(study: Study, numbers: Sequence[int]) -> Iterator[str]:
    """Sentences on the paper's claims, full fine-tuning, the paper's best run and our best."""
    found = Counter(finding.verdict for finding in findings(study, numbers))
    if metric_named(study.metric).higher_is_better and found:
        listed = ", ".join(f"{verdict} ({count})" for verdict, count in found.items())
        yield f"Of the paper's {counted(found.total(), 'claim')}: {listed}."
    scores = {run: study.scores(run, AVERAGE) for run in study.runs() if run != BASE_RUN}
    averages = {run: found.mean for run, found in scores.items() if found}
    if study.metric == SPBLEU and averages:
        best = max(averages, key=lambda run: averages[run])
        told = {BASE_RUN, "full", PAPERS_BEST, best}
        seeds = [
            {run: artifact.result for run, artifact in seed.evaluations.items() if run in told}
            for seed in study.seeds
        ]
        yield from summarise(seeds, BASE_RUN)


def _tables(study: Study, numbers: Sequence[int]) -> Iterator[Table]:
    claims = findings_table(study, numbers)
    if claims.rows and metric_named(study.metric).higher_is_better:
        yield claims
    for number in sorted(set(numbers)):
        if number in SCORE_TABLES:
            yield scores_beside_papers(number, study)
        elif number == SETTINGS_TABLE:
            yield settings_table(study)
        else:
            yield printed_correlation_table(number, study)
    others = other_runs(study)
    if others and set(numbers) == set(TABLES):
        yield others
