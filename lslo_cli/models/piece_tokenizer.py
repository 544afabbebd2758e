"""Text to token ids and back with the ids of the segmenter itself, as in MADLAD-400."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lslo_cli.artifacts.writing import writing
from lslo_cli.errors import InputError
from lslo_cli.method.families import Family
from lslo_cli.models.added_tokens import find_segmenter
from lslo_cli.models.segmentation import MADE_UP, SPIECE, Segmenter, SentencePiece
from lslo_cli.models.tokenizer import Tokenizer, one_line
from lslo_cli.models.tokenizer_files import language_ids, made_up

_BYTE = re.compile("<0x([0-9A-F]{2})>")


class PieceTokenizer(Tokenizer):
    """Ids are indices in the segmenter's list of pieces, which includes specials and language tokens.

    Characters without a piece are encoded as UTF-8 bytes, if the segmenter does so.
    """

    def __init__(self, segmenter: Segmenter, family: Family, rows: int, pad: int, start: int):
        """``rows`` are those of the embedding; the last may be unused.

        ``pad`` and ``start`` are the ids of padding and of the decoder's start token. Raises InputError if
        there is no ``</s>`` or ``<unk>``, or no token of any language.
        """
        self.segmenter = segmenter
        self.family = family
        spare = rows - len(segmenter.pieces)
        self.tokens = [*segmenter.pieces, *made_up(spare, set(segmenter.pieces))]
        ids = {token: index for index, token in enumerate(self.tokens)}
        self._languages = language_ids(ids, family)
        for needed, found in (
            ("</s>", "</s>" in ids),
            ("<unk>", "<unk>" in ids),
            (f"token of a language, such as {family.language_token('en')}", self._languages),
        ):
            if not found:
                raise InputError(
                    f"the vocabulary has no {needed}", f"use a model of {family.name}, or one made from it"
                )
        self.pad_id, self.start_id = pad, start
        self.eos_id, self.unk_id = ids["</s>"], ids["<unk>"]
        self._piece_ids = list(range(len(segmenter.pieces)))
        self.output_size = len(self.tokens)
        self.unused = [index for token, index in ids.items() if MADE_UP.match(token)]
        self._silent = {pad, self.eos_id, ids.get("<s>", pad), *self._languages.values()}

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``, without language tokens, ``<s>``, padding and ``</s>``; ``<unk>`` stays."""
        pieces = (self.tokens[index] for index in ids if index not in self._silent)
        written = (
            bytes.fromhex(byte[1]) if (byte := _BYTE.fullmatch(piece)) else piece.encode() for piece in pieces
        )
        return one_line(b"".join(written).decode("utf-8", errors="replace").replace("▁", " "))

    @classmethod
    def read(cls, folder: Path, family: Family, config: Mapping[str, Any]) -> PieceTokenizer:
        """The tokenizer of a folder whose config.json is ``config``; raises InputError as ``__init__``."""
        pad = int(config["pad_token_id"])
        start = config.get("decoder_start_token_id")
        try:
            return cls(
                find_segmenter(folder, family),
                family,
                rows=int(config["vocab_size"]),
                pad=pad,
                start=pad if start is None else int(start),
            )
        except InputError as error:
            raise error.saying(f"{folder}: {error.message}") from error

    def save(self, folder: Path) -> None:
        """Write the segmenter's file and, for transformers, tokenizer.json and tokenizer_config.json.

        Raises InputError if the folder cannot be written to.
        """
        files = self.stock_files()
        own = SPIECE if isinstance(self.segmenter, SentencePiece) else self.segmenter.name
        for name, content in (files | {own: self.segmenter.content}).items():
            with writing(Path(folder) / name, "choose a folder that can be written to") as file:
                file.write(content)
