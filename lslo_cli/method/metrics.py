"""The translation metrics of evaluation, reports and figures.

An entry names the function that opens its metric; it is imported only when the metric is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

SPBLEU, CHRF_PLUS_PLUS = "spBLEU", "chrF++"


@dataclass(frozen=True)
class MetricSpec:
    """A metric by name. ``source`` is the function that opens it, as ``module:function``."""

    name: str
    source: str
    summary: str
    higher_is_better: bool = True

    def open(self, settings: Any) -> Any:
        """The metric, ready to score; ``settings`` are a :class:`lslo_cli.search.metric.MetricSettings`."""
        module, _, function = self.source.partition(":")
        return getattr(import_module(module), function)(settings)


METRICS = (
    MetricSpec(
        SPBLEU, "lslo_cli.search.metric:open_spbleu", "BLEU over sentencepiece pieces, the paper's metric"
    ),
    MetricSpec(
        CHRF_PLUS_PLUS,
        "lslo_cli.search.metric:open_chrf_plus_plus",
        "F-score of n-grams of characters and words",
    ),
    MetricSpec("chrF", "lslo_cli.search.metric:open_chrf", "F-score of n-grams of characters"),
    MetricSpec(
        "TER",
        "lslo_cli.search.metric:open_ter",
        "edits per word of the reference, in percent",
        higher_is_better=False,
    ),
)


def metric_named(name: str) -> MetricSpec:
    """The metric of a name in any capitalisation. Raises ValueError for another, listing the metrics."""
    known = {spec.name.lower(): spec for spec in METRICS}
    if name.lower() not in known:
        raise ValueError(f"unknown metric '{name}'; metrics: {', '.join(spec.name for spec in METRICS)}")
    return known[name.lower()]
