import random

import pytest
import torch

from lslo_cli.method.languages import Direction
from lslo_cli.method.metrics import metric_named
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.search.metric import SpBleu
from lslo_cli.tasks.decoding import score_directions

DIRECTIONS = [
    Direction(src, tgt) for src in ("qta", "qso", "qki") for tgt in ("qta", "qka", "qso") if src != tgt
]


@pytest.fixture
def translations(tiny):
    """References of some directions, with a gap in those from qki, and hypotheses somewhat like them."""
    lines = {
        code: (tiny.text / "test" / f"{code}.test").read_text(encoding="utf-8").splitlines()[:5]
        for code in ("qta", "qso", "qka")
    }
    references = {direction: lines[direction.tgt][direction.src == "qki" :] for direction in DIRECTIONS}
    shuffled = random.Random(1)
    hypotheses = {
        direction: [" ".join(word for word in line.split() if shuffled.random() < 0.8) for line in side]
        for direction, side in references.items()
    }
    return hypotheses, references


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_every_direction_is_scored_against_its_own_references(tiny, translations):
    metric = SpBleu(tiny.base / SENTENCEPIECE)
    hypotheses, references = translations
    scores = score_directions({"spBLEU": metric}, references, hypotheses, references)
    assert list(scores) == DIRECTIONS
    assert scores == {d: {"spBLEU": metric.scores([], [hypotheses[d]], references[d])[0]} for d in DIRECTIONS}


def test_scores_are_the_same_from_several_processes_and_in_any_order(
    tiny, translations, two_threads, monkeypatch
):
    metric = SpBleu(tiny.base / SENTENCEPIECE)
    hypotheses, references = translations
    metrics = {"spBLEU": metric, "TER": metric_named("TER").open(None)}
    alone = score_directions(metrics, references, hypotheses, references)
    monkeypatch.setattr("lslo_cli.tasks.decoding.PARALLEL_SENTENCES", 1)
    reverse = dict(reversed(hypotheses.items()))
    assert score_directions(metrics, references, reverse, references) == alone
