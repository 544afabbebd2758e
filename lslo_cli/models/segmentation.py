"""Segmenting text into pieces: by a sentencepiece model, or by the tokenizer.json that transformers saves."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer as FastTokenizer

from lslo_cli.errors import InputError
from lslo_cli.method.families import FAMILIES

SENTENCEPIECE = "sentencepiece.bpe.model"
SPIECE = "spiece.model"
"""transformers' name for a sentencepiece model of T5."""
HUB_TOKENIZER = "tokenizer.json"
MADE_UP = re.compile(r"madeupword\d+$")
"""fairseq's name for padding entries of a dictionary."""

_HIDDEN = "\0"
"""Before a token that no text spells out."""


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

    def keeps(self, token: str) -> bool:
        """Whether a text is split at ``token`` before all else: a user-defined symbol of the model."""
        piece = token.encode()
        # The fields of a piece in the file: its text, its score, and 4 for the type of such symbols.
        field = re.escape(b"\n" + bytes([len(piece) % 128]) + piece) + rb"\x15.{4}\x18\x04"
        return re.search(field, self.content, re.DOTALL) is not None


@dataclass(frozen=True)
class AddedWord:
    """A word at which a text is split, with the space before or after it, and perhaps only between spaces."""

    content: str
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


class WordsAndPieces(SentencePiece):
    """A sentencepiece model and added words: a text is split at these first, as M2M100Tokenizer does it."""

    def __init__(self, content: bytes, words: Iterable[AddedWord]):
        super().__init__(content)
        self.words = {word.content: word for word in words}
        longest_first = sorted(self.words, key=len, reverse=True)
        self._cut = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
        self._ids = {word: len(self.pieces) + index for index, word in enumerate(self.words)}
        self.pieces = [*self.pieces, *self.words]

    def encode(self, text: str) -> list[int]:
        return [
            index
            for part in self._parts(text)
            for index in ([self._ids[part]] if part in self.words else self._pieces(part))
        ]

    def split(self, text: str) -> list[str]:
        return [
            piece
            for part in self._parts(text)
            for piece in ([part] if part in self.words else super(WordsAndPieces, self).split(part))
        ]

    def _pieces(self, part: str) -> list[int]:
        """sentencepiece's, but unknown text that its normalization makes a word is the word, as there."""
        found = super().encode(part)
        unknown = self.processor.unk_id()
        if unknown not in found:
            return found
        named = zip(found, super().split(part), strict=True)
        return [self._ids.get(piece, index) if index == unknown else index for index, piece in named]

    def _parts(self, text: str) -> list[str]:
        """Words, and the text between them."""
        parts = [part for part in self._cut.split(text) if part]
        for number, part in enumerate(parts):
            word = self.words.get(part)
            if word is None:
                continue
            left = parts[number - 1] if number else ""
            right = parts[number + 1] if number + 1 < len(parts) else ""
            if word.rstrip and right:
                parts[number + 1] = right.lstrip()
            if word.lstrip and left:
                parts[number - 1] = left.rstrip()
            if word.single_word and left and left[-1] != " ":
                parts[number - 1 : number + 1] = [left + part, ""]
            elif word.single_word and right and right[0] != " ":
                parts[number : number + 2] = ["", part + right]
        return [part for part in parts if part]


class FastSegmenter:
    """A tokenizer.json, as transformers 5 saves it without a sentencepiece model.

    As in sentencepiece, special tokens spelt out in a text are text, but for added ``words`` and languages
    that are pieces of their own, and surrounding space is ignored. Raises InputError if the file cannot be
    read.
    """

    name = HUB_TOKENIZER

    def __init__(self, content: bytes, words: Collection[str] = ()):
        self.content = content
        try:
            self.backend = FastTokenizer.from_str(_for_text(content.decode("utf-8"), words))
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
            self.pieces[index] = piece.removeprefix(_HIDDEN)

    def encode(self, text: str) -> list[int]:
        return self.backend.encode(text.strip(), add_special_tokens=False).ids

    def split(self, text: str) -> list[str]:
        encoding = self.backend.encode(text.strip(), add_special_tokens=False)
        pieces = [self.pieces[index] for index in encoding.ids]
        return [
            piece if piece != "<unk>" else text.strip()[slice(*span)]
            for piece, span in zip(pieces, encoding.offsets, strict=True)
        ]


def _for_text(content: str, words: Collection[str]) -> str:
    """A tokenizer.json in which added ``words`` are not special, and no text has a token that is.

    A unigram model would find such a token among its pieces, whatever its score, where the text has
    characters without a piece. So there it gets another name.
    """
    read = json.loads(content)
    added, vocabulary = read.get("added_tokens", []), read["model"].get("vocab")
    special = {token["content"] for token in added if token["special"]}.difference(words)
    for token in added:
        token["special"] = token["content"] in special
    if isinstance(vocabulary, list):  # a unigram model's, whose type is not always written
        pieces = [family for family in FAMILIES.values() if family.sentencepiece_ids]
        kept = {token for token in special for family in pieces if family.code_of(token)}
        for entry in vocabulary:
            if entry[0] in special - kept or MADE_UP.match(entry[0]):
                entry[0] = _HIDDEN + entry[0]
        for token in added:
            if token["content"] in special - kept:
                token["content"] = _HIDDEN + token["content"]
    return json.dumps(read)


def read_segmenter(path: Path, content: bytes | None = None) -> Segmenter:
    """The segmenter in a file: a tokenizer.json by its name, a sentencepiece model under any other.

    Raises InputError, naming the file, if it cannot be read.
    """
    try:
        kind = FastSegmenter if path.suffix == ".json" else SentencePiece
        return kind(path.read_bytes() if content is None else content)
    except InputError as error:
        raise error.saying(f"{path}: {error.message}") from error
