"""Evaluation: beam search over every direction, scored by direction and by resource group (section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.evaluations import EvaluationResult, MetricSummary
from lslo_cli.artifacts.folder import BASE_RUN, EvaluationFolder, RunFolder
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.artifacts.schema import Artifact, LanguageRecord
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.method.base_dtype import BaseDtype
from lslo_cli.method.languages import Direction, Language, choose_directions
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.method.statistics import group_means
from lslo_cli.nn.route import Route
from lslo_cli.recipe import EvaluateSection, Method, recorded
from lslo_cli.search.metric import Metric, Score, SpBleu
from lslo_cli.tasks.decoding import (
    Translations,
    direction_score,
    note_absent,
    open_log,
    open_metrics,
    score_directions,
    sources_and_references,
    translate_all,
)
from lslo_cli.tasks.evaluations import bring_back, keep, place
from lslo_cli.tasks.experiment import Experiment, Upstream, Written, read_training
from lslo_cli.tasks.held_out import TrainedOn, check_held_out
from lslo_cli.tasks.job import ArtifactJob, experiment_job
from lslo_cli.tasks.model_card import write_card
from lslo_cli.tasks.setup import Setup, check_at_hand, prepare
from lslo_cli.tasks.trained_for import check_trained_for, runs_to_evaluate, with_new_languages
from lslo_cli.tasks.translations import digest_of_translations, read_hypotheses, write_translations
from lslo_cli.tasks.weights import load_weights

SEARCH_SETTINGS = {"beam", "mode", "length_penalty", "max_length_a", "max_new_tokens"}
BLEU_STATISTICS = {"counts", "totals", "hypothesis_length", "reference_length"}


def evaluate(
    experiment: Experiment, *, runs: Sequence[str] = (), force: bool = False, on_event: OnEvent = ignore
) -> list[Written]:
    """Translate and score the test split with the base model and every trained run, or with ``runs``.

    Runs of other languages are left out unless named, each with a note. A run whose evaluation is up to date
    is not translated again unless ``force``. An interrupted evaluation continues after its last finished
    batch, to the same result, and so does one with ``force``. One with some of the directions or rows of
    another is kept beside it, see :mod:`lslo_cli.tasks.evaluations`. Before any run is evaluated, raises for
    one that does not fit or was trained on the test text.
    """
    folders = runs_to_evaluate(experiment, runs, on_event)
    experiment = with_new_languages(experiment, folders)
    trainings = {
        folder: read_training(experiment.folder, folder) for folder in folders if folder.name != BASE_RUN
    }
    if trainings and len(folders) > 1:  # else the only one is checked as it is evaluated
        check_at_hand(experiment.recipe, testing=True)
        setup = prepare(experiment.recipe, weights=False)
        for folder, training in trainings.items():
            trained_here(folder, training).check(setup)
    written = []
    for folder in folders:
        if folder not in trainings:
            written.append(evaluate_run(experiment, folder, None, force, on_event))
            continue
        training = trainings[folder]
        if training.seed != (seed := experiment.recipe.seed):
            told = f"{folder.name} was trained with seed {training.seed}, and the experiment's is {seed}"
            on_event(Noted(f"{told}: comparisons, reports and figures refuse a folder of two seeds"))
        adaptation = trained_here(folder, training)
        written.append(evaluate_run(as_trained(experiment, training), folder, adaptation, force, on_event))
    return written


def as_trained(experiment: Experiment, training: Artifact[TrainingResult]) -> Experiment:
    """The experiment with a run's seed and base: number format, relatives of new languages.

    A format other than float32 in the recipe takes precedence, except after full fine-tuning, where no base
    is frozen. Where the seed chooses the rows that are held out for testing, it stays the experiment's.
    """
    recipe, new = experiment.recipe, training.result.new_languages
    if new.keys() == recipe.new_languages.keys():
        recipe = recipe.model_copy(update={"new_languages": new})
    run = recipe.run
    if training.result.method == Method.FULL:
        base_dtype = BaseDtype.FLOAT32
    elif run.base_dtype is not BaseDtype.FLOAT32:
        base_dtype = run.base_dtype
    else:
        made_with = recorded(training.recipe)
        base_dtype = made_with.run.base_dtype if made_with else run.base_dtype
    seed = training.seed if recipe.data.hold_out is None else recipe.seed
    run = run.model_copy(update={"base_dtype": base_dtype})
    return replace(experiment, recipe=recipe.model_copy(update={"run": run, "seed": seed}))


@dataclass(frozen=True)
class Adaptation:
    """What an evaluation loads onto the base model, and what it was made from.

    ``check`` raises if it does not fit the setup, and ``load`` returns the route of its adapters.
    """

    source: Upstream
    weights: str
    check: Callable[[Setup], None]
    load: Callable[[Setup], Route | None]


def trained_here(folder: RunFolder, training: Artifact[TrainingResult]) -> Adaptation:
    """The weights that a run trained, in its folder."""

    def check(setup: Setup) -> None:
        check_trained_for(setup, folder, training)
        check_held_out(setup, folder.name, TrainedOn.of(training))

    source = Upstream("training", folder.training, training.digest)
    return Adaptation(source, training.result.weights.digest, check, lambda s: load_run(s, folder, training))


def evaluate_run(
    experiment: Experiment, folder: RunFolder, trained: Adaptation | None, force: bool, on_event: OnEvent
) -> Written:
    """Evaluate the weights that were ``trained``, or the base model, as the run in ``folder``."""
    there = place(folder, experiment.recipe)
    with experiment_job(
        experiment,
        there.evaluation,
        work=there.checkpoint,
        owned=there.texts,
        testing=True,
        check=trained.check if trained else None,
        on_event=on_event,
    ) as job:
        if place(folder, experiment.recipe) == there:
            if trained:
                job.upstream.append(trained.source)
            written = _evaluation(job, folder, there, trained, force)
            # The model card of a run trained in its folder has its scores, once it is fully evaluated.
            if folder.training.is_file() and there == folder.whole:
                job.setup.on_main(lambda: write_card(folder))
            return written
    # Another process, which was waited for, has put a larger evaluation there.
    return evaluate_run(experiment, folder, trained, force, on_event)


def _evaluation(
    job: ArtifactJob[Setup],
    folder: RunFolder,
    there: EvaluationFolder,
    trained: Adaptation | None,
    force: bool,
) -> Written:
    """The evaluation in ``there``: as it is if it is up to date, with more metrics, or made anew."""
    setup, recipe = job.setup, job.experiment.recipe
    if there == folder.whole:
        setup.on_main(lambda: bring_back(folder, recipe))
    metrics = open_metrics(setup)
    current = None if force else _evaluated(job, metrics)
    if current:
        present = [row.direction for row in current.artifact.result.directions]
        note_absent(chosen_directions(setup), present, setup.on_event)
    if current and metrics.keys() <= current.artifact.result.metrics.keys():
        return current
    if current and (hypotheses := _kept_translations(there, current.artifact.result)):
        return job.write(_scored_again(setup, current.artifact.result, hypotheses, metrics))
    route = trained.load(setup) if trained else None
    digest = trained.weights if trained else None
    result, hypotheses = score_run(setup, folder.name, route, metrics, digest)
    corpus = setup.read(setup.recipe.data.test, setup.recipe.data.test_rows)
    if there == folder.whole:
        setup.on_main(lambda: keep(folder, recipe))
    setup.on_main(lambda: write_translations(there, corpus, hypotheses))
    return job.write(result)


def load_run(setup: Setup, folder: RunFolder, training: Artifact[TrainingResult]) -> Route | None:
    """Load a run's weights onto the freshly loaded base of ``setup``; returns the route of its adapters.

    Raises InputError for weights that are damaged or of another base model, UsageError for other languages.
    """
    check_trained_for(setup, folder, training)
    weights = store.read_tensor_path(folder.training, training.result.weights)
    return load_weights(setup, training.result, weights)


def _evaluated(job: ArtifactJob, metrics: Mapping[str, Metric]) -> Written | None:
    """The existing evaluation, if it is up to date and has the same sentencepiece model for spBLEU."""
    current = job.up_to_date(EvaluationResult)
    if current and SPBLEU in current.artifact.result.metrics:
        pieces = metrics.get(SPBLEU)
        if isinstance(pieces, SpBleu) and current.artifact.result.metric_model_sha256 != pieces.sha256:
            return None
    return current


def _kept_translations(there: EvaluationFolder, result: EvaluationResult) -> Translations | None:
    """The translations that an evaluation was made from; None unless all are there unchanged."""
    try:
        return read_hypotheses(there.evaluation, result)
    except InputError:
        return None


def _scored_again(
    setup: Setup, before: EvaluationResult, hypotheses: Translations, metrics: Mapping[str, Metric]
) -> EvaluationResult:
    """An evaluation with scores of more metrics for the same translations."""
    new = {name: metric for name, metric in metrics.items() if name not in before.metrics}
    setup.on_event(Noted(f"{before.run}: also scoring its translations by {', '.join(new)}"))
    corpus = setup.corpus(setup.recipe.data.test, setup.recipe.data.test_rows)
    sources, references = sources_and_references(corpus, list(hypotheses))
    added = _scored(setup, before.run, new, sources, hypotheses, references)
    rows = [
        row.model_copy(
            update={"scores": {**row.scores, **more.scores}}
            | ({} if SPBLEU not in new else more.model_dump(include=BLEU_STATISTICS))
        )
        for row, more in zip(before.directions, added.directions, strict=True)
    ]
    model = {"metric_model_sha256", "metric_model_pieces"}
    pieces = {} if SPBLEU not in new else added.model_dump(include=model)
    return before.model_copy(
        update={"directions": rows, "metrics": {**before.metrics, **added.metrics}} | pieces
    )


def score_run(
    setup: Setup, run: str, route: Route | None, metrics: Mapping[str, Metric], weights: str | None = None
) -> tuple[EvaluationResult, Translations]:
    """Translate and score the test split; also returns the hypotheses by direction.

    ``route`` is that of the run's adapters, None for the base model or after full fine-tuning; ``weights`` is
    the digest of the trained weights, for the log from which an interrupted evaluation continues. Raises
    UsageError for a direction outside the experiment, and InputError if no direction has text.
    """
    recipe = setup.recipe
    corpus = setup.corpus(recipe.data.test, recipe.data.test_rows)
    sources, references = sources_and_references(corpus, chosen_directions(setup), setup.on_event)
    log = open_log(setup, sources, weights)
    hypotheses = translate_all(setup, sources, route, f"translating with {run}", log)
    return _scored(setup, run, metrics, sources, hypotheses, references), hypotheses


def _scored(
    setup: Setup,
    run: str,
    metrics: Mapping[str, Metric],
    sources: Translations,
    hypotheses: Translations,
    references: Translations,
) -> EvaluationResult:
    """Translations scored by every metric: by direction, by group and on average."""
    scores = score_directions(metrics, sources, hypotheses, references)
    pieces = metrics.get(SPBLEU)
    return EvaluationResult(
        run=run,
        languages=[LanguageRecord.of(language) for language in setup.languages],
        search=_search_settings(setup.recipe.evaluate),
        metrics={name: _summary(name, scores, setup.languages) for name in metrics},
        directions=[direction_score(d, len(references[d]), found) for d, found in scores.items()],
        hypotheses_digest=digest_of_translations(hypotheses),
        metric_model_sha256=pieces.sha256 if isinstance(pieces, SpBleu) else "",
        metric_model_pieces=pieces.pieces if isinstance(pieces, SpBleu) else 0,
    )


def _search_settings(section: EvaluateSection) -> dict[str, Any]:
    """The search as recorded; only one that repeats no n-gram says so, as older records say nothing of it."""
    repeats = {"no_repeat_ngram"} if section.no_repeat_ngram else set()
    return section.model_dump(mode="json", include=SEARCH_SETTINGS | repeats)


def _summary(
    metric: str, scores: Mapping[Direction, Mapping[str, Score]], languages: Sequence[Language]
) -> MetricSummary:
    values = {direction: found[metric].value for direction, found in scores.items()}
    return MetricSummary(
        signature=next(iter(scores.values()))[metric].signature,
        groups=group_means(values, languages),
        average=fmean(values.values()),
    )


def chosen_directions(setup: Setup) -> Sequence[Direction]:
    """The directions that the recipe names, or all. Raises UsageError for one outside the experiment."""
    return choose_directions(setup.recipe.evaluate.directions, setup.languages)
