"""The targets of the measurements on a GPU, and the projected hours of the study on 12 languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

EPOCHS, STAGES = 15, 3
"""The trainings of the study on 12 languages: weight learning, estimation and the final training."""

PAIRS, TESTED, SENTENCE_TOKENS = 131_604, 133_584, 40
"""FLORES dev and devtest in 132 directions, and the tokens of one side of a pair."""

OURS, BY_DIRECTION = "ours with LSLo 2;2;8, mixed", "generate with LSLo 2;2;8, by direction"

Results = Mapping[str, Any]
"""Rows by section."""


@dataclass(frozen=True)
class Target:
    """A ratio that should be at most, or at least, ``bound``."""

    what: str
    bound: float
    ratio: Callable[[Results], float]
    at_least: bool = False

    def row(self, results: Results) -> dict[str, Any]:
        """The target beside the measured value, if there is one."""
        row = {"what": self.what, "target": f"at {'least' if self.at_least else 'most'} {self.bound}"}
        try:
            ratio = self.ratio(results)
        except (KeyError, TypeError, ZeroDivisionError):  # a section or a variant failed
            return row | {"measured": None, "reached": "not measured"}
        is_reached = ratio >= self.bound if self.at_least else ratio <= self.bound
        return row | {"measured": ratio, "reached": "yes" if is_reached else "no"}


def _steps(results: Results, name: str, column: str = "over frozen") -> float:
    return _row(results["train_step"], name)[column]


def _row(rows: Any, name: str) -> Mapping[str, Any]:
    """The row of a variant. Raises KeyError if there is none."""
    for row in rows:
        if row["variant"] == name:
            return row
    raise KeyError(name)


def _loss_memory(results: Results) -> float:
    rows = results["loss"]
    return next(row["memory over naive"] for row in rows if row["variant"].endswith("ours"))


def _decoding(results: Results) -> float:
    return _row(results["decode"], BY_DIRECTION)["time over ours"]


SMALL, LARGE, FULL = "LSLo 2;2;8", "LSLo 2;2;64", "full fine-tuning"

TARGETS = (
    Target("LSLo step over frozen-base step, 2;2;8", 1.15, lambda r: _steps(r, SMALL)),
    Target("the same, 2;2;64", 1.15, lambda r: _steps(r, LARGE)),
    Target("full fine-tuning step over LSLo step", 1.2, lambda r: _steps(r, FULL) / _steps(r, SMALL), True),
    Target(
        "step of PEFT's single LoRA over LSLo step",
        1.0,
        lambda r: _steps(r, "PEFT one LoRA r=8") / _steps(r, SMALL),
        True,
    ),
    Target(
        "PEFT by language in a mixed batch over LSLo step",
        2.0,
        lambda r: _steps(r, "PEFT by language 2;2;8") / _steps(r, SMALL),
        True,
    ),
    Target(
        "100 languages over 12, same tokens",
        1.05,
        lambda r: _steps(r, "LSLo 2;2;8, 100 languages") / _steps(r, SMALL),
    ),
    Target("memory saved for backward over frozen", 1.1, lambda r: _steps(r, SMALL, "saved over frozen")),
    Target(
        "memory of training, LSLo over full",
        0.4,
        lambda r: _steps(r, SMALL, "training MiB") / _steps(r, FULL, "training MiB"),
    ),
    Target("loss memory over all logits", 0.15, _loss_memory),
    Target("decoding: generate by direction over ours", 5.0, _decoding, True),
)


def targets(results: Results) -> list[dict[str, Any]]:
    """One row for each target."""
    return [target.row(results) for target in TARGETS]


def projection(results: Results) -> dict[str, float]:
    """Hours of the study on 12 languages at the measured rates: three trainings and one evaluation."""
    tokens = 2 * PAIRS * SENTENCE_TOKENS * EPOCHS * STAGES
    rate = results["pipeline"]["loop"][0]["tokens/s"]
    sentences = _row(results["decode"], OURS)["sentences per second"]
    return {"training hours": tokens / rate / 3600, "evaluation hours": TESTED / sentences / 3600}
