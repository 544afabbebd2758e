"""The figures of an experiment: which artifacts each is drawn from, and what can be drawn at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN, ExperimentFolder, RunFolder
from lslo_cli.artifacts.results import EvaluationResult, IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.plots import curves, maps, scores, text_bars, text_maps
from lslo_cli.plots.style import Style
from lslo_cli.plots.text import TextFigure

FIGURE_3 = ("full", "8-8-8", "2-2-8", "2-2-8-gps0.5", "2-2-8-gps0.9")
"""The runs whose quality by epoch the paper draws."""
LEGIBLE = 8
"""Curves in one panel that a reader can still tell apart."""


@dataclass(frozen=True)
class Sketch:
    """One figure whose data has been read: a name for its file, a caption, and how to draw it."""

    stem: str
    caption: str
    figure: Callable[..., Figure]
    """Takes ``width`` (inches) and ``style``; raises InputError where the data does not allow the figure."""
    text: Callable[[], TextFigure]
    """The same for a terminal."""
    remark: str = ""
    """What a person should know about the data that was used."""


@dataclass(frozen=True)
class Drawn:
    """A figure with its name and caption."""

    stem: str
    caption: str
    figure: Figure
    remark: str = ""


@dataclass(frozen=True)
class Missing:
    """A figure that cannot be drawn, and why."""

    stem: str
    reason: InputError


def figures(folder: ExperimentFolder, style: Style = Style.PAPER) -> dict[str, Figure]:
    """All figures that the artifacts of an experiment allow, by stem, in the order of the paper."""
    return {item.stem: item.figure for item in draw_all(folder, style) if isinstance(item, Drawn)}


def draw_all(
    folder: ExperimentFolder, style: Style = Style.PAPER, **options: float
) -> Iterator[Drawn | Missing]:
    """Every figure in turn, or why it cannot be drawn; ``options`` may hold ``width``, in inches."""
    for stem, make in _everything(folder):
        try:
            sketch = make()
            yield Drawn(sketch.stem, sketch.caption, sketch.figure(style=style, **options), sketch.remark)
        except InputError as error:
            yield Missing(stem, error)


def _everything(folder: ExperimentFolder) -> Iterator[tuple[str, Callable[[], Sketch]]]:
    yield "weights", partial(weights, folder)
    yield "heatmap", partial(heatmap, folder)
    yield "heatmap-by-layer", partial(heatmap, folder, by_layer=True)
    yield "epochs", partial(epochs, [folder])
    yield "matrices", partial(matrices, folder)
    yield "matrices-by-language", partial(matrices, folder, by_language=True)
    yield "schedule", partial(schedule, folder)
    scored = _scored_runs(folder)
    if not scored:
        yield "directions", partial(directions, folder)
    for run in scored:
        yield f"directions-{run.name}", partial(directions, folder, run.name)
    yield "pareto", partial(pareto, folder)


def weights(folder: ExperimentFolder) -> Sketch:
    """Figure 1, from index-strategy.json."""
    result = store.read(folder.index_strategy, IndexStrategyResult).result
    return Sketch(
        "weights",
        "Source and target weights learned for each layer of encoder and decoder (figure 1).",
        partial(curves.weights, result),
        partial(text_bars.weights_text, result),
    )


def heatmap(folder: ExperimentFolder, by_layer: bool = False) -> Sketch:
    """Figure 2, or with ``by_layer`` figure 5, from subspace.json."""
    artifact = store.read(folder.subspace, SubspaceResult)
    languages = [record.language() for record in artifact.languages]
    return Sketch(
        "heatmap-by-layer" if by_layer else "heatmap",
        "How much room each language needs in each kind of matrix, "
        + ("layer by layer (figure 5)." if by_layer else "averaged over layers (figure 2)."),
        partial(maps.heatmap, artifact.result, languages, by_layer=by_layer),
        partial(text_maps.heatmap_text, artifact.result, languages, by_layer=by_layer),
    )


def matrices(folder: ExperimentFolder, by_language: bool = False) -> Sketch:
    """Figure 4, or with ``by_language`` figure 6, from subspace-language.json or else subspace.json."""
    path, remark = folder.language_subspace, ""
    if not path.exists():
        path, remark = folder.subspace, f"no {path}: drawing the cross-language estimate, {folder.subspace}"
    artifact = store.read(path, SubspaceResult)
    languages = [record.language() for record in artifact.languages]
    return Sketch(
        "matrices-by-language" if by_language else "matrices",
        "How much room each matrix of each layer needs, "
        + ("language by language (figure 6)." if by_language else "averaged over languages (figure 4)."),
        partial(maps.matrices, artifact.result, languages, by_language=by_language),
        partial(text_maps.matrices_text, artifact.result, languages, by_language=by_language),
        remark,
    )


def epochs(folders: Sequence[ExperimentFolder], names: Sequence[str] | None = None) -> Sketch:
    """Figure 3, from runs/RUN/training.json of one experiment, or of several such as seeds.

    Without ``names``, of the runs that recorded quality by epoch, or of those in the paper's figure where
    that would be too many to tell apart. Raises InputError where one of several has no run.
    """
    for folder in folders[1:]:
        if not folder.trained_runs():
            raise InputError(f"no training run in {folder.path / 'runs'}", "name an experiment's folder")
    runs = [run for folder in folders for run in _trainings(folder, names)]
    drawn, remark = runs if names else [run for run in runs if run.curve], ""
    recorded = {run.run for run in drawn}
    if not names and len(recorded) > LEGIBLE and recorded & set(FIGURE_3):
        drawn = [run for run in drawn if run.run in FIGURE_3]
        remark = f"{len(recorded)} runs have quality by epoch: drawing those of figure 3; --run names others"
    return Sketch(
        "epochs",
        "spBLEU of groups of directions after each epoch (figure 3).",
        partial(curves.epochs, drawn),
        partial(text_bars.epochs_text, drawn),
        remark,
    )


def schedule(folder: ExperimentFolder, names: Sequence[str] | None = None) -> Sketch:
    """Eq. 4, from runs/RUN/training.json; without ``names``, of the runs that were pruned.

    Raises InputError where none was.
    """
    runs = _trainings(folder, names)
    drawn = runs if names else [run for run in runs if run.target_ratio]
    if not drawn:
        raise InputError(f"no run in {folder.path / 'runs'} was pruned", "train one: lslo train --gps 0.9")
    return Sketch(
        "schedule",
        "The fraction to prune in each epoch (eq. 4), and the zeros counted at the end.",
        partial(curves.schedule, drawn),
        partial(text_bars.schedule_text, drawn),
    )


def directions(folder: ExperimentFolder, name: str | None = None) -> Sketch:
    """Gain of a run, or the latest with scores, over the base model, from their evaluation.json.

    Raises InputError where no trained run has scores.
    """
    scored = _scored_runs(folder)
    if name is None and not scored:
        raise InputError(f"no trained run in {folder.path / 'runs'} has scores", "make them: lslo evaluate")
    run = folder.run(name) if name else scored[-1]
    pair = _evaluation(run), _evaluation(folder.run(BASE_RUN))
    return Sketch(
        f"directions-{run.name}",
        f"What {run.name} gains over the base model in every direction.",
        partial(scores.directions, *pair),
        partial(text_maps.directions_text, *pair),
    )


def pareto(folder: ExperimentFolder) -> Sketch:
    """Trainable parameters against quality, from all runs with scores."""
    evaluations = [_evaluation(run) for run in folder.evaluated_runs()]
    trainings = _trainings(folder)
    return Sketch(
        "pareto",
        "Trainable parameters against average spBLEU.",
        partial(scores.pareto, evaluations, trainings),
        partial(text_bars.pareto_text, evaluations, trainings),
    )


def _scored_runs(folder: ExperimentFolder) -> list[RunFolder]:
    return [run for run in folder.trained_runs() if run.evaluation.is_file()]


def _trainings(folder: ExperimentFolder, names: Sequence[str] | None = None) -> list[TrainingResult]:
    """The named training runs, or all, oldest first."""
    runs = [folder.run(name) for name in names] if names else folder.trained_runs()
    return [store.read(run.training, TrainingResult).result for run in runs]


def _evaluation(run: RunFolder) -> EvaluationResult:
    return store.read(run.evaluation, EvaluationResult).result
