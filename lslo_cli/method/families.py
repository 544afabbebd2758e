"""Families of translation models: their architecture, and how and where they name languages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.shapes import SHAPES, ModelShape
from lslo_cli.method.strategy import Index
from lslo_cli.method.vocabularies import M2M_100, M2M_124, MBART_50, NLLB_200


@dataclass(frozen=True)
class Family:
    """Models that share an architecture and a way to name languages.

    ``model_type`` is what config.json says. The encoder reads ``[l] x </s>``, where ``encoder_language``
    says whose token l is; the decoder writes ``[tgt] y </s>`` or, where it names no language, ``y </s>``.
    ``token`` is the form of a language's token and ``code`` what its code looks like, as a regular
    expression; ``languages`` are the codes of the published models, in the order of their ids.
    """

    name: str
    model_type: str
    languages: tuple[str, ...]
    token: str
    code: str
    encoder_language: Index = Index.SOURCE
    decoder_names_language: bool = True

    def language_token(self, code: str) -> str:
        """The token of a language, by the family's own code for it: ``__en__``, ``eng_Latn``, ``en_XX``."""
        return self.token.format(code)

    def code_of(self, token: str) -> str | None:
        """The code that a token names, None for any other token."""
        prefix, suffix = self.token.split("{}")
        code = token.removeprefix(prefix).removesuffix(suffix)
        return code if token == self.language_token(code) and re.fullmatch(self.code, code) else None


_M2M_CODE, _FLORES_200_CODE, _MBART_CODE = (
    "[A-Za-z][A-Za-z0-9_-]*?",
    "[a-z]{3}_[A-Z][a-z]{3}",
    "[a-z]{2}_[A-Z]{2}",
)

FAMILIES: dict[str, Family] = {
    "m2m-124": Family("M2M-124", "m2m_100", M2M_124, "__{}__", _M2M_CODE),
    "m2m-100": Family("M2M-100", "m2m_100", M2M_100, "__{}__", _M2M_CODE),
    "small-100": Family(
        "SMaLL-100", "m2m_100", M2M_100, "__{}__", _M2M_CODE, Index.TARGET, decoder_names_language=False
    ),
    "nllb-200": Family("NLLB-200", "m2m_100", NLLB_200, "{}", _FLORES_200_CODE),
    "mbart-50": Family("mBART-50", "mbart", MBART_50, "{}", _MBART_CODE),
}
"""Every family that lslo can adapt.

MADLAD-400 is not among them: it is a T5. Its gated feed-forward has two input matrices where the paper has
one fc1, and its code names no layer or matrix as the others do.
"""


def published(name: str) -> tuple[Family, ModelShape]:
    """Family and shape of a published model by name, such as ``m2m-124-615m``.

    Raises UsageError for a name that is not known, naming the nearest.
    """
    if name not in SHAPES:
        raise UsageError(
            f"no model is known by the name '{name}'.{nearest(name, SHAPES)}",
            f"known by name: {', '.join(SHAPES)}",
        )
    return next(family for prefix, family in FAMILIES.items() if name.startswith(prefix)), SHAPES[name]
