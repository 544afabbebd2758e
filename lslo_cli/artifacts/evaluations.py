"""The results of evaluations and comparisons of runs."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from lslo_cli.artifacts.schema import Document, LanguageRecord, Number, Result
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Direction
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.method.statistics import CONFIDENCE, Significance
from lslo_cli.wording import Command


class DirectionScore(Document):
    """One direction's test result: its score by every metric.

    spBLEU, if among them, follows from the counts: matched and total n-grams, n = 1 to 4, and the lengths in
    pieces.
    """

    src: str
    tgt: str
    sentences: int
    scores: dict[str, Number]
    counts: list[int] = Field(default_factory=list)
    totals: list[int] = Field(default_factory=list)
    hypothesis_length: int = 0
    reference_length: int = 0

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
    command: ClassVar[Command] = Command("evaluate")

    run: str
    languages: list[LanguageRecord]
    search: dict[str, Any]
    metrics: dict[str, MetricSummary]
    directions: list[DirectionScore]
    hypotheses_digest: str
    """sha256 over all hypotheses, to tell different translations with equal scores apart."""
    metric_model_sha256: str = ""
    """sha256 of the sentencepiece model of spBLEU, which the signature only names."""
    metric_model_pieces: int = 0

    def settings(self, recipe: Any) -> list[Any]:
        """Those of the translations: other metrics do not make them stale."""
        return [recipe.data, recipe.evaluate.model_copy(update={"metrics": ()})]

    def has_all_of(self, recipe: Any) -> bool:
        return self.metrics.keys() >= set(recipe.evaluate.metrics)

    def metric(self, name: str = SPBLEU) -> MetricSummary:
        """The summary of a metric. Raises InputError if the run was not scored by it."""
        if name not in self.metrics:
            raise InputError(
                f"run {self.run} was not scored by {name}, only by {', '.join(self.metrics)}",
                "score it",
                Command("evaluate", "--run", self.run, "--metrics", name),
            )
        return self.metrics[name]

    def scores(self, metric: str = SPBLEU) -> dict[Direction, float]:
        """The scores of a metric by direction. Raises InputError if the run was not scored by it."""
        self.metric(metric)
        return {row.direction: row.scores[metric] for row in self.directions}


class ComparedRow(Document):
    """The difference of two runs in spBLEU, averaged over some directions.

    ``scope`` is the kind of ``name``: the average, a group or a direction. ``by_seed`` are the differences of
    each seed, and ``over_seeds`` is their interval, None with one seed. ``over_sentences`` is the interval of
    the seeds' mean.
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
    command: ClassVar[Command] = Command("compare")

    run: str
    other: str
    seeds: list[int]
    resamples: int
    confidence: Number = CONFIDENCE
    spbleu_signature: str
    rows: list[ComparedRow]
