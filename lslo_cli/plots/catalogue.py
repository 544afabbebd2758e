"""The list of figures of an experiment: ``lslo plot``, ``lslo report`` and ``lslo reproduce`` iterate it.

An entry names the function that prepares its figure: given the folders of an experiment's seeds, and if the
entry says so the names of runs, it returns a :class:`~lslo_cli.plots.specs.PreparedFigure`. The list itself
loads neither matplotlib nor pydantic, so that the command line starts fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.plots.runs import Seeds, scored_runs
from lslo_cli.plots.specs import FigureSpec, RunChoice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lslo_cli.plots.style import Style

COUNTS = "Entries of B, as in the paper, instead of percentage points of a matrix."

FIGURES = (
    FigureSpec(
        name="weights",
        summary="Draw source and target weight of every layer.",
        source="lslo_cli.plots.curves:prepare_weights",
        paper="figure 1",
        reads=("index-strategy",),
    ),
    FigureSpec(
        name="heatmap",
        summary="Draw the parameter demand of each language in each kind of matrix.",
        source="lslo_cli.plots.maps:prepare_heatmap",
        paper="figure 2",
        reads=("subspace",),
        flags={"counts": COUNTS},
    ),
    FigureSpec(
        name="heatmap-by-layer",
        summary="Draw the parameter demand of each language, one map for each layer.",
        source="lslo_cli.plots.maps:prepare_heatmap_by_layer",
        paper="figure 5",
        reads=("subspace",),
        flags={"counts": COUNTS},
    ),
    FigureSpec(
        name="epochs",
        summary="Draw quality by epoch for each group of directions.",
        source="lslo_cli.plots.curves:prepare_epochs",
        paper="figure 3",
        reads=("training",),
        hint="of runs trained with --curve-rows",
        runs=RunChoice.SEVERAL,
    ),
    FigureSpec(
        name="matrices",
        summary="Draw the parameter demand of each matrix of each layer.",
        source="lslo_cli.plots.maps:prepare_matrices",
        paper="figure 4",
        reads=("subspace-language", "subspace"),
        hint="the first is made by estimate-subspace --pool language",
        flags={"counts": COUNTS},
    ),
    FigureSpec(
        name="matrices-by-language",
        summary="Draw the parameter demand of each matrix of each layer, one map for each language.",
        source="lslo_cli.plots.maps:prepare_matrices_by_language",
        paper="figure 6",
        reads=("subspace-language", "subspace"),
        hint="the first is made by estimate-subspace --pool language",
        flags={"counts": COUNTS},
    ),
    FigureSpec(
        name="relatives",
        summary="Draw how similar the updates of languages are, as a matrix and a tree.",
        source="lslo_cli.plots.similarity:prepare_relatives",
        reads=("subspace",),
    ),
    FigureSpec(
        name="schedule",
        summary="Draw the fraction that is pruned in each epoch.",
        source="lslo_cli.plots.curves:prepare_schedule",
        paper="section 3.2, eq. 4",
        reads=("training",),
        hint="of runs trained with --gps",
        runs=RunChoice.SEVERAL,
    ),
    FigureSpec(
        name="directions",
        summary="Draw the gain of a run over the base model in every direction.",
        source="lslo_cli.plots.scores:prepare_directions",
        paper="the differences of tables 1 and 2, by direction",
        reads=("evaluation",),
        hint="of the run and of the base model",
        runs=RunChoice.ONE,
        scored=True,
    ),
    FigureSpec(
        name="pareto",
        summary="Draw trainable parameters against average quality.",
        source="lslo_cli.plots.scores:prepare_pareto",
        paper="the #Params and AVG columns of tables 1 and 2",
        reads=("evaluation",),
        hint="of all runs, and their training.json",
        runs=RunChoice.SEVERAL,
        scored=True,
    ),
)


@dataclass(frozen=True)
class DrawnFigure:
    """A figure with its name and caption."""

    stem: str
    caption: str
    figure: Figure
    remark: str = ""


@dataclass(frozen=True)
class MissingFigure:
    """A figure that cannot be drawn, and why."""

    stem: str
    reason: InputError


def figure_named(name: str, among: Sequence[FigureSpec] = FIGURES) -> FigureSpec:
    """The entry of that name in a list. Raises UsageError for another name, with the nearest known one."""
    known = {spec.name: spec for spec in among}
    if name not in known:
        raise UsageError(
            f"there is no figure '{name}'.{nearest(name, known)}", f"figures: {', '.join(known)}"
        )
    return known[name]


def figures(folder: ExperimentFolder, style: Style | None = None) -> dict[str, Figure]:
    """All figures that the artifacts of an experiment allow, by stem, in the order of the paper."""
    drawn = draw_all(folder.seeds(), style)
    return {item.stem: item.figure for item in drawn if isinstance(item, DrawnFigure)}


def draw_all(
    seeds: Seeds, style: Style | None = None, of: Sequence[FigureSpec] = FIGURES, **options: Any
) -> Iterator[DrawnFigure | MissingFigure]:
    """Every figure of a list in turn, or why it cannot be drawn; ``options`` may hold ``width`` (inches).

    A figure of one run is drawn for every scored run.
    """
    if style is not None:
        options["style"] = style
    for spec in of:
        scored = scored_runs(seeds) if spec.runs is RunChoice.ONE else []
        for runs in [[name] for name in scored] or [[]]:
            try:
                prepared = spec.prepare(seeds, *([runs] if runs else []))
                figure = prepared.figure(**options)
            except InputError as error:
                yield MissingFigure("-".join([spec.name, *runs]), error)
            else:
                yield DrawnFigure(prepared.stem, prepared.caption, figure, prepared.remark)
