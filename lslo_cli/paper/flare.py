"""Read FLARE's headline table, average ranks and ablation, and list the paper's claims about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lslo_cli.parsing import parse_toml

Scores = Mapping[str, Mapping[str, float]]
"""By method, then by task."""


@dataclass(frozen=True)
class FlareTable:
    """The paper's printed averages over target languages, by model.

    ``metrics`` are by task. ``scores`` and ``ranks`` are by model; ranks are over the tasks, of the methods
    trained on the target language. ``fusion_functions`` are the scores of XLM-R Large by phi.
    """

    metrics: Mapping[str, str]
    scores: Mapping[str, Scores]
    ranks: Mapping[str, Mapping[str, float]]
    fusion_functions: Scores

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.scores)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.metrics)


@cache
def flare_table() -> FlareTable:
    """The paper's numbers."""
    text = (resources.files("lslo_cli.paper") / "flare.toml").read_text(encoding="utf-8")
    data = parse_toml(text)
    tasks = data["tasks"]
    return FlareTable(
        metrics=dict(zip(tasks, data["metrics"], strict=True)),
        scores={model: _by_task(rows, tasks) for model, rows in data["scores"].items()},
        ranks=data["ranks"],
        fusion_functions=_by_task(data["fusion_functions"], tasks),
    )


def _by_task(rows: Mapping[str, Any], tasks: Sequence[str]) -> Scores:
    return {name: dict(zip(tasks, row, strict=True)) for name, row in rows.items()}


@dataclass(frozen=True)
class FlareClaim:
    """A claim: ``run`` scores higher than each of ``others``, by the names of runs in an experiment."""

    text: str
    run: str
    others: tuple[str, ...]


_FLARE = "flare:add-relu:1"

FLARE_CLAIMS: tuple[FlareClaim, ...] = (
    FlareClaim("Fusing in adapters beats a plain LoRA of the same size", _FLARE, ("lora",)),
    FlareClaim(
        "FLARE beats the other ways to use the source text",
        _FLARE,
        ("translate-test", "input-fusion", "x-mixup"),
    ),
    FlareClaim("Training on the target language beats leaving it out", "lora", ("zero-shot",)),
    FlareClaim(
        "A translation encoder's states of the target text help too", "flare-mt", ("lora", "zero-shot")
    ),
    FlareClaim(
        "relu(S) + relu(T) is the best fusion function",
        _FLARE,
        ("flare:add:1", "flare:mul:1", "flare:cross-attention:1"),
    ),
)
"""The claims about the headline table and the ablation. ``flare-mt`` stands for every run of it."""
