"""Everything an experiment depends on, as frozen sections. The only place with default values."""

from __future__ import annotations

import os
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lslo_cli.errors import UsageError
from lslo_cli.method.allocation import Rule
from lslo_cli.method.codes import model_code
from lslo_cli.method.importance import Pool
from lslo_cli.method.initialisation import Initialisation
from lslo_cli.method.kernels import AdapterKernel
from lslo_cli.method.languages import LANGUAGE_SETS, LANGUAGES, Language, Resource, resolve_languages
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, SPBLEU, metric_named
from lslo_cli.method.relations import FAMILY_OF
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import SiteSet
from lslo_cli.method.span import Span
from lslo_cli.recipe.base import BaseSection
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.recipe.reproduce import ReproduceSection
from lslo_cli.recipe.section import (
    Count,
    CountOrZero,
    FolderName,
    NonNegative,
    Positive,
    Probability,
    Ratio,
    Section,
)
from lslo_cli.world import NEWCOMERS, WORLD, Sizes, world

PAPER_GPS = 0.9
"""How much of its high- and medium-resource adapters the paper's main run prunes (table 1)."""

BATCH_TOKENS = 4000
"""The size of a batch in the authors' runs, padding included; ``fit.accumulate`` of them make an update."""

NAME_LENGTH = 100
"""Characters of a folder's name that codes may fill; file systems take 255 bytes, suffixes included."""

NewCode = Annotated[str, Field(pattern="^[a-z]{2,3}(_[A-Z][a-z]{3})?$")]


class Method(StrEnum):
    """What ``lslo train`` trains: routed adapters, all parameters, or one LoRA shared by all languages."""

    LSLO = "lslo"
    FULL = "full"
    LORA = "lora"


class PruneTargets(StrEnum):
    """Which matrices gradual pruning prunes. The paper leaves it open; section 3.2 reads as both."""

    BOTH = "both"
    B = "B"


class Keep(StrEnum):
    """The epoch whose weights a run keeps: the last, or the one with the lowest loss on dev rows."""

    LAST = "last"
    BEST = "best"


class SearchMode(StrEnum):
    """Beam search with fairseq's semantics, as the paper's scores were made, or transformers' own."""

    FAIRSEQ = "fairseq"
    PLAIN = "plain"


class Precision(StrEnum):
    """Arithmetic of the forward pass; adapters, loss and optimiser stay in float32."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class Classes(StrEnum):
    """Where a class comes from that neither paper nor recipe gives: asked for, or counted in the text."""

    GIVEN = "given"
    TEXT = "text"


class LanguageEntry(Section):
    """A language outside the paper's tables, or one of them described anew."""

    resource: Resource
    family: str = ""
    bitext: Count | None = None


class ModelSection(Section):
    """The base model: ``world``, a folder, or a hub id."""

    name: str = "VityaVitalich/flores101_mm100_615M"
    revision: str | None = None

    @property
    def missing_folder(self) -> Path | None:
        """The folder that ``name`` can only mean and that is not there, None for anything else."""
        folder = Path(self.name).expanduser()
        is_path = self.name.startswith(("/", ".", "~")) or self.name.count("/") > 1
        return folder if is_path and not folder.is_dir() else None


class DataSection(Section):
    """Parallel text: ``world`` or a path, and which split serves which purpose; "" is text without splits.

    Where no split is given, the one that the text has is taken: train or dev for training; test, devtest or
    dev for testing. With ``hold_out`` that many rows of each section of the training text are the test text,
    and with ``dev_rows`` that many more are for choosing, neither trained nor tested on; 0 is none.
    ``directions`` are those to train on, as ``en-wo`` or ``en-*``; none is all. ``world``
    says which sizes the built-in world's languages had for its base model.
    """

    path: str = "data/flores101"
    world: Sizes = Sizes.SHIPPED
    train: str = "dev"
    test: str = "devtest"
    train_rows: Count | None = None
    test_rows: Count | None = None
    hold_out: Count | None = None
    dev_rows: CountOrZero = 0
    directions: tuple[str, ...] = ()
    temperature: Positive = 5.0
    max_length: Count = 256

    @field_validator("path")
    @classmethod
    def _expand(cls, path: str) -> str:
        """``~`` is the user's home, whoever wrote it: a shell leaves it alone in quotes and in recipes."""
        return os.path.expanduser(path)


class FitSection(Section):
    """Optimisation, shared by all stages that train. The defaults are the authors' settings.

    ``max_tokens`` is the size of a batch, padding included, and ``accumulate`` batches make one update. With
    ``max_tokens`` "auto" an update keeps ``accumulate`` times the 4000 tokens of the default, cut into as few
    batches as memory allows; both numbers are then chosen, and recorded in place of what was asked for.
    """

    epochs: Count = 15
    lr: Positive = 3e-3
    lr_full: Positive = 1e-4
    warmup: Count = 1
    beta1: Probability = 0.9
    beta2: Probability = 0.98
    clip_norm: NonNegative = 0.0
    label_smoothing: Probability = 0.2
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    activation_dropout: Probability = 0.0
    max_tokens: Count | Literal["auto"] = BATCH_TOKENS
    accumulate: Count = 4


class AdaptersSection(Section):
    """What is true of the adapters of every stage. The defaults are those of the authors' code.

    ``span`` says which of the feed-forward units adapters of fc1 write to and those of fc2 read: the first
    d_model, or all.
    """

    initialisation: Initialisation = Initialisation.UNIFORM
    span: Span = Span.D_MODEL


class WeightLearnSection(Section):
    """Weight learning (section 4.1). ``epochs`` None means those of ``[fit]``."""

    rank: Count = 8
    epochs: Count | None = None


class EstimateSubspaceSection(Section):
    """Intrinsic subspace estimation (sections 4.2 and 7.3; settings of table 7).

    ``index`` as in ``[train]``, ``epochs`` as in ``[weight-learn]``. ``start_epoch`` is at least 1: before
    the first epoch every B is zero, and what is pruned would be arbitrary. ``mean_rank`` is the budget per
    language of the rank map that is derived.
    """

    rank: Count = 8
    index: str | None = None
    epochs: Count | None = None
    target_ratio: Ratio = 0.7
    start_epoch: Count = 2
    duration: Count = 8
    pool: Pool = Pool.LAYER
    mean_rank: Positive = 4.0


class TrainSection(Section):
    """The final fine-tuning run (section 6.3).

    ``index`` is learned, paper, source, target or a file; None is the learned one where it has been
    learned and else the paper's. ``ranks`` is 2,2,8 or en=2,wo=16 or auto, the estimated rank map; None is
    the paper's choice, 2 for high and medium and 8 for the rest, which ``gps`` then prunes by 0.9 unless it
    says otherwise. ``rule`` says how an estimate becomes a rank map, None is the best that it has the data
    for; ``budget`` is what the map spends, in parameters, as a share of the base's (2.5%) or same-as:2,2,8,
    None the estimate's mean rank. ``gps`` "auto" is 0.9 for languages whose share is below the mean, and
    ``gps_classes`` "auto" the same at any ratio. ``curve_rows`` sentences per
    direction of the dev rows, or all of these, are scored after each epoch in the directions and groups of
    directions that ``curve_groups`` names; 0 is none. Without dev rows they are of the test split.
    """

    method: Method = Method.LSLO
    ranks: str | None = None
    budget: str | None = None
    rule: Rule | None = None
    index: str | None = None
    sites: SiteSet = SiteSet.ALL
    gps: Ratio = 0.0
    gps_start: CountOrZero = 2
    gps_duration: Count = 8
    gps_classes: tuple[Resource, ...] | Literal["auto"] = (Resource.HIGH, Resource.MEDIUM)
    prune_targets: PruneTargets = PruneTargets.BOTH
    keep: Keep = Keep.LAST
    curve_rows: CountOrZero | Literal["all"] = 0
    curve_groups: tuple[str, ...] = ("H2H", "V2V")

    @model_validator(mode="before")
    @classmethod
    def _by_estimate(cls, values: Any) -> Any:
        """``gps = "auto"`` prunes as much as the paper does, and whom the estimate says."""
        if isinstance(values, dict) and values.get("gps") == "auto":
            return {**values, "gps": PAPER_GPS, "gps_classes": "auto"}
        return values


class EvaluateSection(Section):
    """Translation and scoring.

    A hypothesis has at most ``max_length_a`` times the source length + ``max_new_tokens`` tokens, fairseq's
    ``--max-len-a`` and ``--max-len-b``, and never the same ``no_repeat_ngram`` pieces in a row twice, where
    that is not 0. ``metric_model`` is a sentencepiece model to score with, ``base``
    for the base model's own, or ``flores101``; None is FLORES-101's where it is on disk, and else the base
    model's.
    """

    beam: Count = 5
    mode: SearchMode = SearchMode.FAIRSEQ
    length_penalty: NonNegative = 1.0
    no_repeat_ngram: CountOrZero = 0
    max_length_a: NonNegative = 0.0
    max_new_tokens: Count = 200
    max_tokens: Count = 12_000
    metrics: tuple[str, ...] = (SPBLEU, CHRF_PLUS_PLUS)
    metric_model: str | None = None
    directions: tuple[str, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _metrics_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("at least one metric is needed")
        return tuple(dict.fromkeys(metric_named(name).name for name in names))


class CardSection(Section):
    """What the model card of a run says that nothing else knows: ``license``, an identifier of the hub's."""

    license: str = "other"


class RunSection(Section):
    """Where and how a run computes.

    ``threads`` are those of torch on a CPU, and as many processes score translations; None is torch's choice.
    ``tf32`` lets a CUDA device round the factors of float32 products to TF32's 10 bits, which is several
    times as fast; it has no effect elsewhere. ``share_sources`` encodes a sentence once for all its targets
    in a training batch, in the layers where the target plays no part; dropout there is then common to them.
    ``adapter_kernel`` is how routed updates are computed, which
    changes results by rounding only.
    """

    device: str = "auto"
    precision: Precision = Precision.FP32
    tf32: bool = False
    share_sources: bool = False
    adapter_kernel: AdapterKernel = AdapterKernel.AUTO
    threads: Count | None = None


class Recipe(Section):
    """Everything an experiment depends on.

    ``new_languages`` are languages that the base model does not know, each with the relative whose token its
    own begins as. They come after ``langs``.
    """

    name: FolderName | None = None
    description: str = ""
    seed: CountOrZero = 2
    langs: str | tuple[str, ...] = "lang12"
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)
    classes: Classes = Classes.GIVEN
    new_languages: dict[NewCode, str] = Field(default_factory=dict)
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    fit: FitSection = FitSection()
    adapters: AdaptersSection = AdaptersSection()
    weight_learn: WeightLearnSection = WeightLearnSection()
    estimate_subspace: EstimateSubspaceSection = EstimateSubspaceSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    base: BaseSection = BaseSection()
    flare: FlareSection = FlareSection()
    card: CardSection = CardSection()
    run: RunSection = RunSection()
    reproduce: ReproduceSection = ReproduceSection()

    @model_validator(mode="before")
    @classmethod
    def _paper_run(cls, values: Any) -> Any:
        """Without ranks the run is the paper's, 2;2;8+GPS(0.9): prune where nothing is said of pruning.

        Adapters for new languages alone are not pruned: those languages are very low in resources.
        """
        train = values.get("train", {}) if isinstance(values, dict) else None
        if not isinstance(train, dict) or values.get("new_languages"):
            return values
        if train.get("ranks") is None and "gps" not in train and train.get("method", "lslo") == "lslo":
            return {**values, "train": {**train, "gps": PAPER_GPS}}
        return values

    @property
    def experiment(self) -> str:
        """The name of the experiment's folder: the recipe's, or that of the language set, or its codes.

        The codes of new languages follow: what is found with them is another experiment. Where all this is
        too long for a folder, it is counted, with a digest: ``100-languages-1f2e3d4c``.
        """
        names = self.langs.split(",") if isinstance(self.langs, str) else self.langs
        codes = [model_code(name.strip()) for name in names]
        name = "-".join((self.name or "-".join(codes), *self.new_languages))
        if self.name or len(name) <= NAME_LENGTH:
            return name
        digest = sha256(name.encode()).hexdigest()[:8]
        return f"{len(codes) + len(self.new_languages)}-languages-{digest}"

    def known_languages(self) -> dict[str, Language]:
        """The paper's languages, the built-in world's, those this recipe describes, and those it adds.

        Whatever a new language is elsewhere, the base model has no bitext of it: unless this recipe describes
        it, it is very low in resources. Where its family is unknown, it is its relative's.
        """
        described = {
            code: Language(code, entry.resource, entry.family or FAMILY_OF.get(code, ""), entry.bitext)
            for name, entry in self.languages.items()
            for code in (model_code(name),)
        }
        known = {**LANGUAGES, **world(self.data.world), **NEWCOMERS}
        families = {**FAMILY_OF, **{code: language.family for code, language in known.items()}}
        added = {
            code: Language(code, Resource.VERY_LOW, families.get(code) or families.get(relative, ""))
            for code, relative in self.new_languages.items()
        }
        return {**known, **added, **described}

    def selected_languages(self) -> tuple[Language, ...]:
        """The languages of the experiment.

        Raises UsageError for an unknown code, and for one that the built-in world lacks where it is the text.
        """
        languages = resolve_languages(
            self.langs, self.known_languages(), self.language_sets(), added=self.new_languages
        )
        strangers = [each.code for each in languages if each.code not in {**WORLD, **NEWCOMERS}]
        if self.data.path == "world" and strangers:
            raise UsageError(
                f"the text here is the built-in world, whose languages are synthetic, without {strangers[0]}",
                "leave out --langs, or give --langs world12; real languages need --data, and no demo recipe "
                "(unset LSLO_RECIPE)",
            )
        return languages

    @staticmethod
    def language_sets() -> dict[str, tuple[str, ...]]:
        """The names that ``langs`` takes for several languages."""
        return {**LANGUAGE_SETS, "world12": tuple(WORLD)}

    def estimation_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of subspace estimation."""
        stage = self.estimate_subspace
        epochs = stage.epochs or self.fit.epochs
        return GradualPruning(stage.target_ratio, stage.start_epoch, stage.duration, epochs)

    def training_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of the final fine-tuning run."""
        return GradualPruning(self.train.gps, self.train.gps_start, self.train.gps_duration, self.fit.epochs)
