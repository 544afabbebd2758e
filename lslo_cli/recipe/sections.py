"""The settings of an experiment, as frozen sections of its recipe. The only place with their defaults."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from lslo_cli.home import with_home
from lslo_cli.method.adapters import AdapterKernel, Initialisation, Span
from lslo_cli.method.allocation import Rule
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import Resource
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, METRICS, SPBLEU, metric_named
from lslo_cli.method.schedule import PAPER_PRUNED
from lslo_cli.method.sites import SiteSet
from lslo_cli.recipe.section import (
    Count,
    CountOrZero,
    FromHome,
    NonNegative,
    Positive,
    Probability,
    Ratio,
    Section,
    Threads,
)
from lslo_cli.world import Sizes

PAPER_GPS = 0.9
"""The fraction of high- and medium-resource adapters that the paper's main run prunes (table 1)."""

BATCH_TOKENS = 4000
"""The size of a batch in the authors' runs, padding included; ``fit.accumulate`` of them make an update."""


class Method(StrEnum):
    """What ``lslo train`` trains: routed adapters, all parameters, or one LoRA shared by all languages."""

    LSLO = "lslo"
    FULL = "full"
    LORA = "lora"


class PruneTargets(StrEnum):
    """Which matrices gradual pruning prunes. The paper does not say; section 3.2 suggests both."""

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
    """Classes of languages without one in the paper or the recipe: none, or by counting the text."""

    GIVEN = "given"
    TEXT = "text"


class LanguageEntry(Section):
    """A language outside the paper's tables, or other facts about one of them."""

    resource: Resource
    """Class of the language: high, medium, low or very-low."""
    family: str = ""
    """Its language family; default: its relative's, or none."""
    bitext: Count | None = None
    """Its sentence pairs with English; default: the paper's number, or none."""


class ModelSection(Section):
    """The base model: ``world``, a folder, or a hub id."""

    name: str = "VityaVitalich/flores101_mm100_615M"
    """Base model: a folder, a hub id, or `world`."""
    revision: str | None = None
    """Revision on the hub; default: the cached one, or the newest."""

    @property
    def missing_folder(self) -> Path | None:
        """The missing folder, if ``name`` can only be the path of one and it does not exist; else None."""
        folder = with_home(self.name)
        is_path = self.name.startswith(("/", ".", "~")) or self.name.count("/") > 1
        return folder if is_path and not folder.is_dir() else None


class DataSection(Section):
    """Parallel text: ``world`` or a path, and the split for each purpose; "" is text without splits."""

    path: FromHome = "data/flores101"
    """Parallel text: a folder, a file, or `world`."""
    world: Sizes = Sizes.SHIPPED
    """Bitext sizes of the built-in world's languages in its base model's training."""
    train: str = "dev"
    """Split to train on, '' for text without splits; default: the first there is of train, dev, valid."""
    test: str = "devtest"
    """Split to test on; default: the first there is of test, devtest, dev, valid, but for that of --train."""
    train_rows: Count | None = None
    """Only the first rows of each section of the training text; default: all."""
    test_rows: Count | None = None
    """Only the first rows of the test text; default: all."""
    hold_out: Count | None = None
    """Rows of each section of the training text to hold out for testing, drawn by the seed; default: none."""
    dev_rows: CountOrZero = 0
    """Rows kept out of training, to choose the epoch or the ranks, draw the curve or validate a base by."""
    directions: tuple[str, ...] = ()
    """Train on these directions only: en-*,*-en,fr-wo; default: all."""
    temperature: Positive = 5.0
    """Sampling temperature T: directions are drawn by the T-th root of their number of sentences."""
    max_length: Count = 256
    """Most tokens of a sentence to train on; longer test sources are cut."""


class FitSection(Section):
    """Optimisation, shared by all stages that train. The defaults are the authors' settings.

    With ``max_tokens`` "auto" an update keeps ``accumulate`` times the 4000 tokens of the default, cut into
    as few batches as memory allows; both numbers are then recorded as chosen.
    """

    epochs: Count = 15
    """Epochs to train."""
    lr: Positive = 3e-3
    """Peak learning rate; that of full fine-tuning is fit.lr_full."""
    lr_full: Positive = 1e-4
    """Peak learning rate of full fine-tuning."""
    warmup: Count = 1
    """Warm-up of the learning rate in updates."""
    beta1: Probability = 0.9
    """Adam's beta1, the decay of the mean of gradients."""
    beta2: Probability = 0.98
    """Adam's beta2, the decay of the mean of squared gradients."""
    clip_norm: NonNegative = 0.0
    """Gradient clipping: largest norm in an update; 0 does not clip."""
    label_smoothing: Probability = 0.2
    """Label smoothing: probability mass spread over all tokens."""
    dropout: Probability = 0.1
    """Dropout of embeddings and of sublayer outputs."""
    attention_dropout: Probability = 0.1
    """Dropout of attention weights."""
    activation_dropout: Probability = 0.0
    """Dropout inside feed-forward sublayers."""
    max_tokens: Count | Literal["auto"] = BATCH_TOKENS
    """Batch size in tokens, padding included; auto: the largest that fits into memory."""
    accumulate: Count = 4
    """Gradient accumulation: batches per update."""

    @property
    def batch_tokens(self) -> int:
        """``max_tokens`` as a number for estimates; "auto" counts as the default."""
        return BATCH_TOKENS if self.max_tokens == "auto" else self.max_tokens


class AdaptersSection(Section):
    """Settings of the adapters of every stage. The defaults are those of the authors' code."""

    initialisation: Initialisation = Initialisation.UNIFORM
    """Initialisation of A: uniform in +-1/sqrt(r), as in the authors' code, or Gaussian, as in their text."""
    span: Span = Span.D_MODEL
    """Feed-forward units that adapters of fc1 and fc2 span: the first d_model, as the authors', or all."""


class WeightLearnSection(Section):
    """Weight learning (section 4.1)."""

    rank: Count = 8
    """Rank of every adapter while weights are learned."""
    epochs: Count | None = None
    """Epochs to learn weights; default: fit.epochs."""


class EstimateSubspaceSection(Section):
    """Intrinsic subspace estimation (sections 4.2 and 7.3; settings of table 7)."""

    rank: Count = 8
    """Rank of every adapter during estimation."""
    index: FromHome | None = None
    """Side that selects adapters: learned, paper, source, target or a file; default: learned, else paper."""
    epochs: Count | None = None
    """Epochs to estimate; default: fit.epochs."""
    target_ratio: Ratio = 0.7
    """Fraction of each pool to prune."""
    start_epoch: Count = 2
    """Pruning starts after this epoch. Before the first, every B is zero and pruning would be arbitrary."""
    duration: Count = 8
    """Epochs over which the ratio rises."""
    pool: Pool = Pool.LAYER
    """Pool of entries pruned together: a layer, one kind of matrix of a layer, or a language."""
    mean_rank: Positive = 4.0
    """Mean rank per language of the estimated rank map."""
    quick: bool = False
    """Train on directions between each language and two others only: a fifth of them for 12 languages."""


class TrainSection(Section):
    """The final fine-tuning run (section 6.3): if neither ``ranks`` nor ``gps`` is set, 2;2;8+GPS(0.9)."""

    method: Method = Method.LSLO
    """Adapters by language, all parameters, or one LoRA for all languages."""
    ranks: str | None = None
    """By class, high first: 2,2,8; by name: en=2,very-low=8; auto: as estimated.

    Default: 2 for high and medium, 8 for low and very-low.
    """
    budget: str | None = None
    """Budget of --ranks auto: parameters, 2.5% of the base, or same-as:2,2,8; default: the mean rank."""
    rule: Rule | None = None
    """Rule from an estimate to a rank map; default: the best that its data allow."""
    subspace: FromHome | None = None
    """File of the estimate, whose ranks are taken without --ranks; default: the experiment's."""
    index: FromHome | None = None
    """Side that selects adapters: learned, paper, source, target or a file; default: learned, else paper."""
    sites: SiteSet = SiteSet.ALL
    """Weight matrices with adapters."""
    gps: Ratio | Literal["auto"] | None = None
    """Fraction to prune, in [0, 1); auto: 0.9 in languages that the estimate chooses.

    Default: 0.9 without --ranks, else 0.
    """
    gps_start: Count = 2
    """Pruning starts after this epoch (E of eq. 4)."""
    gps_duration: Count = 8
    """Epochs over which the ratio rises (k of eq. 4)."""
    gps_classes: tuple[Resource, ...] | Literal["auto"] = PAPER_PRUNED
    """Resource classes to prune; auto: languages whose estimated share is below the mean."""
    prune_targets: PruneTargets = PruneTargets.BOTH
    """Prune A and B, or B only."""
    keep: Keep = Keep.LAST
    """Weights of the last epoch, or of the one with the lowest loss on --dev-rows."""
    curve_rows: CountOrZero | Literal["all"] = 0
    """Sentences per direction to score after each epoch (figure 3), of the dev rows or else the test text."""
    curve_groups: tuple[str, ...] = ("H2H", "V2V")
    """Groups of directions to score after each epoch, or directions such as en-wo."""

    @property
    def ratio(self) -> float:
        """``gps`` as a number, which it is in every recipe."""
        return self.gps if isinstance(self.gps, float) else 0.0


class EvaluateSection(Section):
    """Translation and scoring.

    A hypothesis has at most ``max_length_a`` times the source length + ``max_new_tokens`` tokens, fairseq's
    ``--max-len-a`` and ``--max-len-b``.
    """

    beam: Count = 5
    """Beam size."""
    mode: SearchMode = SearchMode.FAIRSEQ
    """Beam search as in fairseq and the paper, or as in transformers."""
    length_penalty: Annotated[NonNegative, Field(le=50)] = 1.0
    """Length penalty: a hypothesis's score is divided by its length to this power."""
    no_repeat_ngram: CountOrZero = 0
    """Size of n-grams of pieces that must not repeat in a hypothesis; 0 allows all."""
    max_length_a: NonNegative = 0.0
    """Most tokens of a hypothesis per source token, beside evaluate.max_new_tokens."""
    max_new_tokens: Count = 200
    """Most tokens of a hypothesis, beside those by evaluate.max_length_a."""
    max_tokens: Count = 12_000
    """Batch size in tokens, padding included."""
    metrics: tuple[str, ...] = Field(
        default=(SPBLEU, CHRF_PLUS_PLUS),
        description=f"Metrics to score by: {', '.join(m.name for m in METRICS)}.",
    )
    metric_model: FromHome | None = None
    """Sentencepiece model of spBLEU: flores101, base or a file; default: flores101 if on disk, else base."""
    directions: tuple[str, ...] = ()
    """Only these directions: en-fr,*-wo; default: all."""

    @field_validator("metrics")
    @classmethod
    def _metrics_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("at least one metric is needed")
        return tuple(dict.fromkeys(metric_named(name).name for name in names))


class CardSection(Section):
    """Facts for the model card of a run that no artifact has."""

    license: str = "other"
    """Licence in the model card, as one of the hub's identifiers."""


class Device(StrEnum):
    """The device: auto is CUDA if available, else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Tracker(StrEnum):
    """A service that plots a run's metrics while it trains."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    MLFLOW = "mlflow"


class RunSection(Section):
    """Device, precision and memory use of a run."""

    device: Device = Device.AUTO
    """Device; auto: CUDA if available, else cpu. CUDA_VISIBLE_DEVICES chooses among several."""
    precision: Precision = Precision.FP32
    """Arithmetic of the forward pass."""
    tf32: bool = False
    """On CUDA, multiply float32 in TF32, with 10 bits of mantissa: several times as fast."""
    share_sources: bool = False
    """Encode a sentence once for its targets in a batch, with one dropout, if the encoder ignores targets."""
    base_dtype: BaseDtype = BaseDtype.FLOAT32
    """Data type of a frozen base model; 4bit needs CUDA."""
    recompute: bool = False
    """Gradient checkpointing: recompute layers in backward from their inputs; less memory, same result."""
    adapter_kernel: AdapterKernel = AdapterKernel.AUTO
    """Kernel of the routed updates; results differ by rounding only."""
    threads: Threads | None = None
    """CPU threads, and processes where text is scored; default: torch's choice."""
    track: Tracker | None = None
    """Tracker that receives the metrics of metrics.jsonl; default: none."""
