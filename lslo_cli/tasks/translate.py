"""Translating a user's text with a base model or a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any

from lslo_cli.artifacts.adapter_config import is_elsewhere
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.provenance import digest_of
from lslo_cli.data.sentences import join_line, split_line
from lslo_cli.data.to_translate import Line
from lslo_cli.errors import UsageError, nearest
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.codes import find_code
from lslo_cli.method.languages import Direction
from lslo_cli.nn.route import Route
from lslo_cli.recipe import with_values
from lslo_cli.search.generate import target_limit
from lslo_cli.search.stream import TranslationBatches
from lslo_cli.tasks.adapter_folder import open_folder, weights_digest
from lslo_cli.tasks.decoding import searched, translated_with
from lslo_cli.tasks.evaluate import as_trained, load_run
from lslo_cli.tasks.experiment import Experiment, read_training
from lslo_cli.tasks.setup import Setup, prepare
from lslo_cli.tasks.trained_for import with_new_languages

BUFFER = 1000
"""Lines to translate at a time."""


@dataclass(frozen=True)
class Translator:
    """A model ready to translate; ``route`` is that of a run's adapters, ``run`` its name or ``base``.

    ``weights`` is the digest of the trained weights, None for the base model.
    """

    setup: Setup
    route: Route | None
    run: str
    weights: str | None = None


@dataclass(frozen=True)
class Translation:
    """A translated line, and its score: log-probability over length to the power of the length penalty.

    The score of a line translated in parts is their mean; that of an empty line is 0.
    """

    text: str
    score: float


Found = tuple[tuple[Translation, ...], ...]
"""The translations of a line: for each target the n best, best first."""


def open_translator(
    experiment: Experiment,
    run: str = BASE_RUN,
    on_event: OnEvent = ignore,
    given: Mapping[str, Any] | None = None,
) -> Translator:
    """Load the experiment's base model and the weights of ``run`` onto it.

    A run given as a folder or a hub id brings its own settings, except those ``given`` by recipe key. The
    base model alone translates between all its languages. Raises InputError for an unknown run, naming the
    known ones, and for one of another base model; UsageError for one of other languages.
    """
    if run == BASE_RUN:
        return Translator(prepare(experiment.recipe, on_event=on_event, all_languages=True), None, run)
    if is_elsewhere(run):
        setup, route = open_folder(run, given, on_event)
        return Translator(setup, route, run, weights_digest(run))
    folder = experiment.folder.run(run)
    training = read_training(experiment.folder, folder)
    experiment = as_trained(with_new_languages(experiment, [folder]), training)
    setup = prepare(experiment.recipe, on_event=on_event)
    return Translator(setup, load_run(setup, folder, training), run, training.result.weights.digest)


def translate(
    translator: Translator,
    lines: Iterable[str],
    *,
    src: str,
    tgt: str | Sequence[str],
    buffer: int = BUFFER,
    on_event: OnEvent = ignore,
    **search: Any,
) -> Iterator[tuple[str, ...]]:
    """Translations of each line in order, one for each language of ``tgt``, as they are made.

    ``buffer`` lines are read at a time and translated in batches by length. ``search`` are settings of
    :class:`Search`. An empty line stays empty. A line longer than the model reads is translated sentence by
    sentence. Raises UsageError for a language that the model or run does not have, a line that is no text,
    and an invalid setting.
    """
    asked = _search_for_one(search)
    targets = (tgt,) if isinstance(tgt, str) or not isinstance(tgt, Iterable) else tuple(tgt)
    wanted = (Line(line, src, targets) for line in texts(lines))
    for chunk in translate_chunks(translator, wanted, asked, buffer=buffer, on_event=on_event):
        yield from (tuple(best[0].text for best in found) for _, found in chunk)


def _search_for_one(settings: Mapping[str, Any]) -> Search:
    """The search for the best translation alone. Raises UsageError for a setting that it does not have."""
    known = [each.name for each in fields(Search) if each.name != "nbest"]
    for name, value in settings.items():
        if name == "nbest" and value != 1:
            raise UsageError(
                f"nbest = {value!r}: one translation of a line is returned, its best",
                "leave it out",
                "lslo translate --nbest N --json writes several",
            )
        if name not in (*known, "nbest"):
            raise UsageError(
                f"unknown setting '{name}'.{nearest(name, known)}", f"settings: {', '.join(known)}"
            )
    return Search(**settings)


def texts(lines: Iterable[str], what: str = "line") -> Iterator[str]:
    """The same lines. Raises UsageError for one text in place of several, and for a line that is no text."""
    if not isinstance(lines, Iterable):
        raise UsageError(f"{lines!r} is no list of {what}s", "write a list of texts")
    if isinstance(lines, str):
        raise UsageError(f"'{lines}' is one text, where a list of {what}s is needed", "write [text]")
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str) or SURROGATE.search(line):
            raise UsageError(f"{what} {number} is {line!r}, which is no text", 'write "" for an empty one')
        yield line


SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which UTF-8 cannot encode."""


@dataclass(frozen=True)
class Search:
    """How to translate. ``beam`` and the two fields after it are the recipe's if None.

    The ``nbest`` best translations are kept, and each begins with ``prefix``.
    """

    beam: int | None = None
    length_penalty: float | None = None
    no_repeat_ngram: int | None = None
    nbest: int = 1
    prefix: str = ""

    def applied(self, setup: Setup) -> Setup:
        """The setup with these settings.

        Raises UsageError for a value that the recipe would not take, for more translations than the beam has
        hypotheses, or for a prefix that leaves no room for a translation.
        """
        values = {name: getattr(self, name) for name in ("beam", "length_penalty", "no_repeat_ngram")}
        given = {f"evaluate.{name}": value for name, value in values.items() if value is not None}
        recipe = with_values(setup.recipe, given) if given else setup.recipe
        section = recipe.evaluate
        if not (isinstance(self.nbest, int) and 1 <= self.nbest <= section.beam):
            raise UsageError(
                f"a beam of {section.beam} has no {self.nbest} best translations",
                "give an --nbest of at most --beam",
            )
        (prefix,) = texts([self.prefix], "prefix")
        limit = target_limit(setup.base.model, section.max_new_tokens)
        if len(setup.base.tokenizer.encode(prefix)) + 2 > limit:
            more = ", or raise evaluate.max_new_tokens" if limit == section.max_new_tokens else ""
            raise UsageError(
                f"the prefix leaves no room for a translation of {limit:,} tokens", f"shorten it{more}"
            )
        return replace(setup, recipe=recipe)


def translate_chunks(
    translator: Translator,
    lines: Iterable[Line],
    search: Search,
    *,
    buffer: int = BUFFER,
    skip: int = 0,
    on_event: OnEvent = ignore,
) -> Iterator[list[tuple[Line, Found]]]:
    """Lines with their translations, ``buffer`` at a time, without the first ``skip`` of these chunks.

    A line's translation depends on its chunk alone, so skipping chunks does not change the rest. Raises
    UsageError for a ``buffer`` that holds no line.
    """
    if not (isinstance(buffer, int) and buffer >= 1):
        raise UsageError(f"a buffer of {buffer!r} lines is not possible", "give a whole number from 1")
    setup = replace(search.applied(translator.setup), on_event=on_event)
    remaining = iter(lines)
    number = 0
    while chunk := list(islice(remaining, buffer)):
        number += 1
        if number <= skip:
            continue
        named = [languages_asked(translator, line.src, line.targets) for line in chunk]
        asked = [Line(line.text, *languages) for line, languages in zip(chunk, named, strict=True)]
        found = _translate_chunk(setup, translator.route, asked, search)
        yield list(zip(chunk, found, strict=True))


def fingerprint(translator: Translator, search: Search, buffer: int) -> str:
    """A digest of everything but the text that translations depend on."""
    setup = search.applied(translator.setup)
    return digest_of([*translated_with(setup), translator.weights, search.nbest, search.prefix, buffer])


def languages_asked(translator: Translator, src: str, targets: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The codes of source and targets, given by any of their names, ``fr`` or ``fra_Latn``.

    Raises UsageError for a language that the translator does not have, or a target that is the source.
    """
    known = translator.setup.codes
    codes = []
    for name in (src, *targets):
        if not isinstance(name, str):
            raise UsageError(f"{name!r} is no language", f"choose among {', '.join(known)}")
        code = find_code(name, known)
        if code not in known:
            raise UsageError(
                f"'{name}' is not among the languages of {translator.run}.{nearest(code, known)}",
                f"choose among {', '.join(known)}",
            )
        codes.append(code)
    source, *wanted = codes
    if source in wanted or not wanted:
        raise UsageError(f"nothing to translate from {src} into {', '.join(targets)}", "name another --tgt")
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"{', '.join(targets)} names a language twice", "name each target once")
    return source, tuple(wanted)


def _translate_chunk(
    setup: Setup, route: Route | None, lines: Sequence[Line], options: Search
) -> list[Found]:
    """The translations of lines, whose languages are codes of the setup."""
    tokenizer, longest = setup.base.tokenizer, setup.max_length
    # Only the first part of a line begins with the prefix, and a batch has one prefix.
    asked: dict[str, dict[Direction, list[str]]] = {}
    places: list[list[list[tuple[str, Direction, int]]]] = []
    for line in lines:
        specials = max(len(tokenizer.source_ids([], line.src, tgt)) for tgt in line.targets)
        parts = split_line(line.text, lambda text: len(tokenizer.encode(text)), longest - specials)
        of_line = []
        for direction in (Direction(line.src, tgt) for tgt in line.targets):
            of_target = []
            for number, part in enumerate(parts):
                prefix = options.prefix if part and not number else ""
                sources = asked.setdefault(prefix, {}).setdefault(direction, [])
                of_target.append((prefix, direction, len(sources)))
                sources.append(part)
            of_line.append(of_target)
        places.append(of_line)
    found = {
        prefix: _search(setup, route, sources, options.nbest, prefix) for prefix, sources in asked.items()
    }
    return [
        tuple(
            _joined([found[prefix][direction][row] for prefix, direction, row in parts], parts[0][1].tgt)
            for parts in of_line
        )
        for of_line in places
    ]


def _search(
    setup: Setup, route: Route | None, sources: Mapping[Direction, Sequence[str]], nbest: int, prefix: str
) -> dict[Direction, list[list[Translation]]]:
    """The best translations of every source; none for an empty one."""
    tokenizer = setup.base.tokenizer
    batches = TranslationBatches(
        sources,
        tokenizer,
        setup.codes,
        max_tokens=setup.recipe.evaluate.max_tokens,
        max_length=setup.max_length,
        prefix=prefix,
    )
    found: dict[Direction, list[list[Translation]]] = {d: [[] for _ in lines] for d, lines in sources.items()}
    for _, batch, ranked in searched(setup, route, batches, range(len(batches)), "translating", count=nbest):
        for (direction, row), best in zip(batch.keys, ranked, strict=True):
            found[direction][row] = [Translation(tokenizer.decode(pieces), score) for pieces, score in best]
    return found


def _joined(parts: Sequence[Sequence[Translation]], language: str) -> tuple[Translation, ...]:
    """The translations of a line from those of its parts, rank by rank."""
    present = [part for part in parts if part]
    if not present:
        return (Translation("", 0.0),)
    ranks = ([part[min(rank, len(part) - 1)] for part in present] for rank in range(max(map(len, present))))
    return tuple(
        Translation(
            join_line([part.text for part in best], language), sum(part.score for part in best) / len(best)
        )
        for best in ranks
    )
