"""The runs of an experiment's seeds, for figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lslo_cli.artifacts.folder import ExperimentFolder

FIGURE_3 = ("full", "8-8-8", "2-2-8", "2-2-8-gps0.5", "2-2-8-gps0.9")
"""The runs of the paper's figure of quality by epoch."""
BEST = FIGURE_3[-1]
"""The paper's best run of rank 8."""

Seeds = Sequence[ExperimentFolder]
"""One folder for each seed of an experiment."""


def in_study_order(names: Iterable[str]) -> list[str]:
    """Names of runs, those of the paper's figure first and the others by name.

    A run's position determines its colour and marker, the same in every figure of a study.
    """
    return sorted(set(names), key=lambda name: (FIGURE_3.index(name) if name in FIGURE_3 else 99, name))


def study_runs(seeds: Seeds) -> list[str]:
    """The names of all runs of any seed, in the order of their marks."""
    runs = (run.name for seed in seeds for run in (*seed.trained_runs(), *seed.evaluated_runs()))
    return in_study_order(runs)


def scored_runs(seeds: Seeds) -> list[str]:
    """The names of the trained runs with scores in any seed, oldest first."""
    runs = (run for seed in seeds for run in seed.trained_runs())
    return list(dict.fromkeys(run.name for run in runs if run.evaluation.is_file()))
