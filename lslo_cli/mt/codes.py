"""Language codes: how data sets name the languages that the base model calls ``en``, ``zh``, ``no``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lslo_cli.errors import UsageError, nearest
from lslo_cli.method.vocabularies import MBART_50

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
    "as": ("asm", "asm_Beng"),
    "ast": ("ast", "ast_Latn"),
    "az": ("azj", "azj_Latn"),
    "be": ("bel", "bel_Cyrl"),
    "bn": ("ben", "ben_Beng"),
    "bs": ("bos", "bos_Latn"),
    "bg": ("bul", "bul_Cyrl"),
    "my": ("mya", "mya_Mymr"),
    "ca": ("cat", "cat_Latn"),
    "ceb": ("ceb", "ceb_Latn"),
    "hr": ("hrv", "hrv_Latn"),
    "cs": ("ces", "ces_Latn"),
    "da": ("dan", "dan_Latn"),
    "et": ("est", "est_Latn"),
    "tl": ("tgl", "tgl_Latn"),
    "fi": ("fin", "fin_Latn"),
    "gl": ("glg", "glg_Latn"),
    "lg": ("lug", "lug_Latn"),
    "ka": ("kat", "kat_Geor"),
    "el": ("ell", "ell_Grek"),
    "gu": ("guj", "guj_Gujr"),
    "hu": ("hun", "hun_Latn"),
    "is": ("isl", "isl_Latn"),
    "ig": ("ibo", "ibo_Latn"),
    "id": ("ind", "ind_Latn"),
    "ga": ("gle", "gle_Latn"),
    "jv": ("jav", "jav_Latn"),
    "kea": ("kea", "kea_Latn"),
    "kn": ("kan", "kan_Knda"),
    "kk": ("kaz", "kaz_Cyrl"),
    "km": ("khm", "khm_Khmr"),
    "ky": ("kir", "kir_Cyrl"),
    "lo": ("lao", "lao_Laoo"),
    "lv": ("lav", "lvs_Latn"),
    "ln": ("lin", "lin_Latn"),
    "lt": ("lit", "lit_Latn"),
    "luo": ("luo", "luo_Latn"),
    "lb": ("ltz", "ltz_Latn"),
    "mk": ("mkd", "mkd_Cyrl"),
    "ms": ("msa", "zsm_Latn"),
    "ml": ("mal", "mal_Mlym"),
    "mi": ("mri", "mri_Latn"),
    "mr": ("mar", "mar_Deva"),
    "mn": ("mon", "khk_Cyrl"),
    "ne": ("npi", "npi_Deva"),
    "ns": ("nso", "nso_Latn"),
    "om": ("orm", "gaz_Latn"),
    "ps": ("pus", "pbt_Arab"),
    "fa": ("fas", "pes_Arab"),
    "pl": ("pol", "pol_Latn"),
    "pa": ("pan", "pan_Guru"),
    "ro": ("ron", "ron_Latn"),
    "sr": ("srp", "srp_Cyrl"),
    "sk": ("slk", "slk_Latn"),
    "sl": ("slv", "slv_Latn"),
    "so": ("som", "som_Latn"),
    "ku": ("ckb", "ckb_Arab"),
    "sw": ("swh", "swh_Latn"),
    "sv": ("swe", "swe_Latn"),
    "tg": ("tgk", "tgk_Cyrl"),
    "ta": ("tam", "tam_Taml"),
    "te": ("tel", "tel_Telu"),
    "th": ("tha", "tha_Thai"),
    "tr": ("tur", "tur_Latn"),
    "uk": ("ukr", "ukr_Cyrl"),
    "umb": ("umb", "umb_Latn"),
    "ur": ("urd", "urd_Arab"),
    "uz": ("uzb", "uzn_Latn"),
    "vi": ("vie", "vie_Latn"),
    "cy": ("cym", "cym_Latn"),
    "xh": ("xho", "xho_Latn"),
}
"""Model code -> (FLORES-101 file code, FLORES-200 code): the paper's 30 languages, then the other 71."""

_ONLY_FLORES200 = {
    "ay": "ayr_Latn",
    "ba": "bak_Cyrl",
    "cjk": "cjk_Latn",
    "dyu": "dyu_Latn",
    "gd": "gla_Latn",
    "ht": "hat_Latn",
    "ilo": "ilo_Latn",
    "kac": "kac_Latn",
    "kg": "kon_Latn",
    "kmb": "kmb_Latn",
    "kmr": "kmr_Latn",
    "mg": "plt_Latn",
    "qu": "quy_Latn",
    "shn": "shn_Mymr",
    "si": "sin_Sinh",
    "sq": "als_Latn",
    "ss": "ssw_Latn",
    "su": "sun_Latn",
    "ti": "tir_Ethi",
    "tn": "tsn_Latn",
    "yi": "ydd_Hebr",
}
"""Model code -> FLORES-200 code, for languages of M2M-124 that FLORES-101 does not have."""

_NTREX_CODES = {
    "ar": "arb",
    "az": "aze-Latn",
    "ba": "bak",
    "ku": "ckb-Arab",
    "mg": "mlg",
    "ne": "nep",
    "sd": "snd-Arab",
    "si": "sin",
    "sn": "sna-Latn",
    "sq": "sqi",
    "sr": "srp-Cyrl",
    "ss": "ssw",
    "sw": "swa",
    "tg": "tgk-Cyrl",
    "ti": "tir",
    "tl": "fil",
    "tn": "tsn",
    "zh": "zho-CN",
}
"""Model code -> NTREX-128 file code, where that is not FLORES-101's."""

OTHER_VARIETIES = {"ff": ("fuc", "Pulaar")}
"""Model code -> (file code, name) of a variety that NTREX-128 has instead, and that is not taken for it."""

_MODEL_CODES = {code: model for model, codes in _FLORES_CODES.items() for code in codes} | {
    code: model for names in (_NTREX_CODES, _ONLY_FLORES200) for model, code in names.items()
}
_MODEL_CODES |= {code: code.partition("_")[0] for code in MBART_50}  # en_XX

_MODEL_CODES |= {"cmn_Hans": "zh", "zh-Hans": "zh", "fil_Latn": "tl"}

_CODE = re.compile("[a-z]{2,3}([_-]([A-Z][a-z]{3}|[A-Z]{2}|simpl|trad))?")
_COLUMNS = {"id", "url", "src", "tgt", "trg", "ref", "hyp", "doc", "row", "num", "key"}
_EXTENSIONS = {"txt", "tok", "bpe", "tmx", "xlf", "ods", "zip", "tar", "tgz", "zst", "xz"}
_NOT_CODES = _COLUMNS | _EXTENSIONS
"""Columns and extensions that are found beside text; Indonesian under ``id`` has to be asked for by name."""


def model_code(code: str) -> str:
    """M2M's code for another: ``zh`` for ``zho_simpl``, ``zho_Hans``, ``zho-CN``, ``zh_CN``; others stay."""
    return _MODEL_CODES.get(code, code)


def flores101_code(code: str) -> str:
    """The name of a language's FLORES-101 files: ``nob`` for ``no``; an unmapped code is its own."""
    return file_codes(code)[0]


def flores200_code(code: str) -> str:
    """The FLORES-200 code of a language: ``fuv_Latn`` for ``ff``; an unmapped code is its own."""
    model = model_code(code)
    return _FLORES_CODES[model][1] if model in _FLORES_CODES else _ONLY_FLORES200.get(model, code)


def file_codes(code: str) -> tuple[str, ...]:
    """The names a data set may use for a language, in the order to try.

    FLORES-101, FLORES-200, NTREX-128, then the model's own: ``ar`` -> ``("ara", "arb_Arab", "arb", "ar")``.
    ``code`` may be any of these; an unmapped code is its only name.
    """
    model = model_code(code)
    others = [names[model] for names in (_ONLY_FLORES200, _NTREX_CODES) if model in names]
    return tuple(dict.fromkeys((*_FLORES_CODES.get(model, ()), *others, model)))


def is_language_code(name: str) -> bool:
    """Whether a name has the form of a language code: ``en``, ``wol_Latn``, ``zho-CN``; not ``keys``."""
    return bool(_CODE.fullmatch(name)) and name not in _NOT_CODES


def is_listed(name: str) -> bool:
    """Whether a name is one that the tables here give to a language: ``en``, ``eng_Latn``; not ``run``."""
    return name in _MODEL_CODES or name in _FLORES_CODES or name in _ONLY_FLORES200


def check_new_languages(relatives: Mapping[str, str], known: Collection[str], name: str) -> None:
    """Raise UsageError where the base ``name`` knows a new language, or does not know its relative.

    ``relatives`` are the new languages, each with its relative; ``known`` are those of the base.
    """
    for code, relative in relatives.items():
        if model_code(code) in known:
            raise UsageError(
                f"--add-lang {code}: base model '{name}' knows this language already",
                f"name it in --langs as {model_code(code)}",
            )
        if model_code(relative) not in known:
            raise UsageError(
                f"--like {relative}: base model '{name}' has no token for this language, as which '{code}' "
                f"could begin.{nearest(relative, known)}",
                f"choose among its {len(known)} languages: {', '.join(known)}",
            )
