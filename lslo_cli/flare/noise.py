"""Noise in source texts: a share of their words replaced, dropped or shuffled, drawn from a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from lslo_cli.flare.examples import Example, Pairs, Question
from lslo_cli.method.flare import SourceNoise

WORD, SPACE = re.compile(r"\S+"), re.compile(r"\s")

Change = Callable[[str, str], str]
"""From a text and the name of its random draws to the text with noise."""


def with_noise(pairs: Pairs, kind: SourceNoise, share: float, seed: int) -> Pairs:
    """Pairs whose sources have noise; targets and labels stay as they are.

    Words are separated by white space. Every word i of a source draws u_i from [0, 1) by ``seed``, the row's
    id and the word's position alone, and is changed if u_i < ``share``: so the expected share is ``share``,
    and a higher share changes every word that a lower one does. ``kind`` is the change:

    - replace: by a word drawn from all words of the split's sources, by frequency
    - drop: the word is removed; if a text would lose all, the word with the largest u_i stays
    - shuffle: the changed words of a text are permuted at random

    White space between words stays. The answer of a question stays, with what touches it up to the next white
    space, and its position in the context is updated; other right answers are left out.
    """
    if share == 0:
        return pairs
    words = [word for row in pairs.source for text in (row.text, row.pair) for word in WORD.findall(text)]

    def change(text: str, name: str) -> str:
        return _changed(text, kind, share, words, f"{seed} {name}")

    return replace(pairs, source=tuple(_with_noise(row, change) for row in pairs.source))


def _with_noise(row: Example | Question, change: Change) -> Example | Question:
    text = change(row.text, f"{row.id} text")
    if isinstance(row, Example):
        return replace(row, text=text, pair=change(row.pair, f"{row.id} pair"))
    start, end = row.label
    first = start - len(SPACE.split(row.pair[:start])[-1])
    stop = end + len(SPACE.split(row.pair[end:], maxsplit=1)[0])
    before = change(row.pair[:first], f"{row.id} before")
    after = change(row.pair[stop:], f"{row.id} after")
    pair = before + row.pair[first:stop] + after
    return replace(row, text=text, pair=pair, start=len(before) + start - first, others=())


def _changed(text: str, kind: SourceNoise, share: float, words: Sequence[str], name: str) -> str:
    """A text whose words are changed; ``name`` seeds its draws."""
    places = [found.span() for found in WORD.finditer(text)]
    draws = random.Random(f"noise {name}")
    drawn = [draws.random() for _ in places]
    chosen = [number for number, u in enumerate(drawn) if u < share]
    if kind is SourceNoise.DROP and len(chosen) == len(places):
        chosen = [number for number in chosen if drawn[number] != max(drawn)]
    found = WORD.findall(text)
    match kind:
        case SourceNoise.REPLACE:
            others = {n: random.Random(f"replaced {name} {n}").choice(words) for n in chosen}
        case SourceNoise.DROP:
            others = dict.fromkeys(chosen, "")
        case SourceNoise.SHUFFLE:
            order = random.Random(f"shuffled {name}").sample(chosen, len(chosen))
            others = {number: found[other] for number, other in zip(chosen, order, strict=True)}
    parts, end = [], 0
    for number, (start, stop) in enumerate(places):
        parts += [text[end:start], others.get(number, found[number])]
        end = stop
    changed = "".join([*parts, text[end:]])
    return re.sub(r"\s{2,}", " ", changed) if kind is SourceNoise.DROP else changed
