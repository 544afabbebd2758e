"""``lslo flare translate``: translate a task's texts into the target languages, and tests into English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lslo_cli.artifacts import store
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.provenance import Stopwatch, digest_of_file
from lslo_cli.artifacts.schema import Artifact, DataIdentity
from lslo_cli.data.to_translate import Line
from lslo_cli.errors import InputError
from lslo_cli.events import Noted, OnEvent, ignore
from lslo_cli.flare.examples import Examples, digest_of_text, part_of
from lslo_cli.flare.results import FlareTranslationResult
from lslo_cli.flare.task_files import translated_file, write_questions, write_translated
from lslo_cli.flare.tasks import Task, task_named
from lslo_cli.flare.translated_examples import translated_examples, translated_questions
from lslo_cli.flare.translations import has_rows, record_of
from lslo_cli.method.flare import SOURCE, Translated
from lslo_cli.recipe import FlareSection
from lslo_cli.tasks.experiment import Experiment, Written, document
from lslo_cli.tasks.setup import prepare
from lslo_cli.tasks.translate import Found, Translator, languages_asked, open_translator
from lslo_cli.tasks.translate_file import LoggedLines
from lslo_cli.training.device import describe_device
from lslo_cli.wording import Command


def translate_task(
    experiment: Experiment, run: str = BASE_RUN, on_event: OnEvent = ignore, languages: Sequence[str] = ()
) -> Iterator[Written]:
    """Translate the splits in the recipe's ``translated``, by default all, and yield each record.

    ``languages`` are the targets, by default the recipe's. Training and development texts are translated from
    the source language into each target, tests the other way. A file made from the same text by the same
    translator is not made again. Raises InputError for a missing text or model, UsageError for a language
    that the translator does not know, before anything is translated.
    """
    asked = list(sides(experiment, open_translator(experiment, run, on_event), on_event, languages))
    _check(asked)
    for side in asked:
        yield side.written()


def check_translations(experiment: Experiment, run: str, languages: Sequence[str]) -> None:
    """Raise what :func:`translate_task` raises before it translates; a base's weights are not loaded."""
    if run == BASE_RUN:
        translator = Translator(prepare(experiment.recipe, all_languages=True, weights=False), None, run)
    else:
        translator = open_translator(experiment, run, ignore)
    _check(list(sides(experiment, translator, languages=languages)))


def _check(asked: Sequence[TaskSplit]) -> None:
    """Read every text once, and look up every language."""
    read: set[tuple[str, str]] = set()
    for side in asked:
        if (side.src, side.split) not in read:
            side.examples()
            read.add((side.src, side.split))
        _ = side.codes


def sides(
    experiment: Experiment, translator: Translator, on_event: OnEvent = ignore, languages: Sequence[str] = ()
) -> Iterator[TaskSplit]:
    """The splits to translate by the recipe, file by file."""
    settings = experiment.recipe.flare
    for language in languages or settings.languages:
        for split, src, tgt in _directions(settings, language):
            yield TaskSplit(experiment, translator, task_named(settings.task), split, src, tgt, on_event)


def run_of_texts(experiment: Experiment) -> str:
    """The run that made the translations that are there, and so is to make the others; the base without any.

    A recipe names a base model, and no run on it. Raises InputError if two runs made them.
    """
    made: dict[str, Path] = {}
    for language in experiment.recipe.flare.languages:
        for path in _files(experiment.recipe.flare, language):
            if path.is_file() and (record := _record(path)):
                made.setdefault(record.result.run, path)
    if len(made) > 1:
        (one, first), (other, second), *_ = made.items()
        raise InputError(
            f"{first} was translated by run {one}, and {second} by run {other}; a study has one translator",
            "delete the translations of one, or make them anew",
            Command("flare translate", "--run", other),
        )
    return next(iter(made), BASE_RUN)


def seems_translated(experiment: Experiment, language: str) -> bool:
    """Whether the texts of a language are translated as the recipe says, judging by the records.

    Only :func:`translate_task` compares texts and translator as well. Raises InputError as
    :func:`run_of_texts` does.
    """
    recipe, run = experiment.recipe, run_of_texts(experiment)
    for path, rows in _files(recipe.flare, language).items():
        artifact = _recorded(path)
        fits = (
            artifact
            and has_rows(artifact.data[0], rows)
            and artifact.result.run == run
            and (run != BASE_RUN or artifact.model.name == recipe.model.name)  # a run brings its base
            and artifact.recipe["evaluate"] == recipe.evaluate.model_dump(mode="json")
        )
        if not fits:
            return False
    return True


def _files(settings: FlareSection, language: str) -> dict[Path, int | None]:
    """The files of a language's translations, each with the number of rows that it needs; None for all."""
    folder, questions = Path(settings.translations), not task_named(settings.task).labels
    return {
        translated_file(folder, src, tgt, split, questions=questions): _rows(settings, split)
        for split, src, tgt in _directions(settings, language)
    }


def _rows(settings: FlareSection, split: str) -> int | None:
    """How many of the first rows of a split are translated; None for all.

    The training text of a task without a development set holds that as well.
    """
    has_dev = "dev" in task_named(settings.task).forward
    return settings.train_rows if split == "train" and has_dev else None


def _record(path: Path) -> Artifact[FlareTranslationResult] | None:
    """The record of a file; None if it is missing or damaged."""
    try:
        return store.read(record_of(path), FlareTranslationResult)
    except InputError:
        return None


def _recorded(path: Path) -> Artifact[FlareTranslationResult] | None:
    """The record of a file that is as it was written; None if file or record is not."""
    record = _record(path)
    return record if record and path.is_file() and digest_of_file(path) == record.result.file else None


def _directions(settings: FlareSection, language: str) -> list[tuple[str, str, str]]:
    """The translations of a language as (split, from, into), all if the recipe names none."""
    task, wanted = task_named(settings.task), settings.translated or tuple(Translated)
    named = [(split, SOURCE, language) for split in task.forward if Translated.TRAIN in wanted]
    return [*named, ("test", language, SOURCE)] if Translated.TEST in wanted else named


@dataclass(frozen=True)
class TaskSplit:
    """One split from one language into another."""

    experiment: Experiment
    translator: Translator
    task: Task
    split: str
    src: str
    tgt: str
    on_event: OnEvent

    @property
    def path(self) -> Path:
        """The file of the translations."""
        folder = Path(self.experiment.recipe.flare.translations)
        return translated_file(folder, self.src, self.tgt, self.split, questions=not self.task.labels)

    def examples(self) -> Sequence[Any]:
        """The rows to translate. Raises InputError if a file is missing or damaged."""
        return part_of(self._text(), self.rows)

    def _text(self) -> Examples:
        return self.task.read(Path(self.experiment.recipe.flare.data), self.src, self.split)

    @property
    def rows(self) -> int | None:
        """How many of the first rows are translated; None for all."""
        return _rows(self.experiment.recipe.flare, self.split)

    @cached_property
    def codes(self) -> dict[str, str]:
        """The translator's codes of both languages. Raises UsageError if it does not know one."""
        read_as = {code: self._code(code) for code in (self.src, self.tgt)}
        languages_asked(self.translator, read_as[self.src], [read_as[self.tgt]])
        return read_as

    def up_to_date(self) -> Written | None:
        """The existing record, if file, text, translator and search match it."""
        return self._current(self._text(), self.codes)

    def written(self) -> Written:
        """The record of the file, made if it is not up to date, by one process at a time.

        After an interrupt it goes on after the lines that are finished.
        """
        with locked(self.path):
            return self._made()

    def _made(self) -> Written:
        settings, stopwatch, path = self.experiment.recipe.flare, Stopwatch(), self.path
        read_as = self.codes
        current = self._current(self._text(), read_as)
        if current:
            return current

        examples = self.examples()
        src, tgt, identity = read_as[self.src], read_as[self.tgt], self._identity(examples)
        logged = LoggedLines(
            path, self.translator, _best, [src, tgt, identity.digest], on_event=self.on_event
        )

        def say(texts: Sequence[str]) -> list[str]:
            """The texts translated; those that are all empty need no translator."""
            return logged([Line(text, src, (tgt,)) for text in texts]) if any(texts) else list(texts)

        if self.task.labels:
            texts = translated_examples(examples, say)
            write_translated(path, texts, self.task.labels)
            kept = len(texts)
        else:
            questions = translated_questions(examples, say)
            write_questions(path, questions)
            kept = len(questions)
        lost = len(examples) - kept
        if lost:
            self.on_event(Noted(f"{path}: {lost} of {len(examples)} questions lost their answer's marks"))
        result = FlareTranslationResult(
            task=settings.task,
            split=self.split,
            languages=read_as,
            run=self.translator.run,
            weights=self.translator.weights,
            rows=kept,
            lost=lost,
            file=digest_of_file(path),
        )
        setup = self.translator.setup
        written = document(
            result,
            self.experiment,
            self._record,
            languages=(),
            model=setup.model_identity,
            data=[identity],
            upstream=(),
            stopwatch=stopwatch,
            device=describe_device(setup.accelerator.device),
        )
        store.write(self._record, written.artifact)
        logged.log.remove()
        return written

    def _code(self, language: str) -> str:
        """The translator's code of a language, or of the recipe's substitute for an unknown one."""
        if language == SOURCE:
            return self.task.source
        code = self.experiment.recipe.flare.read_as(language, self.translator.setup.codes)
        if code not in (language, None):
            self.on_event(Noted(f"the translator does not know {language}: translated as {code}"))
        return code or language

    def _identity(self, examples: Examples) -> DataIdentity:
        return DataIdentity(
            path=self.experiment.recipe.flare.data,
            split=f"{self.src}/{self.split}",
            rows=len(examples),
            examples=len(examples),
            digest=digest_of_text(examples),
            limit=self.rows,
        )

    @property
    def _record(self) -> Path:
        return record_of(self.path)

    def _current(self, text: Examples, read_as: dict[str, str]) -> Written | None:
        artifact = _recorded(self.path)
        same = (
            artifact
            and has_rows(artifact.data[0], self.rows)
            and artifact.data[0].digest == digest_of_text(part_of(text, artifact.data[0].limit))
            and artifact.model.is_the_same(self.translator.setup.model_identity)
            and (artifact.result.run, artifact.result.languages) == (self.translator.run, read_as)
            and artifact.result.weights == self.translator.weights
            and artifact.recipe["evaluate"] == self.experiment.recipe.evaluate.model_dump(mode="json")
        )
        return Written(self._record, artifact, up_to_date=True) if artifact and same else None


def _best(line: Line, found: Found) -> str:
    """The best translation of a line into its one target."""
    ((best, *_),) = found
    return best.text
