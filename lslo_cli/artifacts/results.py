"""The results of commands, one class for each kind.

Numbers are unrounded, long tables are columns plus rows, and tensors are stored in safetensors files,
referred to by path and digest. Within a version fields are only added, with a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from pydantic import Field

from lslo_cli.artifacts.schema import Document, Number, Result
from lslo_cli.method.adapters import Span
from lslo_cli.method.allocation import Estimate, Spectrum
from lslo_cli.method.importance import Pool, PrunedMatrix
from lslo_cli.method.languages import Resource
from lslo_cli.method.sites import Layer, Site
from lslo_cli.method.strategy import Index, IndexStrategy, LayerWeights
from lslo_cli.wording import Command

OF_TEST = ("data.test", "data.test_rows")
"""Keys of the text to test on."""
OF_ADAPTERS = ("train.ranks", "train.sites", "adapters.span", "adapters.initialisation")
OF_MAP = ("train.budget", "train.rule", "train.subspace")
"""Keys of what is taken from an estimate."""
OF_PRUNING = ("train.gps_start", "train.gps_duration", "train.gps_classes", "train.prune_targets")
RATE, RATE_OF_FULL = "fit.lr", "fit.lr_full"


def unread_by(method: str, ratio: float) -> set[str]:
    """The keys of a recipe that a training has no use for by its method and the ratio that it prunes.

    The one statement of it: results that differ in these alone are made once, and are compared.
    """
    unread = {RATE, *OF_ADAPTERS} if method == "full" else {RATE_OF_FULL}
    if method != "lslo":
        unread |= {"train.index", *OF_MAP}
    return unread if method == "lslo" and ratio else unread.union(OF_PRUNING)


class EpochRecord(Document):
    """One epoch of training: mean loss per target token and the fraction pruned during it."""

    epoch: int
    loss: Number
    updates: int
    tokens: int
    target_ratio: Number = 0.0


class LearnedWeights(Document):
    """The weights of one layer after softmax, and the index they choose."""

    layer: str
    source_weight: Number
    target_weight: Number
    index: Index


class LearnedResult(Result):
    """Base of what is learned from the training text: the text to test on is no matter to it."""

    @classmethod
    def unread(cls, recipe: Any) -> set[str]:
        """Keys of its sections that do not determine the result."""
        return {*OF_TEST, RATE_OF_FULL}

    @classmethod
    def as_read(cls, recipe: Any) -> Any:
        """The recipe with the :meth:`unread` keys of its sections as if none of them was set."""
        unset = {name: getattr(recipe, name) for name in cls.sections}
        for key in cls.unread(recipe):
            name, _, field = key.partition(".")
            default = type(unset[name]).model_fields[field].default
            unset[name] = unset[name].model_copy(update={field: default})
        return recipe.model_copy(update=unset)

    def settings(self, recipe: Any) -> list[Any]:
        """Those of its sections without the :meth:`unread` ones."""
        return super().settings(self.as_read(recipe))


class IndexStrategyResult(LearnedResult):
    """Weight learning (section 4.1): the weights of every layer, at the end and after each epoch."""

    kind: ClassVar[str] = "index-strategy"
    command: ClassVar[Command] = Command("weight-learn")
    sections: ClassVar[tuple[str, ...]] = ("data", "fit", "adapters", "weight_learn")

    rank: int
    layers: list[LearnedWeights]
    trajectory: list[list[Number]]
    """Source weight of every layer (columns, in the order of ``layers``) after each epoch (rows)."""
    history: list[EpochRecord]

    @classmethod
    def unread(cls, recipe: Any) -> set[str]:
        """Of [fit] also the epochs, if this stage has its own."""
        return super().unread(recipe) | ({"fit.epochs"} if recipe.weight_learn.epochs else set())

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
    """Singular values of B A by site and language; ``cost`` is the number of parameters of a rank."""

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


class SubspaceResult(LearnedResult):
    """Subspace estimation (sections 4.2 and 7.3): the pruning of every B, and the resulting ranks.

    Version 2 has singular values and, if there were dev rows, gains.
    """

    kind: ClassVar[str] = "subspace"
    version: ClassVar[int] = 2
    command: ClassVar[Command] = Command("estimate-subspace")
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
    """By language: dev loss per target token without its adapter minus that with it, from and to it."""
    gains_by_fold: dict[str, list[Number]] = Field(default_factory=dict)
    """The same in each fold of the dev rows, if every language has text in all of them."""
    overlaps: dict[str, list[Number]] = Field(default_factory=dict)
    """By language: the cosine of its update B A with that of every language, in the order of the keys."""

    @classmethod
    def unread(cls, recipe: Any) -> set[str]:
        """Of [fit] also the epochs, if this stage has its own."""
        return super().unread(recipe) | ({"fit.epochs"} if recipe.estimate_subspace.epochs else set())

    def estimate(self) -> Estimate:
        """The estimate, for making a rank map."""
        return Estimate(
            list(self.pruned.matrices("B")),
            self.target_ratio,
            self.spectra.spectra(),
            self.gains,
            self.gains_by_fold,
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


class TrainingResult(LearnedResult):
    """The final fine-tuning run: its settings, its pruning, and its weights."""

    kind: ClassVar[str] = "training"
    command: ClassVar[Command] = Command("train")
    sections: ClassVar[tuple[str, ...]] = ("data", "fit", "adapters", "train")

    run: str
    method: str
    index: dict[str, Index]
    """By layer; empty for methods without routing."""
    index_source: str
    ranks: dict[str, int]
    sites: str
    target_ratio: Number
    """0 if no language was pruned, whatever the recipe's ratio, except in older artifacts."""
    start_epoch: int
    duration: int
    pruned_languages: list[str]
    prune_targets: str
    trainable_parameters: int
    trainable_parameters_paper_style: int | None
    """None if it is the true count: whole models, and adapters of the first d_model units."""
    nonzero_parameters: int
    """Trainable parameters that were not pruned; some of them may be zero by themselves."""
    pruned: PrunedTable
    history: list[EpochRecord]
    curve: Curve | None
    weights: TensorFile
    skipped_sentences: int
    new_languages: dict[str, str] = Field(default_factory=dict)
    """Languages that were added to the base model, each with the one whose token initialised its own."""
    dev_losses: list[Number] = Field(default_factory=list)
    """Mean loss per target token on the dev rows after each epoch, without smoothing; empty without any."""
    kept_epoch: int | None = None
    """The epoch that was chosen for its loss on the dev rows, None if the last was kept by default."""
    span: Span

    @classmethod
    def unread(cls, recipe: Any) -> set[str]:
        """What its method has no use for, and the text to test on if no quality curve is drawn on it."""
        section = recipe.train
        unread = unread_by(section.method, section.ratio)
        if section.ranks != "auto" and not (section.ratio and section.gps_classes == "auto"):
            unread |= {*OF_MAP}
        if not section.curve_rows:
            return unread | {*OF_TEST, "train.curve_groups"}
        if recipe.data.dev_rows:
            return unread | {*OF_TEST}
        return unread if section.curve_rows == "all" else unread | {"data.test_rows"}

    def settings(self, recipe: Any) -> list[Any]:
        """Those of the weights and, if quality was measured during training, of the translations for it."""
        section = recipe.evaluate.model_copy(update={"metrics": (), "directions": ()})
        return [*super().settings(recipe), section if recipe.train.curve_rows else None]

    @property
    def paper_parameters(self) -> int:
        """#Params as the paper counts."""
        return self.trainable_parameters_paper_style or self.trainable_parameters


class BaseTrainingResult(Result):
    """Training a base model from scratch: loss by epoch, and validation loss per token without smoothing."""

    kind: ClassVar[str] = "base-training"
    command: ClassVar[Command] = Command("base train")
    sections: ClassVar[tuple[str, ...]] = ("base",)

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


MEASURES = ("pearson", "pearson_p", "pearson_log", "pearson_log_p", "spearman", "spearman_p")
"""The measures of a :class:`CorrelationRow`, each followed by its p-value."""


class PruneReportResult(Result):
    """Tables 9 and 10, and the parameters of each language."""

    kind: ClassVar[str] = "prune-report"
    command: ClassVar[Command] = Command("prune-report")

    run: str | None
    base_parameters: int
    trainable_parameters: int | None
    trainable_parameters_paper_style: int | None
    nonzero_parameters: int | None
    sizes: list[SizeRow]
    scores: dict[str, Number]
    correlations: list[CorrelationRow]
