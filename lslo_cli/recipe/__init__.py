"""Recipes: TOML to one frozen object.

Later sources win: the defaults, the environment (``LSLO_MODEL``, ``LSLO_DATA``), what a recipe extends,
the recipe, ``--set``, then flags. What counts is whether a value was given, never whether it is true.
"""

from lslo_cli.recipe.base import BaseSection
from lslo_cli.recipe.files import find_recipe, recipe_folder, recipe_names
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.recipe.reproduce import ReproduceSection, Stage
from lslo_cli.recipe.resolution import ENVIRONMENT, recorded, reopened, resolve
from lslo_cli.recipe.sections import (
    AdaptersSection,
    DataSection,
    EstimateSubspaceSection,
    EvaluateSection,
    FitSection,
    Keep,
    LanguageEntry,
    Method,
    ModelSection,
    Precision,
    PruneTargets,
    Recipe,
    RunSection,
    SearchMode,
    Section,
    TrainSection,
    WeightLearnSection,
)
from lslo_cli.recipe.toml import to_toml

__all__ = [
    "ENVIRONMENT",
    "AdaptersSection",
    "BaseSection",
    "DataSection",
    "EstimateSubspaceSection",
    "EvaluateSection",
    "FitSection",
    "FlareSection",
    "Keep",
    "LanguageEntry",
    "Method",
    "ModelSection",
    "Precision",
    "PruneTargets",
    "Recipe",
    "ReproduceSection",
    "RunSection",
    "SearchMode",
    "Section",
    "Stage",
    "TrainSection",
    "WeightLearnSection",
    "find_recipe",
    "recipe_folder",
    "recipe_names",
    "recorded",
    "reopened",
    "resolve",
    "to_toml",
]
