"""``lslo plot``: every figure from artifacts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from lslo_cli.cli import console
from lslo_cli.cli.flags import takes
from lslo_cli.cli.options import ExperimentOptions
from lslo_cli.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lslo_cli.artifacts.folder import ExperimentFolder, RunFolder
    from lslo_cli.artifacts.results import EvaluationResult, TrainingResult

app = typer.Typer(help="Draw the paper's figures as PNG and PDF from what the pipeline wrote.")


@dataclass(frozen=True, kw_only=True)
class PlotOptions(ExperimentOptions):
    out: Annotated[
        Path | None,
        Option(
            "--out", metavar="FOLDER", help="Where to put the figure; default: the experiment's figures/."
        ),
    ] = None

    def located(self) -> ExperimentFolder:
        """The folder of the experiment these options describe."""
        return self.folder(self.resolve())

    def finish(self, figure: Figure, stem: str, then: str) -> None:
        """Save a figure, print where, and name the command that usually comes next."""
        from lslo_cli import plots

        for path in plots.save(figure, self.out or self.located().figures, stem):
            print(path)
        console.say(f"wrote {stem}.png and {stem}.pdf; next: {self.command(then)}")


@dataclass(frozen=True, kw_only=True)
class HeatmapOptions(PlotOptions):
    by_layer: Annotated[bool, Option("--by-layer", help="One map for each layer (figure 5).")] = False
    text: Annotated[bool, Option("--text", help="Print the map to the terminal instead.")] = False


@dataclass(frozen=True, kw_only=True)
class MatricesOptions(PlotOptions):
    by_language: Annotated[bool, Option("--by-language", help="One map for each language (figure 6).")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class RunOptions(PlotOptions):
    run: Annotated[
        str | None, Option("--run", metavar="NAME", help="The run to draw; default: the latest with scores.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class RunsOptions(PlotOptions):
    run: Annotated[
        list[str] | None,
        Option("--run", metavar="NAME", help="A run to draw. Repeatable; default: all that can be."),
    ] = None


@app.command()
@takes(PlotOptions)
def weights(options: PlotOptions) -> None:
    """Draw source and target weight of every layer.

    Paper: figure 1.
    Reads: index-strategy.json.

    Example: lslo plot weights
    """
    from lslo_cli import plots
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import IndexStrategyResult

    artifact = store.read(options.located().index_strategy, IndexStrategyResult)
    options.finish(plots.weights(artifact.result), "weights", then="plot heatmap")


@app.command()
@takes(HeatmapOptions)
def heatmap(options: HeatmapOptions) -> None:
    """Draw how much room each language needs in each kind of matrix.

    Paper: figure 2; --by-layer is figure 5.
    Reads: subspace.json.

    Example: lslo plot heatmap --by-layer
    """
    from lslo_cli import plots
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import SubspaceResult

    artifact = store.read(options.located().subspace, SubspaceResult)
    languages = [record.language() for record in artifact.languages]
    if options.text:
        print(plots.heatmap_text(artifact.result, languages))
        return
    figure = plots.heatmap(artifact.result, languages, by_layer=options.by_layer)
    options.finish(figure, "heatmap-by-layer" if options.by_layer else "heatmap", then="plot weights")


@app.command()
@takes(MatricesOptions)
def matrices(options: MatricesOptions) -> None:
    """Draw how much room each matrix of each layer needs.

    Paper: figure 4; --by-language is figure 6.
    Reads: subspace-language.json, made by estimate-subspace --pool language;
    without it, subspace.json.

    Example: lslo plot matrices --by-language
    """
    from lslo_cli import plots
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import SubspaceResult

    folder = options.located()
    path = folder.language_subspace
    if not path.exists():
        path = folder.subspace
        console.say(f"no {folder.language_subspace}: drawing the cross-language estimate, {path}")
    artifact = store.read(path, SubspaceResult)
    languages = [record.language() for record in artifact.languages]
    figure = plots.matrices(artifact.result, languages, by_language=options.by_language)
    options.finish(
        figure, "matrices-by-language" if options.by_language else "matrices", then="plot directions"
    )


@app.command()
@takes(RunsOptions)
def epochs(options: RunsOptions) -> None:
    """Draw quality by epoch for each group of directions.

    Paper: figure 3.
    Reads: runs/RUN/training.json of runs trained with --curve-rows.

    Example: lslo plot epochs --run full --run 2-2-8-gps0.9
    """
    from lslo_cli import plots

    runs = trainings(options.located(), options.run)
    drawn = runs if options.run else [run for run in runs if run.curve]
    options.finish(plots.epochs(drawn), "epochs", then="plot matrices")


@app.command()
@takes(RunsOptions)
def schedule(options: RunsOptions) -> None:
    """Draw the fraction that is pruned in each epoch.

    Paper: section 3.2, eq. 4.
    Reads: runs/RUN/training.json of runs trained with --gps.

    Example: lslo plot schedule
    """
    from lslo_cli import plots

    folder = options.located()
    runs = trainings(folder, options.run)
    drawn = runs if options.run else [run for run in runs if run.target_ratio]
    if not drawn:
        raise InputError(f"no run in {folder.path / 'runs'} was pruned", "train one: lslo train --gps 0.9")
    options.finish(plots.schedule(drawn), "schedule", then="plot epochs")


@app.command()
@takes(RunOptions)
def directions(options: RunOptions) -> None:
    """Draw what a run gains over the base model in every direction.

    Paper: the differences of tables 1 and 2, by direction.
    Reads: runs/RUN/evaluation.json and runs/base/evaluation.json.

    Example: lslo plot directions --run 2-2-8-gps0.9
    """
    from lslo_cli import plots
    from lslo_cli.artifacts.folder import BASE_RUN

    folder = options.located()
    scored = [run for run in folder.trained_runs() if run.evaluation.is_file()]
    if options.run is None and not scored:
        raise InputError(f"no trained run in {folder.path / 'runs'} has scores", "make them: lslo evaluate")
    run = folder.run(options.run) if options.run else scored[-1]
    figure = plots.directions(evaluation(run), evaluation(folder.run(BASE_RUN)))
    options.finish(figure, f"directions-{run.name}", then="plot pareto")


@app.command()
@takes(PlotOptions)
def pareto(options: PlotOptions) -> None:
    """Draw trainable parameters against average quality.

    Paper: the #Params and AVG columns of tables 1 and 2.
    Reads: runs/RUN/training.json and runs/RUN/evaluation.json of all runs.

    Example: lslo plot pareto
    """
    from lslo_cli import plots

    folder = options.located()
    evaluations = [evaluation(run) for run in folder.evaluated_runs()]
    options.finish(plots.pareto(evaluations, trainings(folder)), "pareto", then="plot directions")


def trainings(folder: ExperimentFolder, names: Sequence[str] | None = None) -> list[TrainingResult]:
    """The named training runs, or all, oldest first."""
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import TrainingResult

    runs = [folder.run(name) for name in names] if names else folder.trained_runs()
    return [store.read(run.training, TrainingResult).result for run in runs]


def evaluation(run: RunFolder) -> EvaluationResult:
    """The scores of a run."""
    from lslo_cli.artifacts import store
    from lslo_cli.artifacts.results import EvaluationResult

    return store.read(run.evaluation, EvaluationResult).result
