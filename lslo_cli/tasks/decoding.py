"""Translate and score many directions at once; shared by evaluation and quality curves."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import torch
from accelerate.utils import gather_object

from lslo_cli.artifacts.evaluations import DirectionScore
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.data.corpus import Corpus
from lslo_cli.data.splits import HELD_OUT
from lslo_cli.errors import InputError, LsloError
from lslo_cli.events import Advanced, Finished, Noted, OnEvent, Started, Warned, ignore
from lslo_cli.method.languages import Direction, choose_directions
from lslo_cli.method.metrics import SPBLEU, metric_named
from lslo_cli.nn.route import Route
from lslo_cli.processes import context
from lslo_cli.recipe import SearchMode
from lslo_cli.search.beam import Ranked, best, ranked_search
from lslo_cli.search.generate import ranked_translations, target_limit
from lslo_cli.search.metric import BleuScore, Metric, MetricSettings, Score
from lslo_cli.search.stream import TranslationBatch, TranslationBatches
from lslo_cli.tasks.freshness import arithmetic
from lslo_cli.tasks.setup import Setup
from lslo_cli.tasks.translation_log import TranslationLog
from lslo_cli.tasks.translations import Translations
from lslo_cli.wording import counted, several

PARALLEL_SENTENCES = 10_000
"""The fewest sentences for which starting processes, which takes a second or two, pays off."""


def translate_all(
    setup: Setup, sources: Translations, route: Route | None, task: str, log: TranslationLog | None = None
) -> dict[Direction, list[str]]:
    """Translate every source sentence of every direction, in one stream sorted by length.

    ``route`` is that of the attached adapters, or None for a model without any. An empty source gives an
    empty translation. Several processes share the batches, and each returns all translations. Batches in
    ``log`` are not translated again; the others are added to it.
    """
    section, base = setup.recipe.evaluate, setup.base
    batches = TranslationBatches(
        sources, base.tokenizer, setup.codes, max_tokens=section.max_tokens, max_length=setup.max_length
    )
    if batches.truncated:
        long = counted(batches.truncated, "source")
        setup.on_event(Warned(f"cut {long} at {setup.length_limit(setup.max_length)}"))
    processes = setup.accelerator.num_processes
    mine = range(setup.accelerator.process_index, len(batches), processes)
    finished = log.finished if log else {}
    done = [pair for n in mine if n in finished for pair in zip(batches[n].keys, finished[n], strict=True)]
    if finished:
        there = sum(map(len, finished.values()))
        total = counted(sum(map(len, batches)), "sentence")
        setup.on_event(Noted(f"{task}: {there} of {total} already translated"))
    missing = [number for number in mine if number not in finished]
    for number, batch, ranked in searched(setup, route, batches, missing, task, processes=processes):
        translations = [base.tokenizer.decode(pieces) for pieces in best(ranked)]
        if log:
            log.add(number, translations)
        done += zip(batch.keys, translations, strict=True)
    return batches.in_order(gather_object(done))


@torch.no_grad()
def searched(
    setup: Setup,
    route: Route | None,
    batches: TranslationBatches,
    numbers: Sequence[int],
    task: str,
    *,
    count: int = 1,
    processes: int = 1,
) -> Iterator[tuple[int, TranslationBatch, list[list[Ranked]]]]:
    """The batches of these ``numbers``, each with its number and the best ``count`` of every sentence.

    Progress is told as each batch is done with, and at the end how many translations may be cut. If several
    ``processes`` share the batches, each has its own numbers, and all have to go through to the end.
    """
    sizes = [len(batch) for batch in batches]
    total, left = sum(sizes), sum(sizes[number] for number in numbers)
    setup.on_event(Started(task, total, "sentences", max(0, total - left * processes)))
    setup.base.model.eval()
    cut: Counter[bool] = Counter()
    for number in numbers:
        batch = batches[number].to(setup.accelerator.device)
        with setup.accelerator.autocast():
            ranked = _search(setup, batch, route or Route(), count)
        cut += _cut_short(setup, batch, ranked)
        yield number, batch, ranked
        left -= len(batch)
        setup.on_event(Advanced(task, max(0, total - left * processes)))
    setup.on_event(Finished(task))
    _note_cut(setup, sum(gather_object([cut]), Counter()) if processes > 1 else cut)


def open_log(setup: Setup, sources: Translations, depends_on: object) -> TranslationLog | None:
    """The log of translating ``sources`` in the setup's work folder; None if it has no such folder.

    ``depends_on`` is what the translations depend on besides text, base model and settings. Every process has
    its own log, and knows what is in all of them: they may be of another number of processes.
    """
    if setup.work is None:
        return None
    text = {str(direction): list(lines) for direction, lines in sources.items()}
    fingerprint = digest_of([text, *translated_with(setup), depends_on])
    own = setup.work / f"translations-{setup.accelerator.process_index}.jsonl"
    others = [path for path in setup.work.glob("translations-*.jsonl") if path != own]
    return TranslationLog(own, fingerprint, others)


def translated_with(setup: Setup) -> list[Any]:
    """All that translations depend on besides the text and trained weights, for a digest."""
    recipe, base = setup.recipe, setup.base.identity
    return [
        base.digest,
        base.settings,
        setup.codes,
        recipe.new_languages,
        recipe.evaluate.model_dump(mode="json", exclude={"metrics"}),
        recipe.data.max_length,
        arithmetic(recipe.run),
    ]


def _search(setup: Setup, batch: TranslationBatch, route: Route, count: int) -> list[list[Ranked]]:
    """The best ``count`` translations of a batch's sentences by the recipe's search, as pieces and scores."""
    section = setup.recipe.evaluate
    settings: dict[str, Any] = {
        "count": count,
        "beam": section.beam,
        "max_length_a": section.max_length_a,
        "max_length_b": section.max_new_tokens,
        "length_penalty": section.length_penalty,
        "no_repeat_ngram": section.no_repeat_ngram,
    }
    if section.mode is SearchMode.FAIRSEQ:
        return ranked_search(setup.base, batch, route, **settings)
    with route.of(batch.source_language, batch.target_language):
        return ranked_translations(setup.base, batch, **settings)


def _cut_short(setup: Setup, batch: TranslationBatch, ranked: Sequence[Sequence[Ranked]]) -> Counter[bool]:
    """The number of sentences whose best hypothesis ended at the limit on its length, not by itself.

    Those for which the model's own positions are the limit are counted under True.
    """
    section = setup.recipe.evaluate
    longest = int(section.max_length_a * batch.input_ids.shape[1] + section.max_new_tokens)
    # Both searches count the language token; at the limit transformers leaves out </s>, for one more piece.
    before = batch.prompt_ids.shape[1] - batch.prefix - 1 - (section.mode is SearchMode.PLAIN)
    limit = target_limit(setup.base.model, longest)
    cut = sum(len(pieces) + before >= limit for pieces in best(ranked))
    return Counter({limit < longest: cut})


def _note_cut(setup: Setup, cut: Counter[bool]) -> None:
    """Tell how many translations ended at the limit on their length, if any did, and which limit it was."""
    for is_models, number in sorted(cut.items()):
        way_out = f"raise evaluate.max_new_tokens, now {setup.recipe.evaluate.max_new_tokens}"
        if is_models:
            limit = target_limit(setup.base.model, sys.maxsize)
            way_out = f"at most {counted(limit, 'token')} fit the number of positions of the base model"
        if number:
            translations = counted(number, "translation")
            setup.on_event(Warned(f"{translations} ended at the limit on length and may be cut: {way_out}"))


def sources_and_references(
    corpus: Corpus, directions: Sequence[Direction], on_event: OnEvent = ignore
) -> tuple[Translations, Translations]:
    """Source sentences and their references by direction; one without text is left out, as a note tells.

    Raises InputError if no direction has text.
    """
    pairs = {direction: corpus.pairs(direction) for direction in directions}
    present = {direction: both for direction, both in pairs.items() if both[0]}
    if not present:
        raise InputError(
            f"no sentence to translate: the test text has no pair for {', '.join(map(str, directions))}",
            "name another split with --set data.test=NAME, or other directions",
        )
    note_absent(directions, present, on_event)
    return ({d: src for d, (src, _) in present.items()}, {d: tgt for d, (_, tgt) in present.items()})


def note_absent(directions: Sequence[Direction], present: Collection[Direction], on_event: OnEvent) -> None:
    """Tell which directions have no test text, if any have none."""
    if absent := [direction for direction in directions if direction not in present]:
        on_event(Noted(f"no test text for {several(absent)}: left out"))


def note_untested(setup: Setup) -> None:
    """Tell before a training which directions cannot be tested, if there is a test text."""
    recipe = setup.recipe
    if recipe.data.test in (HELD_OUT, recipe.data.train):
        return
    with suppress(LsloError):  # what is missing, damaged or unknown is said where it is needed
        corpus = setup.read(recipe.data.test)
        chosen = choose_directions(recipe.evaluate.directions, setup.languages)
        if absent := [direction for direction in chosen if not corpus.size(direction)]:
            setup.on_event(Noted(f"no test text for {several(absent)}: evaluation will leave them out"))


def score_directions(
    metrics: Mapping[str, Metric], sources: Translations, hypotheses: Translations, references: Translations
) -> dict[Direction, dict[str, Score]]:
    """Score every direction by every metric; directions that share references are scored together.

    Large jobs use as many processes as torch has threads.
    """
    sharing: dict[tuple[str, ...], list[Direction]] = {}
    for direction in hypotheses:
        sharing.setdefault(tuple(references[direction]), []).append(direction)
    tasks = [
        (name, metric, ([sources[d] for d in group], [hypotheses[d] for d in group], shared))
        for name, metric in metrics.items()
        for shared, group in sharing.items()
    ]
    processes = min(torch.get_num_threads(), len(tasks))
    if processes <= 1 or sum(map(len, hypotheses.values())) < PARALLEL_SENTENCES:
        found = [metric.scores(*texts) for _, metric, texts in tasks]
    else:
        interrupt = (signal.SIGINT, signal.SIG_IGN)  # only this process handles interrupts
        with ProcessPoolExecutor(processes, context(), signal.signal, interrupt) as pool:
            waiting = [pool.submit(metric.scores, *texts) for _, metric, texts in tasks]
            found = [each.result() for each in waiting]
    scores: dict[Direction, dict[str, Score]] = {direction: {} for direction in hypotheses}
    for (name, _, (*_, shared)), group_scores in zip(tasks, found, strict=True):
        for direction, score in zip(sharing[shared], group_scores, strict=True):
            scores[direction][name] = score
    return scores


def direction_score(direction: Direction, sentences: int, scores: Mapping[str, Score]) -> DirectionScore:
    """Scores as the artifact holds them."""
    bleu = scores.get(SPBLEU)
    statistics: dict[str, Any] = {}
    if isinstance(bleu, BleuScore):
        statistics = {
            "counts": list(bleu.counts),
            "totals": list(bleu.totals),
            "hypothesis_length": bleu.sys_len,
            "reference_length": bleu.ref_len,
        }
    return DirectionScore(
        src=direction.src,
        tgt=direction.tgt,
        sentences=sentences,
        scores={name: score.value for name, score in scores.items()},
        **statistics,
    )


def open_metrics(setup: Setup, names: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics of these names, or by default the recipe's.

    Raises InputError if a file that one needs is missing or damaged.
    """
    section, folder = setup.recipe.evaluate, setup.base.folder
    if folder is None:
        raise ValueError("metrics may read the files of the base model, but this one was never saved")
    settings = MetricSettings(section.metric_model, folder, setup.on_event, setup.place)
    return {name: metric_named(name).open(settings) for name in names or section.metrics}
