"""Translating a user's own text with a base model, or with what a run trained on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.data.codes import model_code
from lslo_cli.data.sentences import join_line, split_line
from lslo_cli.errors import UsageError, nearest
from lslo_cli.events import OnEvent, ignore
from lslo_cli.method.languages import Direction
from lslo_cli.nn.route import Route
from lslo_cli.tasks.adapter_folder import is_elsewhere, open_folder
from lslo_cli.tasks.decoding import translate_all
from lslo_cli.tasks.evaluate import load_run, with_new_languages
from lslo_cli.tasks.experiment import Experiment, read_training
from lslo_cli.tasks.setup import Setup, prepare


@dataclass(frozen=True)
class Translator:
    """A model ready to translate; ``route`` is that of a run's adapters, ``run`` its name or ``base``."""

    setup: Setup
    route: Route | None
    run: str


def open_translator(
    experiment: Experiment,
    run: str = BASE_RUN,
    on_event: OnEvent = ignore,
    given: Mapping[str, Any] | None = None,
) -> Translator:
    """Load the experiment's base model, and onto it what ``run`` trained.

    A run that is named by a folder or a hub id brings its own settings, but for those ``given`` by recipe
    key. The base model alone translates between all its languages. Raises InputError for a run there is
    not, naming those there are, and for one of another base model; UsageError for one of other languages.
    """
    if run == BASE_RUN:
        return Translator(prepare(experiment.recipe, on_event=on_event, all_languages=True), None, run)
    if is_elsewhere(run):
        return Translator(*open_folder(run, given, on_event), run)
    folder = experiment.folder.run(run)
    training = read_training(experiment.folder, folder)
    experiment = with_new_languages(experiment, [folder])
    setup = prepare(experiment.recipe, on_event=on_event)
    return Translator(setup, load_run(setup, folder, training), run)


def translate(
    translator: Translator,
    lines: Iterable[str],
    *,
    src: str,
    tgt: str | Sequence[str],
    buffer: int = 1000,
    beam: int | None = None,
    length_penalty: float | None = None,
    on_event: OnEvent = ignore,
) -> Iterator[tuple[str, ...]]:
    """Translations of each line in order, one for each language of ``tgt``, as they come.

    ``buffer`` lines are read at a time and translated in batches by length. An empty line stays empty. A
    line longer than the model reads is translated sentence by sentence. ``beam`` and ``length_penalty`` are
    those of the recipe where they are None. Raises UsageError for a language that the model or run does not
    have.
    """
    src, targets = languages_asked(translator, src, [tgt] if isinstance(tgt, str) else list(tgt))
    setup = _with_search(translator.setup, beam=beam, length_penalty=length_penalty)
    remaining = iter(lines)
    while chunk := list(islice(remaining, buffer)):
        yield from zip(*_translate_chunk(setup, translator.route, chunk, src, targets, on_event), strict=True)


def languages_asked(translator: Translator, src: str, targets: Sequence[str]) -> tuple[str, list[str]]:
    """The codes of source and targets, which may have any of their names, ``fr`` or ``fra_Latn``.

    Raises UsageError for a language the translator does not have, or a target that is the source.
    """
    known = translator.setup.codes
    codes = []
    for name in (src, *targets):
        code = name if name in known else model_code(name)
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
    return source, wanted


def _translate_chunk(
    setup: Setup,
    route: Route | None,
    lines: Sequence[str],
    src: str,
    targets: Sequence[str],
    on_event: OnEvent,
) -> Iterator[list[str]]:
    """The translations of some lines, target by target."""
    tokenizer, longest = setup.base.tokenizer, setup.recipe.data.max_length
    specials = max(len(tokenizer.source_ids([], src, tgt)) for tgt in targets)
    parts = [
        split_line(line.strip(), lambda text: len(tokenizer.encode(text)) + specials, longest)
        for line in lines
    ]
    sources = {Direction(src, tgt): [part for line in parts for part in line] for tgt in targets}
    found = translate_all(setup, sources, route, "translating", on_event)
    for direction in sources:
        remaining = iter(found[direction])
        yield [join_line(list(islice(remaining, len(line))), direction.tgt) for line in parts]


def _with_search(setup: Setup, **settings: float | None) -> Setup:
    given = {name: value for name, value in settings.items() if value is not None}
    section = setup.recipe.evaluate.model_copy(update=given)
    return replace(setup, recipe=setup.recipe.model_copy(update={"evaluate": section}))
