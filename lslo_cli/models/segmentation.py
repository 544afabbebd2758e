"""Segmenting text into pieces: by a sentencepiece model, or by the tokenizer.json that transformers saves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer as FastTokenizer

from lslo_cli.errors import InputError

SENTENCEPIECE = "sentencepiece.bpe.model"
SPIECE = "spiece.model"
"""transformers' name for a sentencepiece model of T5."""
HUB_TOKENIZER = "tokenizer.json"


class Segmenter(Protocol):
    """Text to pieces. ``content`` is that of a file called ``name``; ``pieces`` lists all pieces."""

    name: str
    content: bytes
    pieces: Sequence[str]

    def encode(self, text: str) -> list[int]:
        """The indices in ``pieces`` of the pieces of ``text``."""
        ...

    def split(self, text: str) -> list[str]:
        """The pieces of ``text`` as strings; unknown text is returned unchanged."""
        ...


class SentencePiece:
    """A serialized sentencepiece model. Raises InputError if it is empty or damaged."""

    name = SENTENCEPIECE

    def __init__(self, content: bytes):
        self.content = content
        try:
            # An empty file parses as an empty model, and fails only when it is used.
            if not content:
                raise RuntimeError("it is empty")
            self.processor = SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise InputError(
                f"the sentencepiece model ({len(content):,} bytes) cannot be read: {error}",
                "copy or download it again",
            ) from error
        self.pieces: Sequence[str] = self.processor.id_to_piece(list(range(len(self.processor))))

    def encode(self, text: str) -> list[int]:
        return self.processor.encode(text)

    def split(self, text: str) -> list[str]:
        return self.processor.encode(text, out_type=str)


class FastSegmenter:
    """A tokenizer.json, as transformers 5 saves it without a sentencepiece model.

    As in sentencepiece, special tokens spelt out in a text are text, and surrounding space is ignored. Raises
    InputError if the file cannot be read.
    """

    name = HUB_TOKENIZER

    def __init__(self, content: bytes):
        self.content = content
        try:
            self.backend = FastTokenizer.from_str(content.decode("utf-8"))
        except Exception as error:  # tokenizers raises Exception itself
            raise InputError(
                f"{HUB_TOKENIZER} ({len(content):,} bytes) cannot be read: {error}",
                "copy or download it again",
            ) from error
        self.backend.no_truncation()
        self.backend.no_padding()
        self.backend.encode_special_tokens = True
        numbered = self.backend.get_vocab()
        self.pieces: Sequence[str] = [""] * (max(numbered.values(), default=-1) + 1)
        for piece, index in numbered.items():
            self.pieces[index] = piece

    def encode(self, text: str) -> list[int]:
        return self.backend.encode(text.strip(), add_special_tokens=False).ids

    def split(self, text: str) -> list[str]:
        encoding = self.backend.encode(text.strip(), add_special_tokens=False)
        return [
            piece if piece != "<unk>" else text.strip()[slice(*span)]
            for piece, span in zip(encoding.tokens, encoding.offsets, strict=True)
        ]


def read_segmenter(path: Path, content: bytes | None = None) -> Segmenter:
    """The segmenter in a file: a tokenizer.json by its name, a sentencepiece model under any other.

    Raises InputError, naming the file, if it cannot be read.
    """
    try:
        kind = FastSegmenter if path.suffix == ".json" else SentencePiece
        return kind(path.read_bytes() if content is None else content)
    except InputError as error:
        raise error.saying(f"{path}: {error.message}") from error
