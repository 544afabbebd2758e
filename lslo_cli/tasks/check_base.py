"""Check a base model against the scores that were published for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from lslo_cli.errors import InputError
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.languages import LANG12, LANGUAGES, Direction, directions
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.recipe import Recipe
from lslo_cli.tasks.decoding import (
    direction_score,
    open_metrics,
    score_directions,
    sources_and_references,
    translate_all,
)
from lslo_cli.tasks.setup import prepare


@dataclass(frozen=True)
class Anchor:
    """A published score: mean spBLEU over ``directions``, right if at most ``tolerance`` away.

    ``reference_length`` is the number of pieces of the references, if it was published: it depends only on
    the text and the sentencepiece model, and must match exactly.
    """

    source: str
    directions: tuple[Direction, ...]
    spbleu: float
    tolerance: float
    reference_length: int | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of its languages."""
        return tuple(dict.fromkeys(code for pair in self.directions for code in (pair.src, pair.tgt)))


@dataclass(frozen=True)
class AnchorVerdict:
    """The scores measured for an anchor; ``reference_length`` is the sum over its directions."""

    name: str
    anchor: Anchor
    spbleu: float
    reference_length: int

    @property
    def same_text(self) -> bool:
        """Whether text and sentencepiece model are those of the published score, as far as is known."""
        return self.anchor.reference_length in (None, self.reference_length)

    @property
    def passed(self) -> bool:
        return self.same_text and abs(self.spbleu - self.anchor.spbleu) <= self.anchor.tolerance


ANCHORS: Mapping[str, Anchor] = {
    "ny-sw": Anchor(
        "Nyanja to Swahili on devtest, M2M-124 615M, FLORES-101's README",
        (Direction("ny", "sw"),),
        spbleu=12.4,
        tolerance=0.1,
        reference_length=36_999,
    ),
    "lang12": Anchor(
        "mean of the 132 directions of lang12 on devtest, the paper's table 1, Pretrain",
        directions(LANGUAGES[code] for code in LANG12),
        spbleu=12.26,
        tolerance=0.1,
    ),
}
"""Scores of M2M-124 615M with beam 5 on FLORES-101; tolerances allow for rounding and half precision."""


def check_base(
    recipe: Recipe, anchors: Mapping[str, Anchor], on_event: OnEvent = ignore
) -> list[AnchorVerdict]:
    """Translate the recipe's test text with its base model, and compare with every anchor.

    Raises InputError if the model, the text or the sentencepiece model cannot be used.
    """
    setup = prepare(recipe, on_event=on_event)
    metrics = open_metrics(setup, [SPBLEU])
    corpus = setup.corpus(setup.recipe.data.test, recipe.data.test_rows)

    def verdict(name: str, anchor: Anchor) -> AnchorVerdict:
        sources, references = sources_and_references(corpus, anchor.directions)
        if absent := [str(pair) for pair in anchor.directions if pair not in sources]:
            raise InputError(
                f"the test text has no pair for {', '.join(absent)}, which '{name}' needs",
                "give --data with all of FLORES-101",
            )
        hypotheses = translate_all(setup, sources, None, f"translating for {name}")
        scores = score_directions(metrics, sources, hypotheses, references)
        rows = [direction_score(pair, len(references[pair]), found) for pair, found in scores.items()]
        spbleu = fmean(row.scores[SPBLEU] for row in rows)
        return AnchorVerdict(name, anchor, spbleu, sum(row.reference_length for row in rows))

    return [verdict(name, anchor) for name, anchor in anchors.items()]
