"""Anchors: a model passes where it gives the published score on the published text, and else fails."""

from dataclasses import replace

import pytest

from lslo_cli.errors import InputError
from lslo_cli.method.languages import LANGUAGES, Direction, directions
from lslo_cli.tasks.check_base import ANCHORS, Anchor, check_base

FAKE = Anchor("nobody", (Direction("qta", "qso"), Direction("qso", "qki")), spbleu=50.0, tolerance=0.1)


@pytest.fixture(scope="module")
def found(tiny):
    """What the tiny model gives where nothing was published."""
    (verdict,) = check_base(tiny.recipe(), {"fake": FAKE})
    return verdict


def test_an_anchor_that_is_not_reached_fails(found):
    assert not found.passed and found.same_text
    assert 0 <= found.spbleu < 40 and found.reference_length > 0


def test_an_anchor_that_is_reached_passes(tiny, found):
    right = replace(FAKE, spbleu=found.spbleu + 0.05, reference_length=found.reference_length)
    shorter = replace(right, reference_length=found.reference_length - 1)
    off = replace(right, spbleu=found.spbleu + 0.2)
    verdicts = check_base(tiny.recipe(), {"right": right, "shorter": shorter, "off": off})
    assert [verdict.passed for verdict in verdicts] == [True, False, False]
    assert [verdict.same_text for verdict in verdicts] == [True, False, True]


def test_text_without_a_direction_is_refused(tiny):
    anchor = replace(FAKE, directions=(*FAKE.directions, Direction("qta", "qne")))
    with pytest.raises(InputError, match="has no pair for qta-qne, which 'fake' needs"):
        check_base(tiny.recipe(), {"fake": anchor})


def test_the_published_anchors_are_those_of_the_papers():
    assert ANCHORS["ny-sw"].languages == ("ny", "sw")
    assert (ANCHORS["ny-sw"].spbleu, ANCHORS["ny-sw"].reference_length) == (12.4, 36_999)
    assert len(ANCHORS["lang12"].directions) == 132 and ANCHORS["lang12"].spbleu == 12.26
    assert set(ANCHORS["lang12"].directions) <= set(directions(LANGUAGES.values()))
