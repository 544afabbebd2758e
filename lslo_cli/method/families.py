"""Families of translation models: their architecture, and how and where they name languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.shapes import ModelShape
from lslo_cli.method.strategy import Index
from lslo_cli.method.vocabularies import M2M_100, M2M_124, MBART_50, NLLB_200


@dataclass(frozen=True)
class Family:
    """Models that share an architecture and a way to name languages.

    ``model_type`` is that of config.json. The encoder reads ``[l] x </s>``, l the token of the language
    that ``encoder_language`` names; the decoder writes ``[tgt] y </s>``, or ``y </s>`` if it names no
    language. ``token`` is the format of a language's token and ``code`` a regular expression for its code;
    ``languages`` are the codes of the published models in the order of their ids, empty if the vocabulary
    itself lists them. ``tokenizers`` are transformers' names for the family's tokenizers.
    ``sizes`` are the shapes of the published models by name, so that counts need no download.

    Ids are those of fairseq's dictionary or, with ``sentencepiece_ids``, of the sentencepiece model itself.
    """

    name: str
    model_type: str
    languages: tuple[str, ...]
    token: str
    code: str
    sizes: Mapping[str, ModelShape]
    tokenizers: tuple[str, ...] = ()
    encoder_language: Index = Index.SOURCE
    decoder_names_language: bool = True
    sentencepiece_ids: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether a language's token is its code alone: there ids follow the sentencepiece model's order."""
        return self.token == "{}"

    def language_token(self, code: str) -> str:
        """The token of a language, by the family's own code for it: ``__en__``, ``eng_Latn``, ``en_XX``."""
        return self.token.format(code)

    def code_of(self, token: str) -> str | None:
        """The code that a language token names, None for any other token."""
        prefix, suffix = self.token.split("{}")
        code = token.removeprefix(prefix).removesuffix(suffix)
        return code if token == self.language_token(code) and re.fullmatch(self.code, code) else None


_M2M_CODE = "[A-Za-z][A-Za-z0-9_-]*?"
_FLORES_200_CODE = "[a-z]{3}_[A-Z][a-z]{3}"
_MBART_CODE = "[a-z]{2}_[A-Z]{2}"
_BCP_47_CODE = "[a-z]{2,3}([_-][A-Za-z0-9]+)*"

FAMILIES: dict[str, Family] = {
    "m2m-124": Family(
        "M2M-124",
        "m2m_100",
        M2M_124,
        "__{}__",
        _M2M_CODE,
        sizes={
            "m2m-124-615m": ModelShape(12, 12, 1024, 4096, 256_125, 614_990_848),
            "m2m-124-175m": ModelShape(6, 6, 512, 2048, 256_125, 175_276_544),
        },
    ),
    "m2m-100": Family(
        "M2M-100",
        "m2m_100",
        M2M_100,
        "__{}__",
        _M2M_CODE,
        sizes={
            "m2m-100-418m": ModelShape(12, 12, 1024, 4096, 128_112, 483_905_536),
            "m2m-100-1.2b": ModelShape(24, 24, 1024, 8192, 128_112, 1_239_470_080),
        },
    ),
    "small-100": Family(
        "SMaLL-100",
        "m2m_100",
        M2M_100,
        "__{}__",
        _M2M_CODE,
        sizes={"small-100": ModelShape(12, 3, 1024, 4096, 128_112, 332_735_488)},
        tokenizers=("SMALL100Tokenizer",),
        encoder_language=Index.TARGET,
        decoder_names_language=False,
    ),
    "nllb-200": Family(
        "NLLB-200",
        "m2m_100",
        NLLB_200,
        "{}",
        _FLORES_200_CODE,
        sizes={
            "nllb-200-600m": ModelShape(12, 12, 1024, 4096, 256_206, 615_073_792),
            "nllb-200-1.3b": ModelShape(24, 24, 1024, 8192, 256_206, 1_370_638_336),
            "nllb-200-3.3b": ModelShape(24, 24, 2048, 8192, 256_206, 3_344_863_232),
        },
        tokenizers=("NllbTokenizer", "NllbTokenizerFast"),
    ),
    "mbart-50": Family(
        "mBART-50",
        "mbart",
        MBART_50,
        "{}",
        _MBART_CODE,
        sizes={"mbart-50": ModelShape(12, 12, 1024, 4096, 250_054, 610_879_488)},
        tokenizers=("MBart50Tokenizer", "MBart50TokenizerFast"),
    ),
    "madlad-400": Family(
        "MADLAD-400",
        "t5",
        (),
        "<2{}>",
        _BCP_47_CODE,
        sizes={"madlad-400-3b": ModelShape(32, 32, 1024, 8192, 256_000, 2_940_374_016, attention_dim=2048)},
        tokenizers=("T5Tokenizer", "T5TokenizerFast"),
        encoder_language=Index.TARGET,
        decoder_names_language=False,
        sentencepiece_ids=True,
    ),
}
"""Every family that lslo can adapt."""

SHAPES: dict[str, ModelShape] = {
    name: shape for family in FAMILIES.values() for name, shape in family.sizes.items()
}
"""Shapes known by name."""


HUB_NAMES: dict[str, str] = {
    "VityaVitalich/flores101_mm100_615M": "m2m-124-615m",
    "seyoungsong/flores101_mm100_175M": "m2m-124-175m",
    "facebook/m2m100_418M": "m2m-100-418m",
    "facebook/m2m100_1.2B": "m2m-100-1.2b",
    "facebook/nllb-200-distilled-600M": "nllb-200-600m",
    "facebook/nllb-200-distilled-1.3B": "nllb-200-1.3b",
    "facebook/nllb-200-1.3B": "nllb-200-1.3b",
    "facebook/nllb-200-3.3B": "nllb-200-3.3b",
    "alirezamsh/small100": "small-100",
    "facebook/mbart-large-50-many-to-many-mmt": "mbart-50",
}
"""The hub's ids of models that are known by name."""


def models_of(name: str) -> str:
    """What to type for a model of a published shape: ``--model facebook/m2m100_418M or --model FOLDER``."""
    ids = [hub_id for hub_id, known in HUB_NAMES.items() if known == name]
    return " or ".join(f"--model {each}" for each in (*ids, "FOLDER"))


def published_shape(model: str) -> ModelShape | None:
    """The shape of a published model by name or hub id, None for any other."""
    return SHAPES.get(HUB_NAMES.get(model, model))


def published(name: str) -> tuple[Family, ModelShape]:
    """Family and shape of a published model by name, such as ``m2m-124-615m``.

    Raises UsageError for a name that is not known, naming the nearest.
    """
    if name not in SHAPES:
        raise UsageError(
            f"no model is known by the name '{name}'.{nearest(name, SHAPES)}",
            f"known by name: {', '.join(SHAPES)}",
        )
    return next(family for family in FAMILIES.values() if name in family.sizes), SHAPES[name]
