"""Add languages to a base model that does not know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lslo_cli.data.codes import check_new_languages
from lslo_cli.models.base import BaseModel
from lslo_cli.nn.embedding import extend_embedding


def add_languages(base: BaseModel, relatives: Mapping[str, str]) -> BaseModel:
    """The same base with a token for each new language, initialised as that of its relative.

    ``relatives`` maps new codes to relatives' codes. The network is extended in place; its own parameters and
    its identity do not change. Raises UsageError for a language that the base knows, or a relative that it
    does not.
    """
    if not relatives:
        return base
    check_new_languages(relatives, base.tokenizer.languages, base.identity.name)
    ids = {code: base.tokenizer.language_id(relative) for code, relative in relatives.items()}
    tokenizer = base.tokenizer.with_languages(relatives)
    return replace(base, tokenizer=tokenizer, new_rows=extend_embedding(base.model, ids))
