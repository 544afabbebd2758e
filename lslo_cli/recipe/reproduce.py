"""The settings of ``lslo reproduce``: the runs, shared stages and figures of a recipe."""

from __future__ import annotations

from enum import StrEnum

from lslo_cli.recipe.section import Section


class Stage(StrEnum):
    """The shared stages of an experiment. ESTIMATE_LANGUAGE is the estimate with one pool per language."""

    WEIGHT_LEARN = "weight-learn"
    ESTIMATE = "estimate-subspace"
    ESTIMATE_LANGUAGE = "estimate-by-language"
    PRUNE_REPORT = "prune-report"


class ReproduceSection(Section):
    """The work of ``lslo reproduce``; by default, the pipeline with the recipe's own run.

    ``runs`` are named by their settings, as ``2-2-8-gps0.9``; ``base`` is the base model itself. ``figures``
    are those of ``lslo plot``, by name. The prune report counts the parameters of the run ``report_on`` once
    that is trained.
    """

    runs: tuple[str, ...] = ()
    """Runs to train and test: base, and runs named by their settings, as 2-2-8-gps0.9."""
    stages: tuple[Stage, ...] = ()
    """Stages to run beside those that the runs need."""
    figures: tuple[str, ...] = ()
    """Figures to draw, by name."""
    report_on: str | None = None
    """Run whose parameters the prune report counts; default: none."""
