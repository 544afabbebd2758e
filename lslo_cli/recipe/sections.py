"""Everything an experiment depends on, as frozen sections. The only place with default values."""

from __future__ import annotations

import os
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from lslo_cli.errors import UsageError
from lslo_cli.method.allocation import Rule
from lslo_cli.method.codes import model_code
from lslo_cli.method.importance import Pool
from lslo_cli.method.initialisation import Initialisation
from lslo_cli.method.kernels import AdapterKernel
from lslo_cli.method.languages import (
    LANGUAGE_SETS,
    LANGUAGES,
    Language,
    Resource,
    language_names,
    resolve_languages,
)
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, METRICS, SPBLEU, metric_named
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

FromHome = Annotated[str, AfterValidator(os.path.expanduser)]
"""A name or a path, where ``~`` is the user's home: a shell leaves it alone in quotes and in recipes."""
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
    """Base model: a folder, a hub id, or `world`."""
    revision: str | None = None
    """Revision on the hub; without it the one that the cache has, or the newest."""

    @property
    def missing_folder(self) -> Path | None:
        """The folder that ``name`` can only mean and that is not there, None for anything else."""
        folder = Path(self.name).expanduser()
        is_path = self.name.startswith(("/", ".", "~")) or self.name.count("/") > 1
        return folder if is_path and not folder.is_dir() else None


class DataSection(Section):
    """Parallel text: ``world`` or a path, and which split serves which purpose; "" is text without splits."""

    path: FromHome = "data/flores101"
    """Parallel text: a folder, a file, or `world`."""
    world: Sizes = Sizes.SHIPPED
    """Sizes of bitext that the built-in world's languages had for its base model."""
    train: str = "dev"
    """Split to train on, '' for text without splits; if it is not there, train or dev."""
    test: str = "devtest"
    """Split to test on; if it is not there, test, devtest or dev."""
    train_rows: Count | None = None
    """Only the first rows of each section of the training text; without it all."""
    test_rows: Count | None = None
    """Only the first rows of the test text; without it all."""
    hold_out: Count | None = None
    """Rows of each section of the training text to test on instead, drawn by the seed; without it none."""
    dev_rows: CountOrZero = 0
    """Rows of the training text to choose by, neither trained nor tested on: curves, best epoch, ranks."""
    directions: tuple[str, ...] = ()
    """Train on these directions only: en-*,*-en,fr-wo; without it all."""
    temperature: Positive = 5.0
    """Directions are drawn by the T-th root of their number of sentences: at 1 as often as they have."""
    max_length: Count = 256
    """Tokens of the longest sentence that is trained on; longer sources of a test are cut."""


class FitSection(Section):
    """Optimisation, shared by all stages that train. The defaults are the authors' settings.

    With ``max_tokens`` "auto" an update keeps ``accumulate`` times the 4000 tokens of the default, cut into
    as few batches as memory allows; both numbers are then chosen, and recorded for what was asked for.
    """

    epochs: Count = 15
    """Epochs to train."""
    lr: Positive = 3e-3
    """Peak learning rate; that of full fine-tuning is fit.lr_full."""
    lr_full: Positive = 1e-4
    """Peak learning rate of full fine-tuning."""
    warmup: Count = 1
    """Updates over which the learning rate rises to its peak."""
    beta1: Probability = 0.9
    """Adam's decay of the mean of gradients."""
    beta2: Probability = 0.98
    """Adam's decay of the mean of squared gradients."""
    clip_norm: NonNegative = 0.0
    """Largest norm of the gradients of an update; 0 does not clip."""
    label_smoothing: Probability = 0.2
    """Probability that the loss gives to all tokens alike."""
    dropout: Probability = 0.1
    """Dropout of embeddings and of what each sublayer adds."""
    attention_dropout: Probability = 0.1
    """Dropout of attention weights."""
    activation_dropout: Probability = 0.0
    """Dropout inside feed-forward sublayers."""
    max_tokens: Count | Literal["auto"] = BATCH_TOKENS
    """Tokens of a batch, padding included; auto cuts updates to fit into memory."""
    accumulate: Count = 4
    """Batches that make one update."""

    @property
    def batch_tokens(self) -> int:
        """``max_tokens`` as a number: for "auto" the default, which estimates go by."""
        return BATCH_TOKENS if self.max_tokens == "auto" else self.max_tokens


class AdaptersSection(Section):
    """What is true of the adapters of every stage. The defaults are those of the authors' code."""

    initialisation: Initialisation = Initialisation.UNIFORM
    """How A starts: uniform in +-1/sqrt(r), as in the authors' code, or Gaussian, as in their text."""
    span: Span = Span.D_MODEL
    """Feed-forward units that adapters of fc1 and fc2 span: the first d_model, as the authors' do, or all."""


class WeightLearnSection(Section):
    """Weight learning (section 4.1)."""

    rank: Count = 8
    """Rank of every adapter while weights are learned."""
    epochs: Count | None = None
    """Epochs to learn weights; without it those of fit.epochs."""


class EstimateSubspaceSection(Section):
    """Intrinsic subspace estimation (sections 4.2 and 7.3; settings of table 7)."""

    rank: Count = 8
    """Rank of every adapter while estimating."""
    index: FromHome | None = None
    """Side that selects the adapter: learned, paper, source, target or a file.

    Without it the learned one where there is one, and else the paper's.
    """
    epochs: Count | None = None
    """Epochs to estimate; without it those of fit.epochs."""
    target_ratio: Ratio = 0.7
    """Fraction of each pool to prune."""
    start_epoch: Count = 2
    """Pruning starts after this epoch. Before the first, every B is zero and pruning would be arbitrary."""
    duration: Count = 8
    """Epochs over which the ratio rises."""
    pool: Pool = Pool.LAYER
    """What is pruned together: a layer, one kind of matrix of a layer, or a language."""
    mean_rank: Positive = 4.0
    """Mean rank per language that the estimated rank map spends."""


class TrainSection(Section):
    """The final fine-tuning run (section 6.3).

    Where nothing is said of ``ranks`` and ``gps``, the run is the paper's 2;2;8+GPS(0.9).
    """

    method: Method = Method.LSLO
    """Adapters by language, all parameters, or one LoRA for all languages."""
    ranks: str | None = None
    """By class, high first: 2,2,8; by name: en=2,very-low=8; auto: as estimated; without it 2,2,8,8."""
    budget: str | None = None
    """What --ranks auto spends: parameters, 2.5% of the base, or same-as:2,2,8; without it the mean rank."""
    rule: Rule | None = None
    """How an estimate becomes a rank map; without it the best that it has the data for."""
    index: FromHome | None = None
    """Side that selects the adapter: learned, paper, source, target or a file.

    Without it the learned one where there is one, and else the paper's.
    """
    sites: SiteSet = SiteSet.ALL
    """Which weight matrices carry adapters."""
    gps: Ratio = 0.0
    """Fraction to prune, from 0 to below 1; auto: 0.9, of whom the estimate says; without ranks: 0.9."""
    gps_start: CountOrZero = 2
    """Pruning starts after this epoch (E of eq. 4)."""
    gps_duration: Count = 8
    """Epochs over which the ratio rises (k of eq. 4)."""
    gps_classes: tuple[Resource, ...] | Literal["auto"] = (Resource.HIGH, Resource.MEDIUM)
    """Resource classes to prune; auto: languages whose estimated share is below the mean."""
    prune_targets: PruneTargets = PruneTargets.BOTH
    """Prune A and B, or B only."""
    keep: Keep = Keep.LAST
    """Weights of the last epoch, or of the one with the lowest loss on --dev-rows."""
    curve_rows: CountOrZero | Literal["all"] = 0
    """Sentences per direction to score after each epoch (figure 3), of the dev rows or else the test text."""
    curve_groups: tuple[str, ...] = ("H2H", "V2V")
    """What to score after each epoch: groups of directions, or directions such as en-wo."""

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
    ``--max-len-a`` and ``--max-len-b``.
    """

    beam: Count = 5
    """Beam size."""
    mode: SearchMode = SearchMode.FAIRSEQ
    """Beam search as in fairseq and the paper, or as in transformers."""
    length_penalty: NonNegative = 1.0
    """Exponent of the length that a hypothesis' score is divided by."""
    no_repeat_ngram: CountOrZero = 0
    """Pieces in a row of which no such row may come twice; 0 allows all."""
    max_length_a: NonNegative = 0.0
    """Tokens that a hypothesis may have for each of its source's."""
    max_new_tokens: Count = 200
    """Tokens that a hypothesis may have beside those."""
    max_tokens: Count = 12_000
    """Tokens of a batch, padding included."""
    metrics: tuple[str, ...] = Field(
        default=(SPBLEU, CHRF_PLUS_PLUS),
        description=f"Metrics to score by: {', '.join(m.name for m in METRICS)}.",
    )
    metric_model: FromHome | None = None
    """Pieces of spBLEU: flores101, base or a file; without it flores101 where it is on disk, else base."""
    directions: tuple[str, ...] = ()
    """Only these directions: en-fr,*-wo; without it all."""

    @field_validator("metrics")
    @classmethod
    def _metrics_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("at least one metric is needed")
        return tuple(dict.fromkeys(metric_named(name).name for name in names))


class CardSection(Section):
    """What the model card of a run says that nothing else knows: ``license``, an identifier of the hub's."""

    license: str = "other"


class Device(StrEnum):
    """Where to compute: auto is CUDA where there is such a device, and else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Tracker(StrEnum):
    """A service that draws a run's metrics while it trains."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    MLFLOW = "mlflow"


class RunSection(Section):
    """Where and how a run computes."""

    device: Device = Device.AUTO
    """Where to compute; auto is CUDA where it is to be had. CUDA_VISIBLE_DEVICES chooses among several."""
    precision: Precision = Precision.FP32
    """Arithmetic of the forward pass."""
    tf32: bool = False
    """Round the factors of float32 products to TF32's 10 bits on CUDA, which is several times as fast."""
    share_sources: bool = False
    """Encode a sentence once for all its targets in a batch where layers do not see these; one dropout."""
    adapter_kernel: AdapterKernel = AdapterKernel.AUTO
    """How routed updates are computed, which changes results by rounding only."""
    threads: Count | None = None
    """CPU threads, and processes that score; without it torch's choice."""
    track: Tracker | None = None
    """A tracker that is told what metrics.jsonl says; without it none."""


class Recipe(Section):
    """Everything an experiment depends on.

    ``new_languages`` are languages that the base model does not know, each with the relative whose token its
    own begins as. They come after ``langs``.
    """

    name: FolderName | None = None
    """The experiment's folder in --results; without it the recipe's name or the languages."""
    description: str = ""
    """A line about the recipe."""
    seed: CountOrZero = 2
    """Seed of everything random."""
    langs: str | tuple[str, ...] = "lang12"
    """lang12, lang30, world12, or codes: en,fr,wo."""
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
        names = (self.langs,) if self.langs in self.language_sets() else self.language_names()
        codes = [model_code(name) for name in names]
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

    def language_names(self) -> tuple[str, ...]:
        """The languages of the experiment as they were named, without new ones."""
        return language_names(self.langs, self.language_sets())

    def selected_languages(self) -> tuple[Language, ...]:
        """The languages of the experiment.

        Raises UsageError for an unknown code, and for one that the built-in world lacks where it is the text.
        """
        languages = resolve_languages(
            self.langs, self.known_languages(), self.language_sets(), added=self.new_languages
        )
        spoken = {*WORLD, *NEWCOMERS, *self.new_languages}
        strangers = [each.code for each in languages if each.code not in spoken]
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
