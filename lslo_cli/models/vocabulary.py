"""Train a vocabulary: one sentencepiece model over all languages, and its dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceTrainer

from lslo_cli.errors import InputError
from lslo_cli.models.segmentation import SentencePiece
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import SPECIALS

# Share of the characters in the sample, by frequency. The rest, the rarest Han characters, becomes <unk>, as
# in M2M-124. Byte fallback would avoid that, at 256 entries and with a decoder that joins bytes.
CHARACTER_COVERAGE = 0.9995

# In bytes, far above sentencepiece's default of 4,192, beyond which it drops lines silently.
MAX_LINE = 1 << 20

SAMPLED = 200_000
"""Lines of the sample."""

TEMPERATURE = 5.0
"""How much the sample evens out languages, as in :func:`sample_sizes`."""


def train_vocabulary(
    text: Mapping[str, Sequence[str]],
    size: int,
    folder: Path,
    *,
    languages: Sequence[str] | None = None,
    seed: int = 0,
) -> Tokenizer:
    """Train byte-pair encoding on a temperature-balanced sample; write it, with dict.txt, to ``folder``.

    ``text`` holds lines by language code; an empty line is a gap. ``size`` counts sentencepiece's entries,
    its 3 specials included (256,000 in M2M-124), so the ids are ``size + 1`` and one for each of
    ``languages`` (default: those of ``text``). The same arguments give the same files.

    Raises InputError if the text has no lines, or is too small or too varied for ``size``.
    """
    sample = list(_balanced_sample(text, np.random.default_rng(seed)))
    if not sample:
        raise InputError("no text for a vocabulary: every line is empty", "give lines in some language")
    model = BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(sample),
            model_writer=model,
            vocab_size=size,
            model_type="bpe",
            character_coverage=CHARACTER_COVERAGE,
            max_sentence_length=MAX_LINE,
            num_threads=1,  # with threads, merges depend on timing
            minloglevel=2,  # errors are raised as exceptions too
        )
    except RuntimeError as error:
        raise _size_error(str(error), size, len(sample)) from error
    trained = SentencePiece(model.getvalue())
    pieces = [piece for piece in trained.pieces if piece not in SPECIALS]
    tokenizer = Tokenizer(trained, pieces, text if languages is None else languages)
    tokenizer.save(folder)
    return tokenizer


def sample_sizes(available: Mapping[str, int], lines: int, temperature: float) -> dict[str, int]:
    """The number of ``lines`` of each language, in proportion to ``n ** (1 / temperature)``.

    A language with fewer lines than its share repeats them; one without lines gets none. The sum does not
    exceed the number of lines available, so that a small corpus is not merely repeated.
    """
    weights = {code: count ** (1 / temperature) for code, count in available.items() if count}
    budget = min(lines, sum(available.values()))
    return {code: max(1, round(budget * weight / sum(weights.values()))) for code, weight in weights.items()}


def _balanced_sample(text: Mapping[str, Sequence[str]], random: np.random.Generator) -> Iterator[str]:
    present = {code: [line for line in text[code] if line.strip()] for code in sorted(text)}
    sizes = sample_sizes({code: len(some) for code, some in present.items()}, SAMPLED, TEMPERATURE)
    for code, wanted in sizes.items():
        repeats, rest = divmod(wanted, len(present[code]))
        yield from present[code] * repeats
        yield from (present[code][row] for row in sorted(random.permutation(len(present[code]))[:rest]))


def _size_error(reason: str, size: int, lines: int) -> InputError:
    """The error for sentencepiece's complaint about the size, with the limit if it names one."""
    if largest := re.search(r"value <= (\d+)", reason):
        return InputError(
            f"a vocabulary of {size:,} pieces is too large for this text ({lines:,} lines)",
            f"ask for at most {int(largest[1]):,}",
        )
    if characters := re.search(r"required_chars\. \d+ vs (\d+)", reason):
        return InputError(
            f"a vocabulary of {size:,} pieces is too small: the text's characters alone need {characters[1]}",
            f"ask for at least {int(characters[1]):,}",
        )
    return InputError(f"no vocabulary of {size:,} pieces could be trained: {reason}", "ask for another size")
