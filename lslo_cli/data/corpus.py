"""Parallel text in many languages: sections of aligned rows with gaps; loading and dividing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.random import PCG64, Generator

from lslo_cli.data.layouts import find_sections, is_parallel, require_text
from lslo_cli.data.lines import normalise
from lslo_cli.errors import InputError, UsageError
from lslo_cli.method.languages import Direction


@dataclass(frozen=True)
class CorpusSection:
    """Rows in which every sentence is a translation of the others; an empty sentence is a gap.

    ``text`` holds one list per language, all of the same length. ``numbers`` are the rows' numbers in their
    files, counted from 1, if the section lacks some of their rows.
    """

    name: str
    text: Mapping[str, Sequence[str]]
    numbers: Sequence[int] = field(default=(), compare=False)

    def __post_init__(self):
        if len({len(lines) for lines in self.text.values()}) > 1:
            lengths = {language: len(lines) for language, lines in self.text.items()}
            raise ValueError(f"section '{self.name}' has lists of different lengths: {lengths}")

    def __len__(self) -> int:
        """The number of rows."""
        return len(next(iter(self.text.values()), ()))

    def select(self, rows: Sequence[int]) -> CorpusSection:
        """The same languages with these rows only."""
        text = {code: [lines[row] for row in rows] for code, lines in self.text.items()}
        return CorpusSection(self.name, text, [self.number(row) for row in rows])

    def number(self, row: int) -> int:
        """The number of a row in the files of the section, counted from 1."""
        return self.numbers[row] if self.numbers else row + 1

    @cached_property
    def present(self) -> dict[str, np.ndarray]:
        """Language -> boolean (rows,), false at its gaps."""
        return {
            code: np.array([bool(line) for line in lines], dtype=bool) for code, lines in self.text.items()
        }

    @cached_property
    def shared(self) -> np.ndarray:
        """The numbers of the rows that have two languages or more."""
        return np.flatnonzero(np.sum(list(self.present.values()), axis=0) > 1)

    @property
    def translated(self) -> set[str]:
        """The languages that share a row with another one."""
        return {code for code, present in self.present.items() if present[self.shared].any()}


@dataclass(frozen=True)
class Corpus:
    """Sections of parallel text: FLORES is one section of all languages, a bitext one of two."""

    sections: tuple[CorpusSection, ...]

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The codes that occur, in order of appearance."""
        return tuple(dict.fromkeys(code for section in self.sections for code in section.text))

    @cached_property
    def digest(self) -> str:
        """sha256 in hex over languages and text; neither paths nor the order of languages matter."""
        digest = sha256()
        for section in self.sections:
            for language, lines in sorted(section.text.items()):
                block = "\n".join(lines).encode("utf-8")
                digest.update(f"{language} {len(lines)} {len(block)}\n".encode())
                digest.update(block)
            digest.update(b"\n")
        return digest.hexdigest()

    def rows(self, direction: Direction) -> np.ndarray:
        """The rows with both sides: integers (n, 2) of section index and row."""
        found = [np.empty((0, 2), dtype=np.int64)]
        for index, section in enumerate(self.sections):
            if direction.src in section.text and direction.tgt in section.text:
                rows = np.flatnonzero(section.present[direction.src] & section.present[direction.tgt])
                found.append(np.stack([np.full_like(rows, index), rows], axis=1))
        return np.concatenate(found)

    def size(self, direction: Direction) -> int:
        """The number of sentence pairs of a direction."""
        return len(self.rows(direction))

    def pairs(self, direction: Direction) -> tuple[list[str], list[str]]:
        """The source and the target sentences of a direction, in the order of :meth:`rows`.

        Raises UsageError for what is no direction.
        """
        if not isinstance(direction, Direction):
            raise UsageError(f"{direction!r} is no direction", "write Direction(source, target)")
        rows = self.rows(direction).tolist()
        src, tgt = (
            [self.sections[section].text[language][row] for section, row in rows]
            for language in (direction.src, direction.tgt)
        )
        return src, tgt

    def limit(self, rows: int) -> Corpus:
        """The first ``rows`` rows of each section."""
        return Corpus(tuple(section.select(range(min(rows, len(section)))) for section in self.sections))

    def cut(self, sizes: Mapping[str, int]) -> Corpus:
        """The corpus with only the first ``sizes[language]`` sentences of each language; the others are gaps.

        All rows stay. Raises InputError for a language with fewer sentences.
        """
        left = dict(sizes)
        sections = []
        for section in self.sections:
            text = dict(section.text)
            for code in text.keys() & left.keys():
                kept = np.cumsum(section.present[code]) <= left[code]
                text[code] = [line if keep else "" for line, keep in zip(text[code], kept, strict=True)]
                left[code] -= min(left[code], int(section.present[code].sum()))
            sections.append(replace(section, text=text))
        if short := [code for code, missing in left.items() if missing]:
            code = short[0]
            raise InputError(
                f"the text has {sizes[code] - left[code]:,} sentences of '{code}', fewer than the "
                f"{sizes[code]:,} to cut it to",
                f"give more text, or a smaller languages.{code}.bitext",
            )
        return Corpus(tuple(sections))

    def sample(self, rows: int, seed: int) -> Corpus:
        """``rows`` rows of each section drawn by ``seed`` without replacement, in their old order."""
        drawn = (_drawn(len(section), rows, seed, index) for index, section in enumerate(self.sections))
        return Corpus(
            tuple(
                section.select(chosen.tolist()) for section, chosen in zip(self.sections, drawn, strict=True)
            )
        )


def load_corpus(
    path: Path | str, languages: Sequence[str], split: str | None = None, *, all_languages: bool = True
) -> Corpus:
    """Load the text of ``languages`` (model codes) from a folder or file; the layout is detected.

    ``split`` picks a subfolder (``dev/``), a file (``train.tsv``), a prefix (``train.en-wo.en``) or an
    extension (``eng.dev``); None reads everything, unless there are several splits. Sections with fewer than
    two of the languages have nothing to translate and are left out. :mod:`lslo_cli.data.layouts` lists the
    layouts.

    Raises InputError for a missing folder or split, a language without parallel text (listing what was
    found), unequal line counts, and files that are empty, malformed or not UTF-8. Without ``all_languages``
    some languages may have no parallel text, as in a text to test on.
    """
    path = Path(path)
    found = find_sections(path, languages, split)
    if all_languages or not is_parallel(found):
        require_text(path, languages, found)
    sections = tuple(
        CorpusSection(section.name, section.read()) for section in found if len(section.files) > 1
    )
    translated = {code for section in sections for code in section.translated}
    for language in languages:
        if language not in translated and (all_languages or not translated):
            raise InputError(
                f"no sentence of '{language}' in {path} has a translation in the other languages requested",
                "add parallel text for it, or leave the language out, with --langs",
            )
    return Corpus(sections)


def split_off(corpus: Corpus, rows: int, seed: int) -> tuple[Corpus, Corpus]:
    """Divide a corpus into (train, held out): ``rows`` rows of each section, but at most a tenth of it.

    Raises InputError if no section has ten rows of two languages, the fewest for one held-out row.
    """
    train, held_out = [], []
    for index, section in enumerate(corpus.sections):
        chosen = _drawn(len(section), min(rows, len(section) // 10), seed, index)
        # Not from these rows at once, which would make other bases of texts with gaps than before.
        if not np.isin(chosen, section.shared).any():
            drawn = _drawn(len(section.shared), min(rows, len(section.shared) // 10), seed, index)
            chosen = section.shared[drawn]
        kept = np.setdiff1d(np.arange(len(section)), chosen)
        train.append(section.select(kept.tolist()))
        if len(chosen):
            held_out.append(section.select(chosen.tolist()))
    if not held_out:
        raise InputError(
            "no text can be held out for validation: every section has fewer than ten rows "
            "with a translation",
            "give more text, or name rows for it, as --dev-rows 2",
        )
    return Corpus(tuple(train)), Corpus(tuple(held_out))


def hold_out(corpus: Corpus, rows: int, seed: int, spared: int | None = None) -> tuple[Corpus, Corpus]:
    """Divide a corpus into (train, test): ``rows`` rows of each section drawn by ``seed``.

    No sentence of the test rows, ignoring case and spaces, occurs twice among them or in the training rows:
    rows that share one are left out of training. Raises InputError if a section has too few rows.

    The first ``spared`` rows of each section, and rows that share a sentence with them, are drawn only if the
    others do not suffice, so that training on no more than these rows loses none of them.
    """
    head = corpus.limit(spared or 0)
    used = {
        cell for section in head.sections for row in range(len(section)) for cell in _sentences(section, row)
    }
    tested: set[tuple[str, str]] = set()
    chosen: list[list[int]] = []
    for index, section in enumerate(corpus.sections):
        drawn: list[int] = []
        order = Generator(PCG64([seed, index])).permutation(len(section)).tolist()
        for row in sorted(order, key=lambda row: not used.isdisjoint(_sentences(section, row))):
            if len(drawn) == rows:
                break
            sentences = _sentences(section, row)
            if len(sentences) > 1 and tested.isdisjoint(sentences):
                drawn.append(row)
                tested |= sentences
        chosen.append(sorted(drawn))
    train = []
    for section, drawn in zip(corpus.sections, chosen, strict=True):
        left = [row for row in range(len(section)) if tested.isdisjoint(_sentences(section, row))]
        if len(drawn) < rows or not left:
            raise InputError(
                f"{rows} rows cannot be held out of the {len(section)} of '{section.name}': "
                f"{len(drawn)} are distinct, and {len(left)} would be left for training",
                "hold out fewer rows, or give more text",
            )
        train.append(section.select(left))
    test = (section.select(drawn) for section, drawn in zip(corpus.sections, chosen, strict=True))
    return Corpus(tuple(train)), Corpus(tuple(test))


def _sentences(section: CorpusSection, row: int) -> set[tuple[str, str]]:
    """The language and the sentence of every cell of a row that is not a gap."""
    return {(code, normalise(lines[row])) for code, lines in section.text.items() if lines[row]}


def _drawn(size: int, rows: int, seed: int, index: int) -> np.ndarray:
    """``rows`` (or all) of ``size`` row numbers, ascending; every section has its own random stream."""
    generator = Generator(PCG64([seed, index]))
    return np.sort(generator.choice(size, min(rows, size), replace=False))
