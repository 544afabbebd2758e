"""Language codes: how data sets name the languages that the base model calls ``en``, ``zh``, ``no``."""

from __future__ import annotations

import re

_FLORES_CODES: dict[str, tuple[str, str]] = {
    "en": ("eng", "eng_Latn"),
    "fr": ("fra", "fra_Latn"),
    "de": ("deu", "deu_Latn"),
    "it": ("ita", "ita_Latn"),
    "pt": ("por", "por_Latn"),
    "ru": ("rus", "rus_Cyrl"),
    "es": ("spa", "spa_Latn"),
    "ar": ("ara", "arb_Arab"),
    "zh": ("zho_simpl", "zho_Hans"),
    "nl": ("nld", "nld_Latn"),
    "he": ("heb", "heb_Hebr"),
    "hi": ("hin", "hin_Deva"),
    "ja": ("jpn", "jpn_Jpan"),
    "ko": ("kor", "kor_Hang"),
    "mt": ("mlt", "mlt_Latn"),
    "no": ("nob", "nob_Latn"),
    "af": ("afr", "afr_Latn"),
    "am": ("amh", "amh_Ethi"),
    "hy": ("hye", "hye_Armn"),
    "ha": ("hau", "hau_Latn"),
    "ny": ("nya", "nya_Latn"),
    "sn": ("sna", "sna_Latn"),
    "yo": ("yor", "yor_Latn"),
    "zu": ("zul", "zul_Latn"),
    "ff": ("ful", "fuv_Latn"),
    "kam": ("kam", "kam_Latn"),
    "oc": ("oci", "oci_Latn"),
    "or": ("ory", "ory_Orya"),
    "sd": ("snd", "snd_Arab"),
    "wo": ("wol", "wol_Latn"),
}
"""Model code -> (FLORES-101 file code, FLORES-200 code), for the 30 languages of the paper."""

_NTREX_CODES = {"ar": "arb", "zh": "zho-CN", "sn": "sna-Latn", "sd": "snd-Arab"}
"""Model code -> NTREX-128 file code, where that is not FLORES-101's."""

OTHER_VARIETIES = {"ff": ("fuc", "Pulaar")}
"""Model code -> (file code, name) of a variety that NTREX-128 has instead, and that is not taken for it."""

_MODEL_CODES = {code: model for model, codes in _FLORES_CODES.items() for code in codes} | {
    code: model for model, code in _NTREX_CODES.items()
}

_CODE = re.compile("[a-z]{2,3}([_-]([A-Z][a-z]{3}|[A-Z]{2}|simpl|trad))?")
_NOT_CODES = {"id", "url"}
"""Columns that most tables have beside their text; Indonesian under ``id`` has to be asked for by name."""


def model_code(code: str) -> str:
    """The model's code for a data set's: ``zh`` for ``zho_simpl``, ``zho_Hans``, ``zho-CN``; others stay."""
    return _MODEL_CODES.get(code, code)


def flores101_code(code: str) -> str:
    """The name of a language's FLORES-101 files: ``nob`` for ``no``; an unmapped code is its own."""
    return file_codes(code)[0]


def flores200_code(code: str) -> str:
    """The FLORES-200 code of a language: ``fuv_Latn`` for ``ff``; an unmapped code is its own."""
    return _FLORES_CODES.get(model_code(code), (code, code))[1]


def file_codes(code: str) -> tuple[str, ...]:
    """The names a data set may use for a language, in the order to try.

    FLORES-101, FLORES-200, NTREX-128, then the model's own: ``ar`` -> ``("ara", "arb_Arab", "arb", "ar")``.
    ``code`` may be any of these; an unmapped code is its only name.
    """
    model = model_code(code)
    ntrex = [_NTREX_CODES[model]] if model in _NTREX_CODES else []
    return tuple(dict.fromkeys((*_FLORES_CODES.get(model, ()), *ntrex, model)))


def is_language_code(name: str) -> bool:
    """Whether a name has the form of a language code: ``en``, ``wol_Latn``, ``zho-CN``; not ``keys``."""
    return bool(_CODE.fullmatch(name)) and name not in _NOT_CODES
