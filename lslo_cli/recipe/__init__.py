"""Recipes: TOML to one frozen object.

Later sources win: the defaults, the environment (``LSLO_MODEL``, ``LSLO_DATA``), the recipe that a recipe
extends, the recipe, the settings given to earlier commands of the experiment, those of the run that
``--settings-of`` names, ``--set``, then flags. A given value counts even if it is zero or empty.
"""

from lslo_cli.artifacts.folder import MEMORY_FILE
from lslo_cli.recipe.base import BaseSection
from lslo_cli.recipe.files import find_recipe, has_settings, recipe_folder, recipe_names
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.recipe.memory import CHOOSING, Memory, last_experiment, leaves, read_memory
from lslo_cli.recipe.recipe import NAME_LENGTH, Recipe
from lslo_cli.recipe.reproduce import ReproduceSection, Stage
from lslo_cli.recipe.resolution import (
    as_assigned,
    assigned_keys,
    given_now,
    given_values,
    placed,
    recorded,
    reopened,
    resolve,
    with_values,
)
from lslo_cli.recipe.sections import (
    Classes,
    DataSection,
    Device,
    EvaluateSection,
    FitSection,
    Keep,
    LanguageEntry,
    Method,
    ModelSection,
    Precision,
    PruneTargets,
    RunSection,
    SearchMode,
    Tracker,
    TrainSection,
)
from lslo_cli.recipe.slurm import SlurmResources
from lslo_cli.recipe.toml import to_toml

__all__ = [
    "CHOOSING",
    "MEMORY_FILE",
    "NAME_LENGTH",
    "BaseSection",
    "Classes",
    "DataSection",
    "Device",
    "EvaluateSection",
    "FitSection",
    "FlareSection",
    "Keep",
    "LanguageEntry",
    "Memory",
    "Method",
    "ModelSection",
    "Precision",
    "PruneTargets",
    "Recipe",
    "ReproduceSection",
    "RunSection",
    "SearchMode",
    "SlurmResources",
    "Stage",
    "Tracker",
    "TrainSection",
    "as_assigned",
    "assigned_keys",
    "find_recipe",
    "given_now",
    "given_values",
    "has_settings",
    "last_experiment",
    "leaves",
    "placed",
    "read_memory",
    "recipe_folder",
    "recipe_names",
    "recorded",
    "reopened",
    "resolve",
    "to_toml",
    "with_values",
]
