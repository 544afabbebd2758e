"""The figures of a study for a page: each for light and for dark screens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.plots.catalogue import FIGURES
from lslo_cli.plots.files import svg
from lslo_cli.plots.specs import FigureSpec, PreparedFigure
from lslo_cli.plots.style import Style
from lslo_cli.report.document import Figure
from lslo_cli.report.study import Study


def draw(study: Study) -> Iterator[Figure]:
    """Every figure of the list that the artifacts allow, of all seeds together."""
    return for_pages(FIGURES, partial(_prepare, study))


def for_pages(
    specs: Iterable[FigureSpec], prepare: Callable[[FigureSpec], PreparedFigure | None]
) -> Iterator[Figure]:
    """Those figures of a list that the data allow; ``prepare`` returns None or raises InputError if not."""
    for spec in specs:
        try:
            prepared = prepare(spec)
            if prepared is None:
                continue
            light, dark = (svg(prepared.figure(style=style)) for style in (Style.SCREEN, Style.DARK))
        except InputError:
            continue
        yield Figure(prepared.caption, light, dark)


def _prepare(study: Study, spec: FigureSpec) -> PreparedFigure | None:
    """The figure from the seeds that have its artifacts, each from the first of its folders that has them.

    Damaged artifacts were refused when the study was read, so an error here means that one is missing.
    """
    seeds, choices = [], {"metric": study.metric} if spec.scored else {}
    for seed in study.seeds:
        for folder in map(ExperimentFolder, seed.folders):
            try:
                spec.prepare([folder], **choices)
            except InputError:
                continue
            seeds.append(folder)
            break
    return spec.prepare(seeds, **choices) if seeds else None
