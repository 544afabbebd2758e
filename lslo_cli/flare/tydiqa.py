"""TyDiQA-GoldP: questions in a form of SQuAD's, paired with their translations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lslo_cli.errors import InputError
from lslo_cli.flare.examples import AGAIN, Pairs, Question, in_order, paired
from lslo_cli.flare.task_files import TRANSLATE_TESTS, check_translated, each_once, json_text, translated_file
from lslo_cli.flare.translations import checked_record
from lslo_cli.method.flare import SOURCE
from lslo_cli.parsing import parse_json

TYDIQA_LANGUAGES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}


def read_tydiqa(path: Path, language: str | None = None) -> list[Question]:
    """TyDiQA-GoldP: questions whose ids begin with the language, such as ``finnish-123-0``.

    The file is SQuAD's JSON or, as ``datasets`` writes it, a row for each question with id, context, question
    and answers, in a list or one per line. ``language`` selects one language. A question without answers has
    an empty one. Raises InputError if the file is missing or damaged, an answer is not at its stated start,
    an id occurs twice, or there is no question.
    """
    text = json_text(path)
    try:
        questions = [_question(path, row) for row in _rows(text)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"cannot read TyDiQA-GoldP from {path}: {error!r}", AGAIN) from None
    found = {
        number: question
        for number, question in enumerate(questions, start=1)
        if language is None or question.id.startswith(f"{language}-")
    }
    if not found:
        of = f" of language '{language}'" if language else ""
        raise InputError(f"{path} has no questions{of}", AGAIN)
    return each_once(path, found, "questions")


def _rows(text: bytes) -> Iterator[dict[str, Any]]:
    """The questions of a file, each with its context. Raises what a damaged file raises in parsing."""
    first, *more = text.splitlines()
    if more and first.startswith(b"{") and first.endswith(b"}"):
        rows = [parse_json(line) for line in (first, *more) if line.strip()]
    else:
        document = parse_json(text)
        rows = document if isinstance(document, list) else document.get("data", [document])
    for row in rows:
        if "paragraphs" not in row:
            yield row
            continue
        for paragraph in row["paragraphs"]:
            for item in paragraph["qas"]:
                yield {**item, "context": paragraph.get("context")}


def _question(path: Path, row: Mapping[str, Any]) -> Question:
    """A question of a file. Raises InputError if a value is of another type, or an answer elsewhere."""
    id = row["id"]

    def checked(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise InputError(f"{path}: the {name} of question {id} is {value!r}, which is not text", AGAIN)
        return value

    checked("id", id)
    text, context = checked("question", row.get("question")), checked("context", row.get("context"))
    answers = _answers(path, id, row.get("answers"))
    for answer, start in answers:
        checked("text of the answer", answer)
        if type(start) is not int:
            raise InputError(f"{path}: answer_start of {id} is {start!r}, which is not a whole number", AGAIN)
        if start < 0 or context[start : start + len(answer)] != answer:
            raise InputError(f"{path}: the answer of {id} is not at character {start}", AGAIN)
    (answer, start), *others = answers or [("", 0)]
    return Question(id, text, context, answer, start, tuple(others))


def _answers(path: Path, id: Any, answers: Any) -> list[tuple[Any, Any]]:
    """The text and start of each answer: of a list of objects, or of an object of two lists.

    Raises InputError if they are neither.
    """
    if isinstance(answers, list) and all(isinstance(answer, dict) for answer in answers):
        return [(answer.get("text"), answer.get("answer_start")) for answer in answers]
    if isinstance(answers, dict):
        texts, starts = answers.get("text"), answers.get("answer_start")
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            return list(zip(texts, starts, strict=True))
    raise InputError(f"{path}: the answers of question {id} are {answers!r}, not as in SQuAD", AGAIN)


def read_questions(folder: Path, language: str, split: str) -> list[Question]:
    """TyDiQA's own questions of a language: of its training set, or of its dev set, used as the test."""
    name = "dev" if split == "test" else "train"
    return read_tydiqa(folder / f"tydiqa-goldp-v1.1-{name}.json", _tydiqa_language(language))


def _tydiqa_language(code: str) -> str:
    """The language's name in ids of questions. Raises InputError for one that is not TyDiQA's."""
    if code not in TYDIQA_LANGUAGES:
        raise InputError(
            f"TyDiQA-GoldP has no language '{code}'", f"choose among {', '.join(TYDIQA_LANGUAGES)}"
        )
    return TYDIQA_LANGUAGES[code]


def tydiqa_pairs(
    folder: Path, language: str, split: str, translations: Path | None = None, rows: int | None = None
) -> Pairs:
    """English training questions with their translations, and test questions with theirs into English.

    ``tydiqa-goldp-v1.1-train.json`` and ``-dev.json`` are TyDiQA's own, ``tydiqa.translate.train.en-fi.json``
    and ``tydiqa.translate.test.fi-en.json`` XTREME's translations. Questions without an answer or a
    translation with one are left out and counted. The test set is TyDiQA's dev set; the development set is
    the last tenth of the English training set, whatever a translation lacks: what no language is tuned on.
    Raises InputError for an unknown language and as :func:`read_tydiqa` does.
    """
    is_test = split == "test"
    own = read_questions(folder, language if is_test else SOURCE, split)
    _tydiqa_language(language)
    other, record = own, None
    if language != SOURCE:
        direction = (language, SOURCE, "test") if is_test else (SOURCE, language, "train")
        path = translated_file(translations or folder, *direction, questions=True)
        if translations:
            check_translated(path)
        elif is_test:  # nobody publishes it
            check_translated(path, TRANSLATE_TESTS)
        record = checked_record(path, own)
        other = read_tydiqa(path)
    source, target = (other, own) if is_test else (own, other)
    both = {q.id for q in source if q.answer} & {q.id for q in target if q.answer}
    left_out = len({q.id for q in (*source, *target)} - both)
    if not is_test:
        dev = _last_tenth(own)
        both = both & dev if split == "dev" else both - dev
    if not both:
        raise InputError(
            f"TyDiQA-GoldP {language} {split} has no question with an answer in both texts", AGAIN
        )
    pairs = paired([q for q in source if q.id in both], [q for q in target if q.id in both], "TyDiQA-GoldP")
    return Pairs(pairs.source[:rows], pairs.target[:rows], 0 if split == "dev" else left_out, record)


def _last_tenth(questions: list[Question]) -> set[str]:
    """The ids of the last tenth of the questions with an answer, at least one, in the order of their ids."""
    ids = [question.id for question in in_order([q for q in questions if q.answer])]
    return set(ids[-max(1, len(ids) // 10) :])
