"""Recipes: TOML to one frozen object. The only place with default values.

Later sources win: the defaults below, the environment (``LSLO_MODEL``, ``LSLO_DATA``), the recipe and
what it extends, then flags. What counts is whether a value was given, never whether it is true.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import LANGUAGES, Language, Resource, resolve_languages
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import SiteSet

Ratio = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Method(StrEnum):
    """What ``lslo train`` trains: routed adapters, all parameters, or one LoRA shared by all languages."""

    LSLO = "lslo"
    FULL = "full"
    LORA = "lora"


class PruneTargets(StrEnum):
    """Which matrices gradual pruning prunes while training. The paper leaves it open; section 3.2 reads as both."""

    BOTH = "both"
    B = "B"


class SearchMode(StrEnum):
    """Beam search with fairseq's semantics, as the paper's scores were made, or transformers' own."""

    FAIRSEQ = "fairseq"
    PLAIN = "plain"


class Precision(StrEnum):
    """Arithmetic of the forward pass; adapters, loss and optimiser stay in float32."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class Section(BaseModel):
    """A part of a recipe: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LanguageEntry(Section):
    """A language outside the paper's tables, or one of them described anew."""

    resource: Resource
    family: str = ""
    bitext: int | None = Field(None, ge=1)


class ModelSection(Section):
    """The base model: ``world``, a folder, or a hub id."""

    name: str = "VityaVitalich/flores101_mm100_615M"
    revision: str | None = None


class DataSection(Section):
    """Parallel text: ``world`` or a path, and which split serves which purpose; "" is text without splits."""

    path: str = "data/flores101"
    train: str = "dev"
    test: str = "devtest"
    train_rows: int | None = Field(None, ge=1)
    test_rows: int | None = Field(None, ge=1)
    temperature: Positive = 5.0
    max_length: Count = 256


class FitSection(Section):
    """Optimisation, shared by all stages that train. The defaults are the authors' settings."""

    epochs: Count = 15
    lr: Positive = 3e-3
    lr_full: Positive = 1e-4
    warmup: Count = 1
    beta1: Probability = 0.9
    beta2: Probability = 0.98
    clip_norm: float = Field(0.0, ge=0)
    label_smoothing: Probability = 0.2
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    activation_dropout: Probability = 0.0
    max_tokens: Count = 4000
    accumulate: Count = 4


class WeightLearnSection(Section):
    """Weight learning (section 4.1). ``epochs`` None means those of ``[fit]``."""

    rank: Count = 8
    epochs: int | None = Field(None, ge=1)


class EstimateSubspaceSection(Section):
    """Intrinsic subspace estimation (sections 4.2 and 7.3; settings of table 7). ``index`` as in ``[train]``."""

    rank: Count = 8
    index: str | None = None
    epochs: int | None = Field(None, ge=1)
    target_ratio: Ratio = 0.7
    start_epoch: int = Field(2, ge=0)
    duration: Count = 8
    pool: Pool = Pool.LAYER
    mean_rank: Positive = 4.0


class TrainSection(Section):
    """The final fine-tuning run (section 6.3).

    ``index`` is learned, paper, source, target or a file; None is the learned one where it has been
    learned and else the paper's. ``ranks`` is 2,2,8 or en=2,wo=16 or auto; None is the estimated rank map
    where there is one and else 2 for high and medium, 8 for the rest. ``curve_rows`` sentences per
    direction are scored after each epoch; 0 is none.
    """

    method: Method = Method.LSLO
    ranks: str | None = None
    index: str | None = None
    sites: SiteSet = SiteSet.ALL
    gps: Ratio = 0.0
    gps_start: int = Field(2, ge=0)
    gps_duration: Count = 8
    gps_classes: tuple[Resource, ...] = (Resource.HIGH, Resource.MEDIUM)
    prune_targets: PruneTargets = PruneTargets.BOTH
    curve_rows: int = Field(0, ge=0)
    curve_groups: tuple[str, ...] = ("H2H", "V2V")


class EvaluateSection(Section):
    """Translation and scoring. ``metric_model`` is a sentencepiece model to use where spBLEU's own is absent."""

    beam: Count = 5
    mode: SearchMode = SearchMode.FAIRSEQ
    length_penalty: float = 1.0
    max_new_tokens: Count = 200
    max_tokens: Count = 12_000
    metric_model: str | None = None
    directions: tuple[str, ...] = ()


class BaseSection(Section):
    """Training a base model from scratch (``lslo base train``): its vocabulary, shape and optimisation.

    An epoch here is ``updates`` optimiser steps, however large the corpus: the grain of validation and of
    resuming. ``held_out`` rows of each section are kept for validation.
    """

    vocabulary: Count = 8000
    encoder_layers: Count = 6
    decoder_layers: Count = 6
    d_model: Count = 512
    ffn_dim: Count = 2048
    heads: Count = 8
    dropout: Probability = 0.1
    epochs: Count = 40
    updates: Count = 500
    lr: Positive = 1e-3
    warmup: Count = 1000
    clip_norm: float = Field(1.0, ge=0)
    label_smoothing: Probability = 0.1
    max_tokens: Count = 4000
    accumulate: Count = 1
    temperature: Positive = 5.0
    max_length: Count = 128
    held_out: Count = 100
    dtype: str = Field("float16", pattern="^(float32|float16|bfloat16)$")


class RunSection(Section):
    """Where and how a run computes."""

    device: str = "auto"
    precision: Precision = Precision.FP32
    threads: int | None = Field(None, ge=1)


class Recipe(Section):
    """Everything an experiment depends on."""

    name: str | None = None
    description: str = ""
    seed: int = 2
    langs: str | tuple[str, ...] = "lang12"
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    fit: FitSection = FitSection()
    weight_learn: WeightLearnSection = WeightLearnSection()
    estimate_subspace: EstimateSubspaceSection = EstimateSubspaceSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    base: BaseSection = BaseSection()
    run: RunSection = RunSection()

    @property
    def experiment(self) -> str:
        """The name of the experiment's folder: the recipe's, or that of the language set."""
        return self.name or (self.langs if isinstance(self.langs, str) else "-".join(self.langs)).replace(",", "-")

    def known_languages(self) -> dict[str, Language]:
        """The paper's languages, the built-in world's, and those this recipe describes."""
        from lslo_cli.world import WORLD

        described = {
            code: Language(code, entry.resource, entry.family, entry.bitext) for code, entry in self.languages.items()
        }
        return {**LANGUAGES, **WORLD, **described}

    def selected_languages(self) -> tuple[Language, ...]:
        """The languages of the experiment. Raises UsageError for an unknown code."""
        return resolve_languages(self.langs, self.known_languages())

    def estimation_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of subspace estimation."""
        stage = self.estimate_subspace
        epochs = stage.epochs or self.fit.epochs
        return GradualPruning(stage.target_ratio, stage.start_epoch, stage.duration, epochs)

    def training_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of the final fine-tuning run."""
        return GradualPruning(self.train.gps, self.train.gps_start, self.train.gps_duration, self.fit.epochs)


ENVIRONMENT = {"LSLO_MODEL": "model.name", "LSLO_DATA": "data.path"}
"""Variables that set a default for a machine, and the key each sets."""


def resolve(recipe: str | None = None, given: Mapping[str, Any] | None = None, assignments: Sequence[str] = ()) -> Recipe:
    """Build a recipe from a name or path, values by dotted key, and ``key=value`` assignments.

    ``given`` holds only what the user gave: a None in it is left out. Raises UsageError for an unknown
    key or an unfit value, naming the key, and InputError for a recipe that is missing or not TOML.
    """
    values: dict[str, Any] = {}
    for variable, key in ENVIRONMENT.items():
        if os.environ.get(variable):
            _assign(values, key, os.environ[variable])
    if recipe is not None:
        values = _merge(values, _load(recipe, seen=()))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {assignment} has no '='", "write --set train.gps=0.9")
        _assign(values, key.strip(), _toml_value(text.strip()))
    for key, value in (given or {}).items():
        if value is not None:
            _assign(values, key, value)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise _as_usage_error(error, recipe) from None


def recipe_folder() -> Path:
    """The folder of the recipes that come with lslo: inside the package, or beside it in a checkout."""
    inside = Path(__file__).parent / "recipes"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "recipes"


def recipe_names() -> list[str]:
    """The names that ``--recipe`` takes besides paths."""
    return sorted(path.stem for path in recipe_folder().glob("*.toml"))


def find_recipe(name: str) -> Path:
    """The file of a recipe given by path or by name. Raises InputError, listing the names there are."""
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    builtin = recipe_folder() / f"{name}.toml"
    if path.suffix != ".toml" and builtin.is_file():
        return builtin
    raise InputError(
        f"no recipe '{name}'.{nearest(name, recipe_names())}",
        f"give a path to a .toml file, or one of: {', '.join(recipe_names())}",
    )


def _load(name: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = find_recipe(name)
    if path.resolve() in seen:
        raise UsageError(f"recipe {path} extends itself", "remove the circle in the 'extends' keys")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"recipe {path} is not valid TOML: {error}", "mend the line it names") from None
    values = _normalise(values)
    parent = values.pop("extends", None)
    return values if parent is None else _merge(_load(parent, (*seen, path.resolve())), values)


def _normalise(values: dict[str, Any]) -> dict[str, Any]:
    """Sections may be named as the commands are: ``[weight-learn]``."""
    return {key.replace("-", "_"): value for key, value in values.items()}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        values = values.setdefault(parent.replace("-", "_"), {})
        if not isinstance(values, dict):
            raise UsageError(f"'{dotted}' is no recipe key: '{parent}' holds a value", "name a key as train.gps")
    values[last.replace("-", "_")] = value


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _as_usage_error(error: ValidationError, recipe: str | None) -> UsageError:
    problem = error.errors()[0]
    path = [str(part) for part in problem["loc"]]
    where = f" in recipe '{recipe}'" if recipe else ""
    if problem["type"] == "extra_forbidden":
        section: Any = Recipe
        for part in path[:-1]:
            section = section.model_fields[part].annotation
        keys = list(getattr(section, "model_fields", {}))
        return UsageError(
            f"unknown key '{'.'.join(path)}'{where}.{nearest(path[-1], keys)}",
            f"keys of {'[' + '.'.join(path[:-1]) + ']' if path[:-1] else 'a recipe'}: {', '.join(keys)}",
        )
    return UsageError(
        f"'{'.'.join(path)}' cannot be {problem['input']!r}{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}",
        "correct the value; `lslo recipe` shows every key with its value",
    )
