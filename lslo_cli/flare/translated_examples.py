"""Examples of a task in another language, made of their translated lines; an answer goes between marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lslo_cli.flare.examples import Example, Question

MARK = '"'
"""The mark on both sides of an answer while its context is translated."""

MARKS = '"“”„‟«»'
"""The marks that a translator may write for it."""

Say = Callable[[Sequence[str]], list[str]]
"""Lines translated, in order."""


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


def _one_line(text: str) -> str:
    return " ".join(text.split())
