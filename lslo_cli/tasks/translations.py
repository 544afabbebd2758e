"""The texts of an evaluation: sources, hypotheses and references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from lslo_cli.artifacts.folder import EvaluationFolder
from lslo_cli.artifacts.writing import write_text
from lslo_cli.data.corpus import Corpus
from lslo_cli.method.languages import Direction
from lslo_cli.tasks.decoding import Translations


def write_translations(folder: EvaluationFolder, corpus: Corpus, hypotheses: Translations) -> None:
    """Write the hypotheses, sources and references of each direction line by line, and all three aligned.

    The first three files have equally many lines, without gaps; ``aligned`` has a line for each row of the
    test text, gaps included.
    """
    for direction, lines in hypotheses.items():
        sources, references = corpus.pairs(direction)
        texts = (folder.hypotheses, lines), (folder.sources, sources), (folder.references, references)
        for place, text in texts:
            write_text(place / f"{direction}.txt", "".join(f"{line}\n" for line in text))
        rows = aligned(corpus, direction, lines)
        write_text(folder.aligned / f"{direction}.jsonl", "".join(f"{row}\n" for row in rows))


def aligned(corpus: Corpus, direction: Direction, hypotheses: Sequence[str]) -> Iterator[str]:
    """A JSON object for each row in which a direction could have a pair, in the order of the user's files.

    ``row`` is its number there, from 1; ``hypothesis`` is null if source or reference is missing.
    """
    remaining = iter(hypotheses)
    for section in corpus.sections:
        if not (direction.src in section.text and direction.tgt in section.text):
            continue
        pairs = zip(section.text[direction.src], section.text[direction.tgt], strict=True)
        for index, (source, reference) in enumerate(pairs):
            row = {
                "section": section.name,
                "row": section.number(index),
                "source": source,
                "reference": reference,
                "hypothesis": next(remaining) if source and reference else None,
            }
            yield json.dumps(row, ensure_ascii=False)
