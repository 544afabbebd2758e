import pytest
import torch

from lslo_cli.method.ranks import RankMap
from lslo_cli.method.strategy import paper
from lslo_cli.nn.attach import attach
from lslo_cli.nn.updates import overlaps
from tests.adapters import ADAPTERS

LANGUAGES = ("en", "de", "wo")


@pytest.fixture
def adapters(model):
    """English and German share their updates at rank 2, Wolof has its own of rank 4."""
    torch.manual_seed(1)
    made = attach(model, paper(2, 1), RankMap({"en": 2, "de": 2, "wo": 4}), LANGUAGES, ADAPTERS)
    for adapter in made.by_site.values():
        torch.nn.init.normal_(adapter.lora_B)
        english, german = (adapter.matrices(slot) for slot in (0, 1))
        for name in ("A", "B"):
            german[name].copy_(english[name])
    return made


def test_equal_updates_overlap_wholly_and_others_by_their_cosine(adapters):
    found = overlaps(adapters)
    assert list(found) == list(LANGUAGES)
    assert found["en"] == pytest.approx([1.0, 1.0, found["wo"][0]])
    assert found["wo"][2] == pytest.approx(1.0)
    assert abs(found["wo"][0]) < 0.5


def test_the_factors_of_an_update_do_not_matter_and_its_sign_does(adapters):
    before = overlaps(adapters)
    for adapter in adapters.by_site.values():
        german = adapter.matrices(1)
        german["A"].mul_(3.0)
        german["B"].mul_(-0.5)
    after = overlaps(adapters)
    assert after["en"][1] == pytest.approx(-1.0)
    assert after["de"][2] == pytest.approx(-before["de"][2])


def test_a_language_that_adds_nothing_overlaps_with_none(adapters):
    for adapter in adapters.by_site.values():
        adapter.matrices(2)["B"].zero_()
    assert overlaps(adapters)["wo"] == [0.0, 0.0, 0.0]


def test_a_language_without_an_adapter_is_not_compared(model):
    made = attach(model, paper(2, 1), RankMap({"de": 2, "wo": 3}), LANGUAGES, ADAPTERS)
    assert list(overlaps(made)) == ["de", "wo"]
