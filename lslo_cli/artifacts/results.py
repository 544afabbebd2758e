"""The results: what each command found, one class for each kind.

Numbers are unrounded, long tables are columns plus rows, and tensors live in safetensors files named
here with their digest. Within a version fields are only added, with a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lslo_cli.artifacts.schema import Document, LanguageRecord, Number, Result
from lslo_cli.errors import InputError
from lslo_cli.method.allocation import Estimate, Spectrum
from lslo_cli.method.importance import Pool, PrunedMatrix
from lslo_cli.method.languages import Direction, Resource
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, SPBLEU
from lslo_cli.method.sites import Layer, Site
from lslo_cli.method.span import Span
from lslo_cli.method.statistics import CONFIDENCE, Verdict
from lslo_cli.method.strategy import Index, IndexStrategy, LayerWeights


class EpochRecord(Document):
    """One epoch of training: mean loss per target token and the fraction pruned during it."""

    epoch: int
    loss: Number
    updates: int
    tokens: int
    target_ratio: Number = 0.0


class LearnedWeights(Document):
    """The weights of one layer after softmax, and the side they choose."""

    layer: str
    source_weight: Number
    target_weight: Number
    index: Index


class IndexStrategyResult(Result):
    """Weight learning (section 4.1): the weights of every layer, at the end and after each epoch."""

    kind: ClassVar[str] = "index-strategy"
    command: ClassVar[str] = "lslo weight-learn"
    sections: ClassVar[tuple[str, ...]] = ("data", "fit", "adapters", "weight_learn")

    rank: int
    layers: list[LearnedWeights]
    trajectory: list[list[Number]]
    """Source weight of every layer (columns, in the order of ``layers``) after each epoch (rows)."""
    history: list[EpochRecord]

    def strategy(self) -> IndexStrategy:
        return IndexStrategy({Layer.parse(row.layer): row.index for row in self.layers})

    def weights(self) -> dict[Layer, LayerWeights]:
        return {
            Layer.parse(row.layer): LayerWeights(row.source_weight, row.target_weight) for row in self.layers
        }


class PrunedTable(Document):
    """Many matrices after pruning, one per row; ``matrix`` is A or B."""

    columns: tuple[str, ...] = ("site", "language", "matrix", "pruned", "size")
    rows: list[tuple[str, str, str, int, int]]

    @classmethod
    def of(cls, matrices: list[tuple[PrunedMatrix, str]]) -> PrunedTable:
        return cls(rows=[(str(m.site), m.language, name, m.pruned, m.size) for m, name in matrices])

    def matrices(self, name: str | None = None) -> Iterator[PrunedMatrix]:
        """The rows as values; with ``name`` only A or only B."""
        for site, language, matrix, pruned, size in self.rows:
            if name is None or matrix == name:
                yield PrunedMatrix(Site.parse(site), language, pruned, size)


class SpectrumTable(Document):
    """Singular values of B A by site and language; a direction costs ``cost`` parameters."""

    columns: tuple[str, ...] = ("site", "language", "cost", "values")
    rows: list[tuple[str, str, int, list[Number]]] = Field(default_factory=list)

    @classmethod
    def of(cls, spectra: Iterable[Spectrum]) -> SpectrumTable:
        return cls(rows=[(str(s.site), s.language, s.cost, list(s.values)) for s in spectra])

    def spectra(self) -> list[Spectrum]:
        """The rows as values."""
        return [
            Spectrum(Site.parse(site), language, cost, values) for site, language, cost, values in self.rows
        ]


class SubspaceResult(Result):
    """Subspace estimation (sections 4.2 and 7.3): what survived of every B, and the ranks that gives.

    Version 2 has singular values and, where there were dev rows, gains.
    """

    kind: ClassVar[str] = "subspace"
    version: ClassVar[int] = 2
    command: ClassVar[str] = "lslo estimate-subspace"
    sections: ClassVar[tuple[str, ...]] = ("data", "fit", "adapters", "estimate_subspace")

    pool: Pool
    rank: int
    target_ratio: Number
    pruned: PrunedTable
    scores: dict[str, Number]
    """Eq. 6 summed over sites, by language."""
    mean_rank: Number
    ranks: dict[str, int]
    """The budget of ``mean_rank`` per language divided by the estimate's best rule; 0 is a rank."""
    history: list[EpochRecord]
    spectra: SpectrumTable = SpectrumTable()
    gains: dict[str, Number] = Field(default_factory=dict)
    """By language: dev loss per target token without its adapter less that with it, from and to it."""

    def estimate(self) -> Estimate:
        """What a rank map is made from."""
        return Estimate(
            list(self.pruned.matrices("B")), self.target_ratio, self.spectra.spectra(), self.gains
        )


class TensorFile(Document):
    """A safetensors file beside the artifact, with the sha256 of its bytes."""

    path: str
    digest: str


class CurvePoint(Document):
    """spBLEU by group on a fixed sample after an epoch; epoch 0 is the base model."""

    epoch: int
    spbleu: dict[str, Number]


class Curve(Document):
    """Figure 3's data: quality by epoch on ``rows`` sentences per direction, with the metric's signature."""

    rows: int
    signature: str
    points: list[CurvePoint]


class TrainingResult(Result):
    """The final fine-tuning run: what was trained, how it was pruned, and where the weights are."""

    kind: ClassVar[str] = "training"
    command: ClassVar[str] = "lslo train"
    sections: ClassVar[tuple[str, ...]] = ("data", "fit", "adapters", "train", "evaluate")

    run: str
    method: str
    index: dict[str, Index]
    """By layer; empty for methods without routing."""
    index_source: str
    ranks: dict[str, int]
    sites: str
    target_ratio: Number
    start_epoch: int
    duration: int
    pruned_languages: list[str]
    prune_targets: str
    trainable_parameters: int
    trainable_parameters_paper_style: int | None
    """None where it is the true count: whole models, and adapters of the first d_model units."""
    nonzero_parameters: int
    pruned: PrunedTable
    history: list[EpochRecord]
    curve: Curve | None
    weights: TensorFile
    skipped_sentences: int
    new_languages: dict[str, str] = Field(default_factory=dict)
    """Languages that were added to the base model, each with the one whose token its own began as."""
    dev_losses: list[Number] = Field(default_factory=list)
    """Mean loss per target token on the dev rows after each epoch, without smoothing; empty without any."""
    kept_epoch: int | None = None
    """The epoch that was chosen for its loss on the dev rows, None where the last was kept unasked."""
    span: Span = Span.ALL

    @property
    def paper_parameters(self) -> int:
        """#Params as the paper counts."""
        return self.trainable_parameters_paper_style or self.trainable_parameters


class BaseTrainingResult(Result):
    """Training a base model from scratch: loss by epoch, and validation loss per token without smoothing."""

    kind: ClassVar[str] = "base-training"
    command: ClassVar[str] = "lslo base train"

    history: list[EpochRecord]
    validation: list[Number]
    sentence_pairs: int
    skipped_sentences: int


class SizeRow(Document):
    """Parameters of one language's adapters, and how many of them are zero."""

    language: str
    resource: Resource
    rank: int
    parameters: int
    pruned: int


class CorrelationRow(Document):
    """Correlation of importance score with bitext size for one kind of matrix, over ``n`` languages.

    The row of kind ``avg`` has the mean of each column, as in the paper. None: the scores do not vary.
    """

    stack: str
    kind: str
    n: int
    pearson: Number | None
    pearson_p: Number | None
    pearson_log: Number | None
    pearson_log_p: Number | None
    spearman: Number | None
    spearman_p: Number | None


class PruneReportResult(Result):
    """Tables 9 and 10, and what each language costs."""

    kind: ClassVar[str] = "prune-report"
    command: ClassVar[str] = "lslo prune-report"

    run: str | None
    base_parameters: int
    trainable_parameters: int | None
    trainable_parameters_paper_style: int | None
    nonzero_parameters: int | None
    sizes: list[SizeRow]
    scores: dict[str, Number]
    correlations: list[CorrelationRow]


class DirectionScore(Document):
    """One direction's test result: its score by every metric.

    spBLEU, where it is among them, follows from the counts: n-grams matched and in all, n = 1 to 4, and the
    lengths in pieces.
    """

    src: str
    tgt: str
    sentences: int
    scores: dict[str, Number]
    counts: list[int] = Field(default_factory=list)
    totals: list[int] = Field(default_factory=list)
    hypothesis_length: int = 0
    reference_length: int = 0

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, values: Any) -> Any:
        """Version 1 had two metrics, each with a field of its own."""
        if not isinstance(values, dict) or "spbleu" not in values:
            return values
        rest = {key: value for key, value in values.items() if key not in ("spbleu", "chrf")}
        return {**rest, "scores": {SPBLEU: values["spbleu"], CHRF_PLUS_PLUS: values["chrf"]}}

    @property
    def direction(self) -> Direction:
        return Direction(self.src, self.tgt)


class MetricSummary(Document):
    """One metric over all directions: its signature, the mean of each group of directions, and of all."""

    signature: str
    groups: dict[str, Number]
    average: Number


class EvaluationResult(Result):
    """Beam search over every direction, scored by one metric or more (tables 1 to 4)."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    command: ClassVar[str] = "lslo evaluate"

    run: str
    languages: list[LanguageRecord]
    search: dict[str, Any]
    metrics: dict[str, MetricSummary]
    directions: list[DirectionScore]
    hypotheses_digest: str = ""
    """sha256 over all hypotheses, so that equal scores from different translations are told apart."""
    metric_model_sha256: str = ""
    """The sentencepiece model that spBLEU was computed over, which a signature's name only stands for."""
    metric_model_pieces: int = 0

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, values: Any) -> Any:
        """Version 1 had two metrics, each with fields of its own."""
        if not isinstance(values, dict) or "spbleu_signature" not in values:
            return values
        before = {SPBLEU: ("spbleu_signature", "groups", "average"),
                  CHRF_PLUS_PLUS: ("chrf_signature", "chrf_groups", "chrf_average")}  # fmt: skip
        metrics = {
            name: dict(zip(MetricSummary.model_fields, map(values.get, keys), strict=True))
            for name, keys in before.items()
        }
        old = {key for keys in before.values() for key in keys}
        return {"metrics": metrics, **{key: value for key, value in values.items() if key not in old}}

    @classmethod
    def settings(cls, recipe: Any) -> list[Any]:
        """Those of the translations: scoring by other metrics makes none of them stale."""
        return [recipe.data, recipe.evaluate.model_copy(update={"metrics": ()})]

    def metric(self, name: str = SPBLEU) -> MetricSummary:
        """What a metric found. Raises InputError where the run was not scored by it."""
        if name not in self.metrics:
            raise InputError(
                f"run {self.run} was not scored by {name}, only by {', '.join(self.metrics)}",
                f"score it: lslo evaluate --run {self.run} --metrics {name}",
            )
        return self.metrics[name]

    def scores(self, metric: str = SPBLEU) -> dict[Direction, float]:
        """The scores of a metric by direction. Raises InputError where the run was not scored by it."""
        self.metric(metric)
        return {row.direction: row.scores[metric] for row in self.directions}


class ComparedRow(Document):
    """How much higher a run scores than another in the mean over some directions, in spBLEU.

    ``scope`` says what ``name`` names: the average, a group or a direction. ``by_seed`` are the differences
    of each seed, and ``over_seeds`` is None with one. ``over_sentences`` has the seeds' mean.
    """

    scope: Literal["average", "group", "direction"]
    name: str
    directions: int
    difference: Number
    by_seed: list[Number]
    over_sentences: tuple[Number, Number]
    over_seeds: tuple[Number, Number] | None
    verdict: Verdict


class ComparisonResult(Result):
    """Two runs compared: paired bootstrap over n-way sentence numbers, and t over paired seeds."""

    kind: ClassVar[str] = "comparison"
    command: ClassVar[str] = "lslo compare"

    run: str
    other: str
    seeds: list[int]
    resamples: int
    confidence: Number = CONFIDENCE
    spbleu_signature: str
    rows: list[ComparedRow]
