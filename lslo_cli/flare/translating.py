"""``lslo flare translate``: translate a task's texts into the target languages, and tests into English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from lslo_cli.flare.examples import Example, Examples, Question, digest_of_text
from lslo_cli.flare.results import FlareTranslationResult
from lslo_cli.flare.task_files import translated_file, write_questions, write_translated
from lslo_cli.flare.tasks import Task, task_named
from lslo_cli.flare.translations import record_of
from lslo_cli.method.flare import SOURCE, Translated
from lslo_cli.recipe import FlareSection
from lslo_cli.tasks.experiment import Experiment, Written, document
from lslo_cli.tasks.setup import prepare
from lslo_cli.tasks.translate import Found, Translator, languages_asked, open_translator
from lslo_cli.tasks.translate_file import LoggedLines
from lslo_cli.training.device import describe_device
from lslo_cli.wording import Command

MARK = '"'
"""The mark on both sides of an answer while its context is translated."""

MARKS = '"“”„‟«»'
"""The marks that a translator may write for it."""

Say = Callable[[Sequence[str]], list[str]]
"""Lines translated, in order."""


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
    for path in _files(recipe.flare, language):
        artifact = _recorded(path)
        fits = (
            artifact
            and artifact.result.run == run
            and (run != BASE_RUN or artifact.model.name == recipe.model.name)  # a run brings its base
            and artifact.recipe["evaluate"] == recipe.evaluate.model_dump(mode="json")
        )
        if not fits:
            return False
    return True


def _files(settings: FlareSection, language: str) -> list[Path]:
    """The files of a language's translations."""
    folder, questions = Path(settings.translations), not task_named(settings.task).labels
    return [
        translated_file(folder, src, tgt, split, questions=questions)
        for split, src, tgt in _directions(settings, language)
    ]


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
        return self.task.read(Path(self.experiment.recipe.flare.data), self.src, self.split)

    @cached_property
    def codes(self) -> dict[str, str]:
        """The translator's codes of both languages. Raises UsageError if it does not know one."""
        read_as = {code: self._code(code) for code in (self.src, self.tgt)}
        languages_asked(self.translator, read_as[self.src], [read_as[self.tgt]])
        return read_as

    def up_to_date(self) -> Written | None:
        """The existing record, if file, text, translator and search match it."""
        return self._current(self.examples(), self.codes)

    def written(self) -> Written:
        """The record of the file, made if it is not up to date, by one process at a time.

        After an interrupt it goes on after the lines that are finished.
        """
        with locked(self.path):
            return self._made()

    def _made(self) -> Written:
        settings, stopwatch, path = self.experiment.recipe.flare, Stopwatch(), self.path
        examples, read_as = self.examples(), self.codes
        current = self._current(examples, read_as)
        if current:
            return current

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
        )

    @property
    def _record(self) -> Path:
        return record_of(self.path)

    def _current(self, examples: Examples, read_as: dict[str, str]) -> Written | None:
        artifact = _recorded(self.path)
        same = (
            artifact
            and [text.digest for text in artifact.data] == [digest_of_text(examples)]
            and artifact.model.is_the_same(self.translator.setup.model_identity)
            and (artifact.result.run, artifact.result.languages) == (self.translator.run, read_as)
            and artifact.result.weights in (None, self.translator.weights)
            and artifact.recipe["evaluate"] == self.experiment.recipe.evaluate.model_dump(mode="json")
        )
        return Written(self._record, artifact, up_to_date=True) if artifact and same else None


def translated_examples(examples: Sequence[Example], say: Say) -> list[Example]:
    """The same rows in another language, labels included."""
    texts = say([_one_line(each.text) for each in examples])
    pairs = say([_one_line(each.pair) for each in examples])
    rows = zip(examples, texts, pairs, strict=True)
    return [replace(each, text=text, pair=pair) for each, text, pair in rows]


def translated_questions(questions: Sequence[Question], say: Say) -> list[Question]:
    """The same questions in another language, without those whose answer lost a mark.

    The answer is put between marks in its context, and is the text between them in the translation.
    """
    texts = say([_one_line(each.text) for each in questions])
    contexts = say([_one_line(marked(each)) for each in questions])
    found = []
    for question, text, context in zip(questions, texts, contexts, strict=True):
        answer = unmarked(context) if question.answer else None
        if answer:
            found.append(Question(question.id, text, *answer))
    return found


def marked(question: Question) -> str:
    """The context with its answer between marks, and no other marks."""
    start, end = question.label
    parts = (question.pair[:start], question.answer, question.pair[end:])
    before, answer, after = ("".join(c for c in part if c not in MARKS) for part in parts)
    return f"{before}{MARK}{answer}{MARK}{after}"


def unmarked(context: str) -> tuple[str, str, int] | None:
    """A context without its two marks, the answer between them, and its start; None without two."""
    places = [position for position, character in enumerate(context) if character in MARKS]
    if len(places) != 2:
        return None
    first, second = places
    inside = context[first + 1 : second]
    answer = inside.strip()
    if not answer:
        return None
    return context[:first] + inside + context[second + 1 :], answer, first + inside.index(answer)


def _best(line: Line, found: Found) -> str:
    """The best translation of a line into its one target."""
    ((best, *_),) = found
    return best.text


def _one_line(text: str) -> str:
    return " ".join(text.split())
