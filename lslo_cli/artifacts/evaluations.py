"""What evaluations and comparisons of runs found."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lslo_cli.artifacts.schema import Document, LanguageRecord, Number, Result
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Direction
from lslo_cli.method.metrics import CHRF_PLUS_PLUS, SPBLEU
from lslo_cli.method.statistics import CONFIDENCE, Significance


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
    verdict: Significance


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
