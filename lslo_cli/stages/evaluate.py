"""Evaluation: beam search over every direction, scored by direction and by resource group (section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.artifacts.results import EvaluationResult
from lslo_cli.artifacts.schema import LanguageRecord
from lslo_cli.errors import UsageError
from lslo_cli.method.languages import Direction
from lslo_cli.method.statistics import group_means
from lslo_cli.mt.metric import SpBleu
from lslo_cli.nn.route import Route
from lslo_cli.stages.setup import Setup
from lslo_cli.stages.translation import (
    Translations,
    direction_score,
    open_log,
    score_directions,
    sources_and_references,
    translate_all,
)

SEARCH_SETTINGS = {"beam", "mode", "length_penalty", "max_length_a", "max_new_tokens"}


def evaluate(
    setup: Setup, run: str, route: Route | None, metric: SpBleu, weights: str | None = None
) -> tuple[EvaluationResult, Translations]:
    """Translate and score the test split; also returns the hypotheses by direction.

    ``route`` is that of the run's adapters, None for the base model or after full fine-tuning; ``weights``
    the digest of what was trained, for the log that an interrupted evaluation goes on from. Raises
    UsageError for a direction outside the experiment, and InputError where no direction has text.
    """
    recipe = setup.recipe
    corpus = setup.corpus(recipe.data.test, recipe.data.test_rows)
    sources, references = sources_and_references(corpus, chosen_directions(setup))
    log = open_log(setup, sources, weights)
    hypotheses = translate_all(setup, sources, route, f"translating with {run}", setup.on_event, log)
    scores = score_directions(metric, hypotheses, references)
    spbleu = {direction: score.spbleu for direction, score in scores.items()}
    chrf = {direction: score.chrf for direction, score in scores.items()}
    any_score = next(iter(scores.values()))
    result = EvaluationResult(
        run=run,
        languages=[LanguageRecord.of(language) for language in setup.languages],
        search=recipe.evaluate.model_dump(mode="json", include=SEARCH_SETTINGS),
        spbleu_signature=any_score.signature,
        chrf_signature=any_score.chrf_signature,
        directions=[direction_score(d, len(references[d]), score) for d, score in scores.items()],
        groups=group_means(spbleu, setup.languages),
        average=fmean(spbleu.values()),
        chrf_groups=group_means(chrf, setup.languages),
        chrf_average=fmean(chrf.values()),
        hypotheses_digest=digest_of({str(direction): lines for direction, lines in hypotheses.items()}),
        metric_model_sha256=metric.sha256,
        metric_model_pieces=metric.pieces,
    )
    return result, hypotheses


def chosen_directions(setup: Setup) -> Sequence[Direction]:
    """The directions that the recipe names, or all. Raises UsageError for one outside the experiment."""
    named = [Direction.parse(text) for text in setup.recipe.evaluate.directions]
    for direction in named:
        if direction not in setup.directions:
            raise UsageError(
                f"direction '{direction}' is not among this experiment's",
                f"its languages are {', '.join(setup.codes)}",
            )
    return named or setup.directions
