"""The figures of a study for a page: each for light and for dark screens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lslo_cli.artifacts.folder import ExperimentFolder
from lslo_cli.errors import InputError
from lslo_cli.plots import Sketch, Style, sketches, svg
from lslo_cli.report import Figure, SeedResults, Study

CURVES = ("full", "8-8-8", "2-2-8", "2-2-8-gps0.5", "2-2-8-gps0.9")
"""The runs of the paper's figure 3."""
BEST = "2-2-8-gps0.9"


def draw(study: Study) -> Iterator[Figure]:
    """The paper's figures, the schedule, what the best run gains by direction, and parameters against score.

    All are of the first seed, which captions say where there are several. What the artifacts do not allow is
    left out.
    """
    seed = study.seeds[0]
    several = f" Seed {seed.seed}." if len(study.seeds) > 1 else ""
    for make in _sketches(seed):
        sketch = _first(make, seed.folders)
        if sketch is None:
            continue
        try:
            light, dark = (svg(sketch.figure(style=style)) for style in (Style.SCREEN, Style.DARK))
        except InputError:  # its data does not allow this figure
            continue
        yield Figure(sketch.caption + several, light, dark)


def _sketches(seed: SeedResults) -> Iterator[Callable[[ExperimentFolder], Sketch]]:
    yield sketches.weights
    yield sketches.heatmap
    yield partial(_curves, seed)
    yield sketches.matrices
    yield partial(sketches.heatmap, by_layer=True)
    yield partial(sketches.matrices, by_language=True)
    yield sketches.schedule
    yield partial(sketches.directions, name=BEST if BEST in seed.evaluations else None)
    yield sketches.pareto


def _curves(seed: SeedResults, folder: ExperimentFolder) -> Sketch:
    recorded = [run for run, artifact in seed.trainings.items() if artifact.result.curve]
    chosen = [run for run in CURVES if run in recorded and folder.run(run).training.exists()]
    return sketches.epochs([folder], chosen or None)


def _first(make: Callable[[ExperimentFolder], Sketch], folders: tuple[Path, ...]) -> Sketch | None:
    """The figure from the first folder that has what it takes."""
    for folder in folders:
        try:
            return make(ExperimentFolder(folder))
        except InputError:  # damaged artifacts were refused when the study was read, so this one is absent
            continue
    return None
