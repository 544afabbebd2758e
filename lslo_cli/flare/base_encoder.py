"""The encoder of a translation model as a task model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from lslo_cli.flare.parts import PartTokens, Segment
from lslo_cli.models.base import load_base
from lslo_cli.models.tokenizer import Tokenizer

MODEL_TYPES = ("m2m_100", "mbart")
"""The translation models whose encoder transformers does not load alone."""


@dataclass(frozen=True)
class BaseTokenizer:
    """A base model's tokenizer for texts of several parts; every text is read as ``language``.

    A task's texts do not name their language, and one head learns from all of them.
    """

    tokenizer: Tokenizer
    language: str

    @property
    def pad_token_id(self) -> int:
        return self.tokenizer.pad_id

    def __len__(self) -> int:
        return self.tokenizer.vocab_size

    def part_tokens(self, first: Segment, second: Segment) -> PartTokens:
        """Two segments, each with an end token; an empty second is none."""
        ids, parts = self._numbered(first, 0)
        if second.text:
            more, of_second = self._numbered(second, len(first.ends) + 1)
            ids, parts = [*ids, self.tokenizer.eos_id, *more], [*parts, None, *of_second]
        return PartTokens(
            self.tokenizer.source_ids(ids, self.language, self.language),
            [None, *parts, None],  # the language's token, and the last end token
        )

    def _numbered(self, segment: Segment, start: int) -> tuple[list[int], list[int | None]]:
        """The ids of a segment and the part of each, counted from ``start``."""
        ids = self.tokenizer.encode(segment.text)
        ends = [len(self.tokenizer.encode(segment.text[:end])) for end in segment.ends]
        return ids, [start + bisect_right(ends, place) for place in range(len(ids))]


def load_base_encoder(
    name: str, languages: Sequence[str], *, revision: str | None = None, attention: str | None = None
) -> tuple[PreTrainedModel, BaseTokenizer]:
    """The encoder of ``world``, a folder or a hub id, with its tokenizer.

    All texts are read as the first of ``languages`` that it knows. Raises InputError if there is no such
    base or it knows none of them.
    """
    base = load_base(name, revision=revision, attn=attention)
    known = [code for code in languages if code in base.tokenizer.languages]
    if not known:
        base.check_languages(languages[:1])
    return base.model.get_encoder(), BaseTokenizer(base.tokenizer, known[0])
