"""Whether stock transformers splits a text at added words as lslo does, on lines that hold each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from lslo_cli.errors import InputError
from lslo_cli.models.segmentation import WordsAndPieces
from lslo_cli.wording import several


def check_words(files: Mapping[str, bytes], segmenter: WordsAndPieces, tokens: Sequence[str]) -> None:
    """Raise InputError, naming an added word, if transformers' tokenizer of ``files`` gives it other ids.

    ``tokens`` are all tokens by id. The lines have each word at the beginning, between words, at the end,
    within a word, beside punctuation and beside another added word.
    """
    from transformers import AutoTokenizer

    from lslo_cli.models.pretrained import pretrained

    words = list(segmenter.words)
    ids = {token: index for index, token in enumerate(tokens)}
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            stock = pretrained(AutoTokenizer, folder)
        except Exception as error:  # tokenizers raises Exception itself
            raise InputError(
                f"transformers cannot read a tokenizer.json with the added tokens {several(words)}: {error}",
                "translate with lslo",
            ) from error
    lines = list(_lines(segmenter))
    given = stock([line for _, line in lines], add_special_tokens=False).input_ids
    for (word, line), found in zip(lines, given, strict=True):
        wanted = [ids.get(segmenter.pieces[piece], ids["<unk>"]) for piece in segmenter.encode(line)]
        if found != wanted:
            raise InputError(
                f"no tokenizer.json gives '{line}', with the added token '{word}', the ids of the base's own "
                "tokenizer",
                "translate with lslo; or add the word to the base without single_word"
                if segmenter.words[word].single_word
                else "translate with lslo",
            )


def _lines(segmenter: WordsAndPieces) -> Iterator[tuple[str, str]]:
    """Each added word, with a line that holds it."""
    whole = (piece[1:] for piece in segmenter.pieces if piece.startswith("▁") and piece[1:].isalpha())
    text = next((piece for piece in whole if len(piece) > 1 and piece not in segmenter.words), "a")
    words = list(segmenter.words)
    for word in words:
        for line in (
            *(word, f"{word} {text}", f"{text} {word} {text}", f"{text} {word}", f"{text}  {word}  {text}"),
            *(f"{word}{text}", f"{text}{word}", f"{text}{word}{text}", f"{text} {word}s"),
            *(f"{word}.", f"{text} {word}.", f"({word})", f"{text}, {word}, {text}", f"{text},{word}"),
            *(f"{word}{word}", f"{word} {word}"),
        ):
            yield word, line
    for word, other in pairwise(words):
        for line in (f"{word}{other}", f"{text} {word} {other} {text}", f"{other} {word}", f"{other}{word}"):
            yield word, line
