"""Text to token ids and back: pieces of text, a dictionary of their ids, and language tokens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from itertools import count
from pathlib import Path

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.method.codes import find_code
from lslo_cli.method.families import FAMILIES, Family
from lslo_cli.method.strategy import Index
from lslo_cli.models.added_tokens import find_segmenter
from lslo_cli.models.segmentation import HUB_TOKENIZER, MADE_UP, Segmenter, WordsAndPieces
from lslo_cli.models.stock_files import HUB_SETTINGS, stock_files
from lslo_cli.models.tokenizer_files import (
    DICTIONARY,
    FAMILY,
    MASK,
    OWN_LANGUAGES,
    OWN_WORDS,
    SPECIALS,
    language_ids,
    made_up,
    read_entries,
    read_family,
    stated_languages,
)
from lslo_cli.wording import several

M2M = FAMILIES["m2m-124"]

BOS, PAD, EOS, UNK = range(4)


def one_line(text: str) -> str:
    """Text without line breaks, which become a space: a translation is a line of a file."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


class Tokenizer:
    """Pieces of text numbered by a dictionary: 4 specials, then the dictionary in its order.

    The ids are fairseq's, ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3. A piece's id is its position in
    the dictionary, not in the sentencepiece model. Language tokens, ``__xx__`` in M2M, are entries of the
    dictionary too; those of ``languages`` that it lacks follow it alphabetically. ``family`` determines their
    form and position in a sentence. Languages have M2M's codes, ``en`` for NLLB-200's ``eng_Latn``; languages
    that M2M lacks keep their own.

    The stock M2M100Tokenizer of transformers is not used: its language ids come from a list of 100
    languages and are silently wrong for the 124-language models.
    """

    pad_id, eos_id, unk_id = PAD, EOS, UNK
    start_id = EOS  # the decoder's first input

    tokens: Sequence[str]
    """All tokens by id."""

    unused: list[int]
    """Ids without a token: padding rows of the vocabulary, which are never generated."""

    output_size: int
    """Number of ids a model can generate; ids of added languages, from here on, are input only."""

    def __init__(
        self,
        segmenter: Segmenter,
        entries: Sequence[str],
        languages: Iterable[str] = (),
        family: Family = M2M,
    ):
        """``segmenter`` splits text into pieces, ``entries`` are the dictionary after the specials.

        Raises InputError for a repeated entry, byte fallback, or a dictionary that lacks most pieces.
        """
        self.segmenter = segmenter
        self.family = family
        languages = tuple(languages)
        missing = {family.language_token(code) for code in languages} - set(entries)
        self.tokens = [*SPECIALS, *entries, *sorted(missing)]
        ids = {token: index for index, token in enumerate(self.tokens)}
        if len(ids) < len(self.tokens):
            twice = next(token for index, token in enumerate(self.tokens) if ids[token] != index)
            raise InputError(
                f"the dictionary lists '{twice}' twice", "take the one the model was trained with"
            )
        if "<0x00>" in ids:
            raise InputError(
                "the sentencepiece model has byte fallback, which the M2M-124 scheme cannot decode",
                "train it without byte fallback",
            )
        words = segmenter.words if isinstance(segmenter, WordsAndPieces) else {}
        if lost := [word for word in words if word not in ids]:
            raise InputError(
                f"the dictionary lacks the added tokens {several(lost)}",
                f"remove {DICTIONARY} if {HUB_TOKENIZER} was saved after it",
            )
        self._piece_ids = [ids.get(piece, UNK) for piece in segmenter.pieces]
        strange = sum(piece not in ids for piece in segmenter.pieces)
        if 2 * strange > len(self._piece_ids):
            raise InputError(
                f"the dictionary lacks {strange:,} of {len(self._piece_ids):,} pieces of {segmenter.name}",
                "take files of the same model",
            )
        self._languages = language_ids(ids, family, languages)
        self.output_size = len(self.tokens)
        self.unused = [index for token, index in ids.items() if MADE_UP.match(token)]
        self._silent = {BOS, PAD, EOS, ids.get(MASK, EOS), *self._languages.values()}

    @property
    def vocab_size(self) -> int:
        """Number of ids, the specials and language tokens included: the rows of the embedding."""
        return len(self.tokens)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that have a token, by id."""
        return tuple(sorted(self._languages, key=self._languages.__getitem__))

    def with_languages(self, codes: Iterable[str]) -> Tokenizer:
        """The same tokenizer with tokens for more languages, after all others."""
        extended = copy.copy(self)
        codes = list(codes)
        extended.tokens = [*self.tokens, *map(self.family.language_token, codes)]
        extended._languages = self._languages | dict(zip(codes, count(len(self.tokens)), strict=False))
        extended._silent = self._silent | set(extended._languages.values())
        return extended

    @property
    def digest(self) -> str:
        """sha256 over the segmenter, its added words and all tokens by id, not over counts in dict.txt.

        Also over the token of Kurmanji where that is ``ku``, which was once read as Sorani.
        """
        family = "" if self.family is M2M else self.family.name
        words = repr(self.segmenter.words) if isinstance(self.segmenter, WordsAndPieces) else ""
        kurmanji = self.tokens[self._languages["kmr"]] if "kmr" in self._languages else ""
        renamed = "kmr" if kurmanji == self.family.language_token("ku") else ""
        named = "\n".join(self.tokens) + family + words + renamed
        return sha256(self.segmenter.content + named.encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The ids of the pieces of ``text``, without language tokens and specials."""
        return [self._piece_ids[piece] for piece in self.segmenter.encode(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``, joined as fairseq joins sentencepiece pieces.

        Language tokens, ``<s>``, ``<pad>`` and ``</s>`` are left out. ``<unk>`` stays, literally, as fairseq
        prints it, and lowers the score of a hypothesis.
        """
        pieces = (self.tokens[index] for index in ids if index not in self._silent)
        return one_line("".join(pieces).replace("▁", " "))

    def language_id(self, code: str) -> int:
        """The id of a language's token; ``code`` may be M2M's, or that of FLORES-101 or FLORES-200.

        Raises UsageError, naming the nearest code, if there is none.
        """
        known = find_code(code, self._languages)
        if known not in self._languages:
            raise UsageError(
                f"the base model has no token for language '{code}'.{nearest(code, self._languages)}",
                f"its {len(self._languages)} languages: {', '.join(self.languages)}",
            )
        return self._languages[known]

    def source_ids(self, pieces: Sequence[int], src: str, tgt: str) -> list[int]:
        """The encoder's input: ``__src__ x </s>``, or ``__tgt__ x </s>`` in SMaLL-100."""
        named = src if self.family.encoder_language is Index.SOURCE else tgt
        return [self.language_id(named), *pieces, self.eos_id]

    def target_ids(self, pieces: Sequence[int], src: str, tgt: str) -> list[int]:
        """The decoder's labels: ``__tgt__ y </s>``, or ``y </s>`` in SMaLL-100."""
        return [*self.decoder_prompt(src, tgt)[1:], *pieces, self.eos_id]

    def decoder_prompt(self, src: str, tgt: str) -> list[int]:
        """The decoder's prompt: ``</s> __tgt__``, or ``</s>`` in SMaLL-100."""
        named = [self.language_id(tgt)] if self.family.decoder_names_language else []
        return [self.start_id, *named]

    def _is_stated(self, code: str) -> bool:
        """Whether the token of a language has another form than the family's, so that a file must name it."""
        return self.family.code_of(self.tokens[self._languages[code]]) is None

    @classmethod
    def load(cls, folder: Path, languages: Iterable[str] = (), rows: int = 0) -> Tokenizer:
        """Read sentencepiece.bpe.model with dict.txt, or the hub's equivalents.

        ``languages`` name the language tokens of a dictionary that was stored without them. ``rows`` are
        those of the embedding: the last may be unused, as in a padded vocabulary. Raises InputError for a
        missing or damaged file.
        """
        folder = Path(folder)
        family = read_family(folder)
        segmenter = find_segmenter(folder, family)
        entries = read_entries(folder, family)
        spare = rows - len(entries) - len(SPECIALS)
        # Beside a dict.txt, an embedding of another length is more likely another model's.
        is_rounded = family is not M2M or not (folder / DICTIONARY).is_file()
        if is_rounded:
            entries += made_up(spare, set(entries))
        try:
            return cls(segmenter, entries, (*languages, *stated_languages(folder)), family)
        except InputError as error:
            raise error.saying(f"{folder}: {error.message}") from error

    def stock_files(self) -> dict[str, bytes]:
        """The files for transformers, by name; none for a model of whole words or characters.

        Raises InputError, naming an added word, if they cannot express where a text is split at it.
        """
        languages = [self.tokens[index] for index in sorted(self._languages.values())]
        pad = self.tokens[self.pad_id]
        return stock_files(self.segmenter, self.tokens, languages, self.family, pad)

    def save(self, folder: Path) -> None:
        """Write sentencepiece.bpe.model and dict.txt, language tokens included.

        Also tokenizer.json and tokenizer_config.json for transformers, if they can express the same, and
        family.json for a family other than M2M-124, added words, or languages whose token has another form
        than the family's. Raises InputError if the folder cannot be written to.
        """
        dictionary = "".join(f"{token} 1\n" for token in self.tokens[len(SPECIALS) :])
        key = next(key for key, family in FAMILIES.items() if family is self.family)
        files: dict[str, bytes] = {}
        with suppress(InputError):
            files = self.stock_files()
        files |= {self.segmenter.name: self.segmenter.content, DICTIONARY: dictionary.encode()}
        words = self.segmenter.words.values() if isinstance(self.segmenter, WordsAndPieces) else ()
        named = [code for code in self.languages if self._is_stated(code)]
        if self.family is not M2M or words or named:
            stated = {OWN_WORDS: [asdict(word) for word in words], OWN_LANGUAGES: named}
            filled = {name: values for name, values in stated.items() if values}
            files[FAMILY] = json.dumps({"family": key} | filled).encode()
        for name, content in files.items():
            with writing(Path(folder) / name, "choose a folder that can be written to") as file:
                file.write(content)
        for name in {FAMILY, HUB_TOKENIZER, HUB_SETTINGS} - files.keys():
            (Path(folder) / name).unlink(missing_ok=True)
