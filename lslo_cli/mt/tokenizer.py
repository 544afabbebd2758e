"""Text to token ids and back: a sentencepiece model, fairseq's dictionary, and language tokens."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from lslo_cli.errors import InputError, UsageError, nearest

SENTENCEPIECE = "sentencepiece.bpe.model"
DICTIONARY = "dict.txt"
HUB_VOCABULARY = "vocab.json"
HUB_ADDED_TOKENS = "added_tokens.json"
TOKENIZER_FILES = (SENTENCEPIECE, DICTIONARY, HUB_VOCABULARY, HUB_ADDED_TOKENS)

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
BOS, PAD, EOS, UNK = range(4)

_LANGUAGE_TOKEN = re.compile(r"__([A-Za-z][A-Za-z0-9_-]*?)__")


def language_token(code: str) -> str:
    """The token that names a language: ``__en__``."""
    return f"__{code}__"


class Tokenizer:
    """Sentencepiece pieces numbered by a dictionary: 4 specials, then the dictionary in its order.

    The ids are fairseq's, ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3. A piece's id is where the
    dictionary lists it, which need not be where the sentencepiece model does. Language tokens ``__xx__``
    are entries of the dictionary too; those of ``languages`` that it lacks follow it alphabetically.

    The stock M2M100Tokenizer of transformers is not used: its language ids come from a list of 100
    languages and are silently wrong for the 124-language models.
    """

    pad_id, eos_id, unk_id = PAD, EOS, UNK

    def __init__(self, model: bytes, entries: Sequence[str], languages: Iterable[str] = ()):
        """``model`` is a serialized sentencepiece model, ``entries`` the dictionary after the specials.

        Raises InputError where the model cannot be parsed or needs what the dictionary cannot give.
        """
        self._model = model
        self._processor = parse_sentencepiece(model)
        missing = {language_token(code) for code in languages} - set(entries)
        self._tokens = [*SPECIALS, *entries, *sorted(missing)]
        ids = {token: index for index, token in enumerate(self._tokens)}
        if len(ids) < len(self._tokens):
            twice = next(token for index, token in enumerate(self._tokens) if ids[token] != index)
            raise InputError(
                f"the dictionary lists '{twice}' twice", "take the one the model was trained with"
            )
        if "<0x00>" in ids:
            raise InputError(
                "the sentencepiece model falls back to bytes, which the M2M-124 scheme cannot join again",
                "train it without byte fallback",
            )
        pieces = self._processor.id_to_piece(list(range(len(self._processor))))
        self._piece_ids = [ids.get(piece, UNK) for piece in pieces]
        self._languages = {
            match[1]: index for token, index in ids.items() if (match := _LANGUAGE_TOKEN.fullmatch(token))
        }
        self._silent = {BOS, PAD, EOS, *self._languages.values()}

    @property
    def vocab_size(self) -> int:
        """Number of ids, the specials and language tokens included: the rows of the embedding."""
        return len(self._tokens)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that have a token, by id."""
        return tuple(sorted(self._languages, key=self._languages.__getitem__))

    @property
    def digest(self) -> str:
        """sha256 over the sentencepiece model and all tokens in id order; counts in dict.txt don't matter."""
        return sha256(self._model + "\n".join(self._tokens).encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The ids of the pieces of ``text``, without language tokens and specials."""
        return [self._piece_ids[piece] for piece in self._processor.encode(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``, joined as fairseq joins sentencepiece pieces.

        Language tokens, ``<s>``, ``<pad>`` and ``</s>`` are left out. ``<unk>`` stays, literally, as
        fairseq prints it: a hypothesis shows, and its score pays for, what the model could not say.
        """
        pieces = (self._tokens[index] for index in ids if index not in self._silent)
        return "".join(pieces).replace(" ", "").replace("▁", " ").strip()

    def language_id(self, code: str) -> int:
        """The id of ``__code__``. Raises UsageError, naming the nearest code, where there is none."""
        if code not in self._languages:
            raise UsageError(
                f"the base model has no token for language '{code}'.{nearest(code, self._languages)}",
                f"its {len(self._languages)} languages: {', '.join(self.languages)}",
            )
        return self._languages[code]

    def source_ids(self, pieces: Sequence[int], src: str, tgt: str) -> list[int]:
        """What the encoder reads: ``__src__ x </s>``."""
        return [self.language_id(src), *pieces, EOS]

    def target_ids(self, pieces: Sequence[int], src: str, tgt: str) -> list[int]:
        """What the decoder learns to write: ``__tgt__ y </s>``."""
        return [self.language_id(tgt), *pieces, EOS]

    def decoder_prompt(self, src: str, tgt: str) -> list[int]:
        """What the decoder reads before the first word: ``</s> __tgt__``."""
        return [EOS, self.language_id(tgt)]

    @classmethod
    def load(cls, folder: Path, languages: Iterable[str] = ()) -> Tokenizer:
        """Read sentencepiece.bpe.model with dict.txt, or with the hub's vocab.json and added_tokens.json.

        ``languages`` name the language tokens of a dictionary that was stored without them. Raises
        InputError for a missing or damaged file.
        """
        folder = Path(folder)
        model = _read(folder, SENTENCEPIECE)
        if (folder / DICTIONARY).is_file() or not (folder / HUB_VOCABULARY).is_file():
            entries = _dictionary_entries(folder)
        else:
            entries = _hub_entries(folder)
        try:
            return cls(model, entries, languages)
        except InputError as error:
            raise InputError(f"{folder}: {error.message}", error.hint) from error

    def save(self, folder: Path) -> None:
        """Write sentencepiece.bpe.model and dict.txt, language tokens included. Raises InputError."""
        dictionary = "".join(f"{token} 1\n" for token in self._tokens[len(SPECIALS) :])
        for name, content in ((SENTENCEPIECE, self._model), (DICTIONARY, dictionary.encode())):
            partial = Path(folder) / f".{name}.partial"
            try:
                partial.parent.mkdir(parents=True, exist_ok=True)
                partial.write_bytes(content)
                os.replace(partial, partial.with_name(name))
            except OSError as error:
                raise InputError(
                    f"cannot write {name} to {folder}: {error.strerror}",
                    "choose a folder that can be written to",
                ) from error


def parse_sentencepiece(model: bytes) -> SentencePieceProcessor:
    """A processor for a serialized sentencepiece model. Raises InputError where it is empty or damaged."""
    try:
        # An empty file parses as an empty model, and fails only when it is used.
        if not model:
            raise RuntimeError("it is empty")
        return SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise InputError(
            f"the sentencepiece model ({len(model):,} bytes) cannot be read: {error}",
            "copy or download it again",
        ) from error


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise InputError(
            f"no {name} in {folder}; it holds {', '.join(present) or 'nothing'}",
            f"a base model needs {SENTENCEPIECE} and {DICTIONARY} (or the hub's {HUB_VOCABULARY} "
            f"with {HUB_ADDED_TOKENS})",
        ) from error


def _dictionary_entries(folder: Path) -> list[str]:
    """The entries of fairseq's dict.txt, a piece and its count in each line."""
    entries = []
    # Only "\n" ends a line: pieces may hold other characters that str.splitlines would split at.
    lines = _read(folder, DICTIONARY).decode("utf-8", errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        piece, space, count = line.removesuffix("\r").rpartition(" ")
        if not (piece and space and count.isdigit()):
            raise InputError(
                f"{folder / DICTIONARY}, line {number}: '{line}' is not a piece and its count",
                "take the dict.txt that came with the model",
            )
        entries.append(piece)
    return entries


def _hub_entries(folder: Path) -> list[str]:
    """The entries of vocab.json with those of added_tokens.json, in id order."""
    ids: dict[str, int] = {}
    for name in (HUB_VOCABULARY, HUB_ADDED_TOKENS):
        try:
            ids |= {token: int(index) for token, index in json.loads(_read(folder, name)).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{folder / name} does not map tokens to ids: {error}", "copy or download it again"
            ) from error
    tokens = sorted(ids, key=ids.__getitem__)
    if [ids[token] for token in tokens] != list(range(len(tokens))) or tuple(tokens[:4]) != SPECIALS:
        raise InputError(
            f"the ids in {folder / HUB_VOCABULARY} and {HUB_ADDED_TOKENS} are not 0 to {len(tokens) - 1:,}, "
            f"each once, with {' '.join(SPECIALS)} first",
            f"use a copy of the model with fairseq's {DICTIONARY}",
        )
    return tokens[len(SPECIALS) :]
