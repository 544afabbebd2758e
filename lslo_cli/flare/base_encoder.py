"""The encoder of a translation model as a task model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from lslo_cli.models.base import load_base
from lslo_cli.models.tokenizer import Tokenizer

MODEL_TYPES = ("m2m_100", "mbart")
"""The translation models whose encoder transformers does not load alone."""


@dataclass(frozen=True)
class BaseTokenizer:
    """A base model's tokenizer with transformers' interface; every text is read as ``language``.

    A task's texts do not name their language, and one head learns from all of them.
    """

    tokenizer: Tokenizer
    language: str

    @property
    def pad_token_id(self) -> int:
        return self.tokenizer.pad_id

    def __len__(self) -> int:
        return self.tokenizer.vocab_size

    def __call__(
        self, first: str, second: str | None = None, *, truncation: bool = True, max_length: int
    ) -> dict[str, Sequence[int]]:
        """``input_ids`` of one text or a pair, each with an end token, truncated to ``max_length``."""
        pieces = self.tokenizer.encode(first)
        if second:
            pieces = [*pieces, self.tokenizer.eos_id, *self.tokenizer.encode(second)]
        room = max_length - len(self.tokenizer.source_ids([], self.language, self.language))
        return {"input_ids": self.tokenizer.source_ids(pieces[:room], self.language, self.language)}


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
