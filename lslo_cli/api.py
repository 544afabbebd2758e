"""The Python interface, ``from lslo_cli import ...``: the commands as functions for notebooks and scripts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from lslo_cli.artifacts.folder import BASE_RUN, RESULTS, ExperimentFolder
from lslo_cli.data.corpus import Corpus, CorpusSection
from lslo_cli.data.lines import readable
from lslo_cli.data.splits import WORLD_NAME
from lslo_cli.data.text import read_corpus
from lslo_cli.errors import InputError, UsageError
from lslo_cli.events import OnEvent, Warned, warn
from lslo_cli.home import with_home
from lslo_cli.method.codes import model_code
from lslo_cli.method.languages import Direction
from lslo_cli.models.model_languages import with_languages
from lslo_cli.recipe import given_now, placed, read_memory, resolve
from lslo_cli.search.metric import Score
from lslo_cli.tasks import commands as tasks
from lslo_cli.tasks.adapter_folder import open_folder, weights_digest
from lslo_cli.tasks.asked import check_type, checked_codes, path_text, settings_by_key, settings_of_model
from lslo_cli.tasks.choices import run_folder
from lslo_cli.tasks.decoding import open_metrics, score_directions, translate_all
from lslo_cli.tasks.experiment import Experiment
from lslo_cli.tasks.job import resuming
from lslo_cli.tasks.setup import prepare
from lslo_cli.tasks.translate import Translator, languages_asked, texts
from lslo_cli.training.device import keeping_random_state
from lslo_cli.wording import counted

LOADED_BY = "give what load_base or load_adapter returns"

Settings = Mapping[str, Any]
"""Values by recipe key: ``{"evaluate.beam": 1, "run.device": "cpu"}``."""


@keeping_random_state()
def load_base(model: str | os.PathLike[str] | None = None, settings: Settings | None = None) -> Translator:
    """A base model between all its languages: ``world``, a folder, or a hub id.

    By default it is the one in ``settings``, or else the built-in world's. Raises InputError if there is no
    such model, UsageError for a setting that is unknown or has no effect on a model that is loaded.
    """
    given = settings_of_model(settings, model)
    recipe = resolve(None, {"model.name": WORLD_NAME} | given)
    return Translator(prepare(recipe, all_languages=True), None, BASE_RUN)


@keeping_random_state()
def load_adapter(
    where: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
) -> Translator:
    """A trained run on its base model: the run's folder, its folder ``adapter/``, or a hub id.

    ``model`` is the base model, if it has moved since training. Raises InputError if something is missing or
    damaged, or if the base is not the one that the run was trained on, and UsageError for a setting that is
    unknown or has no effect on a run that is trained.
    """
    folder = path_text(where, "the folder of a run")
    setup, route = open_folder(folder, settings_of_model(settings, model))
    return Translator(setup, route, folder, weights_digest(folder))


@overload
def translate(translator: Translator, text: str, *, src: str, tgt: str, **search: Any) -> str: ...
@overload
def translate(
    translator: Translator, text: Iterable[str], *, src: str, tgt: str, **search: Any
) -> list[str]: ...
@overload
def translate(
    translator: Translator, text: Iterable[str], *, src: str, tgt: Sequence[str], **search: Any
) -> list[tuple[str, ...]]: ...
def translate(
    translator: Translator, text: str | Iterable[str], *, src: str, tgt: str | Sequence[str], **search: Any
) -> str | list[str] | list[tuple[str, ...]]:
    """The translation of a line, or of each of several lines; with several targets, a tuple for each line.

    ``search`` are settings of :class:`lslo_cli.tasks.translate.Search`, such as ``beam`` and ``prefix``.
    Raises UsageError for an unknown language or setting, and for what is neither text nor lines of it.
    """
    check_type(translator, Translator, "a translator", LOADED_BY)
    lines = [text] if isinstance(text, str) else text
    settings = {"on_event": warn, **search}
    found = list(tasks.translate(translator, lines, src=src, tgt=tgt, **settings))
    if not isinstance(tgt, str):
        return found
    return found[0][0] if isinstance(text, str) else [row[0] for row in found]


def evaluate(
    translator: Translator, sources: Sequence[str], references: Sequence[str], *, src: str, tgt: str
) -> dict[str, Score]:
    """Translate sources and score them against one reference each; returns a score by metric.

    The setting ``evaluate.metrics`` chooses the metrics, spBLEU and chrF++ by default, and
    ``evaluate.metric_model`` the sentencepiece model of spBLEU. As in ``lslo evaluate``, a source longer than
    the model reads is cut, and a pair with an empty side is left out. Raises UsageError for one text in place
    of several, for a line that is no text, and for no pair at all, and InputError if there are not as many
    references as sources.
    """
    check_type(translator, Translator, "a translator", LOADED_BY)
    sources, references = list(texts(sources, "source")), list(texts(references, "reference"))
    if len(sources) != len(references):
        raise InputError(
            f"{counted(len(sources), 'source')} cannot be scored against "
            + counted(len(references), "reference"),
            "give one reference for each source",
        )
    setup = translator.setup
    source, (target,) = languages_asked(translator, src, [tgt])
    direction, given = Direction(source, target), len(sources)
    sides = {source: sources, target: references}
    text = {code: [readable(line.strip()) for line in lines] for code, lines in sides.items()}
    sources, references = Corpus((CorpusSection("given", text),)).pairs(direction)
    if not sources:
        raise UsageError("there is no sentence to evaluate", "give one source or more, each with a reference")
    if gaps := given - len(sources):
        warn(Warned(f"left out {counted(gaps, 'pair')} with an empty source or reference"))
    heard = replace(setup, on_event=warn)
    translations = translate_all(heard, {direction: sources}, translator.route, "translating")
    scored = ({direction: lines} for lines in (sources, translations[direction], references))
    return score_directions(open_metrics(setup), *scored)[direction]


def load_corpus(path: str | os.PathLike[str], langs: Sequence[str], split: str = "") -> Corpus:
    """Parallel text of these languages, in any layout that lslo reads; ``world`` is the built-in world's.

    Raises UsageError for one text in place of several codes, and InputError for what cannot be read.
    """
    codes = [model_code(code) for code in checked_codes(langs, "langs")]
    return read_corpus(str(with_home(path_text(path, "the path of text"))), codes, split)


def open_experiment(
    recipe: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    results: str | os.PathLike[str] = RESULTS,
) -> Experiment:
    """An experiment: a recipe by name or path, with other values by key, and its folder in ``results``.

    What is given defines it for later commands on that folder, as far as earlier ones did not. Raises
    UsageError for an unknown key or language or an invalid value, and InputError for a recipe that does not
    exist, for text that cannot be read if it gives the classes, or for a damaged experiment.toml.
    """
    recipe = None if recipe is None else path_text(recipe, "a recipe")
    settings = settings_by_key(settings)
    experiments = with_home(path_text(results, "results"))
    resolved = with_languages(placed(resolve(recipe, settings), experiments))
    folder = ExperimentFolder(experiments / resolved.experiment)
    memory = read_memory(folder.path).adding(given_now(recipe, settings, ()))
    return Experiment(resolved, folder, "lslo_cli", memory.with_counted_classes(resolved))


@keeping_random_state()
def train(experiment: Experiment, run: str | None = None, on_event: OnEvent = warn) -> Path:
    """Fine-tune as ``lslo train --resume`` does; returns the run's folder, which :func:`load_adapter` takes.

    A run that is up to date is not trained again, and one that was interrupted goes on after its last epoch.
    """
    check_type(experiment, Experiment, "an experiment", "give what open_experiment returns")
    folder = run_folder(experiment, run if run is None else path_text(run, "the name of a run"))
    resuming(tasks.train, experiment, folder.name, on_event, run=folder.name)
    return folder.path
