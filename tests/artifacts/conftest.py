"""Small artifacts as a run would leave them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lslo_cli import __version__
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import IndexStrategyResult, LearnedWeights, PrunedTable, SubspaceResult
from lslo_cli.artifacts.schema import Artifact, LanguageRecord, Made, ModelIdentity, Result
from lslo_cli.method.importance import Pool
from lslo_cli.method.languages import LANGUAGES
from lslo_cli.method.strategy import Index

Make = Callable[..., Artifact[Any]]


@pytest.fixture
def index_strategy() -> IndexStrategyResult:
    return IndexStrategyResult(
        rank=8,
        layers=[
            LearnedWeights(layer="encoder.1", source_weight=0.6, target_weight=0.4, index=Index.SOURCE),
            LearnedWeights(layer="decoder.1", source_weight=0.1, target_weight=0.9, index=Index.TARGET),
        ],
        trajectory=[[0.5, 0.5], [0.6, 0.1]],
        history=[],
    )


@pytest.fixture
def subspace() -> SubspaceResult:
    return SubspaceResult(
        pool=Pool.LAYER,
        rank=8,
        target_ratio=0.7,
        pruned=PrunedTable(rows=[("encoder.1.q", "en", "B", 90, 100), ("encoder.1.q", "wo", "B", 50, 100)]),
        scores={"en": 20.0, "wo": -20.0},
        mean_rank=4.0,
        ranks={"en": 2, "wo": 6},
        history=[],
    )


@pytest.fixture
def make() -> Make:
    """Wrap a result in an artifact; keywords replace what surrounds it."""

    def make(result: Result, **replaced: Any) -> Artifact[Any]:
        fields: dict[str, Any] = {
            "schema_id": f"lslo/{result.kind}",
            "version": result.version,
            "experiment": "tiny",
            "seed": 2,
            "languages": [LanguageRecord.of(LANGUAGES[code]) for code in ("en", "wo")],
            "recipe": {"train": {"gps": 0.9}},
            "inputs": [],
            "data": [],
            "model": ModelIdentity(
                name="tiny",
                revision=None,
                digest="b" * 64,
                encoder_layers=1,
                decoder_layers=1,
                d_model=16,
                ffn_dim=32,
                vocab_size=50,
                parameters=5000,
            ),
            "result": result,
            "digest": digest_of(result.model_dump(mode="json")),
            "made": Made(
                version=__version__,
                commit=None,
                dirty=None,
                packages={},
                python="3.11",
                device="cpu",
                command="lslo weight-learn",
                started="2026-01-01T00:00:00+00:00",
                seconds=1.5,
            ),
        }
        return Artifact[type(result)](**(fields | replaced))

    return make
