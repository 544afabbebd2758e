"""The settings of ``lslo reproduce``: which runs, shared stages and figures a recipe stands for."""

from __future__ import annotations

from enum import StrEnum

from lslo_cli.recipe.section import Section


class Stage(StrEnum):
    """What an experiment's runs share. The third is the estimate with a pool for every language."""

    WEIGHT_LEARN = "weight-learn"
    ESTIMATE = "estimate-subspace"
    ESTIMATE_LANGUAGE = "estimate-by-language"
    PRUNE_REPORT = "prune-report"


class ReproduceSection(Section):
    """What ``lslo reproduce`` makes of a recipe; with nothing named, the pipeline with the recipe's own run.

    ``runs`` are named by what they train, as ``2-2-8-gps0.9``; ``base`` is the base model as it is.
    ``figures`` are those of ``lslo plot``, by name. The prune report counts the parameters of the
    run ``report_on``, once that is trained.
    """

    runs: tuple[str, ...] = ()
    """What to train and test: base, and runs by what they train, as 2-2-8-gps0.9."""
    stages: tuple[Stage, ...] = ()
    """Stages to make beside those that runs need."""
    figures: tuple[str, ...] = ()
    """Figures to draw, by name."""
    report_on: str | None = None
    """Run whose parameters the prune report counts; without it none."""
