"""Names of languages: M2M's codes for those of FLORES, NTREX, mBART, BCP 47 and older standards."""

from __future__ import annotations

import re
from collections.abc import Collection

from lslo_cli.method.vocabularies import M2M_124, MBART_50, NLLB_200

FLORES_CODES: dict[str, tuple[str, str]] = {
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

ONLY_FLORES_200 = {
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

NTREX_CODES = {
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
"""Model code -> NTREX-128 file code, if other than FLORES-101's."""

_OTHER_NAMES = {
    **{"nb": "no", "nor": "no", "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "fil": "tl"},
    **{"cmn": "zh", "cmn_Hans": "zh", "zho": "zh", "zh_CN": "zh", "zh_SG": "zh", "fil_Latn": "tl"},
    **{"ckb": "ku", "kur": "ku", "nso": "ns", "swa": "sw", "aze": "az", "nep": "ne", "sqi": "sq"},
    **{"ekk": "et", "ekk_Latn": "et", "ori": "or", "yid": "yi", "que": "qu", "aym": "ay", "bre": "br"},
    **{"fry": "fy", "kmr_Latn": "kmr", "cmn_Hant": "zho_Hant", "zho_trad": "zho_Hant", "zho_TW": "zho_Hant"},
    **{"gug": "grn_Latn", "gug_Latn": "grn_Latn", "kau": "knc_Latn", "din": "dik_Latn", "fa_AF": "prs_Arab"},
}
"""BCP 47's preferred, deprecated and macrolanguage codes that differ from M2M's."""

_FLORES_PLUS = {
    **{"apc_Arab_nort3139": "apc_Arab", "apc_Arab_sout3123": "ajp_Arab", "ktu_Latn": "kg"},
    **{"sat_Olck": "sat_Beng", "zgh_Tfng": "tzm_Tfng"},
    **{"twi_Latn_akua1239": "aka_Latn", "twi_Latn_asan1239": "twi_Latn"},
}
"""FLORES+'s codes of texts that NLLB-200 names otherwise; FLORES-200 has its Santali under sat_Olck, too."""

_TWO_LETTERS = {
    **{"ak": "aka", "bm": "bam", "bo": "bod", "dz": "dzo", "ee": "ewe", "eo": "epo", "eu": "eus"},
    **{"fj": "fij", "fo": "fao", "gn": "grn", "ki": "kik", "kr": "knc", "ks": "kas", "li": "lim"},
    **{"nn": "nno", "rn": "run", "rw": "kin", "sa": "san", "sc": "srd", "sg": "sag", "sm": "smo"},
    **{"st": "sot", "tk": "tuk", "ts": "tso", "tt": "tat", "tw": "twi", "ug": "uig"},
}
"""ISO 639-1 code, as in BCP 47 -> ISO 639-3 code, for languages that only NLLB-200 has."""

_BIBLIOGRAPHIC = {
    **{"alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl"},
    **{"fre": "fr", "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "mao": "mi"},
    **{"may": "ms", "per": "fa", "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy"},
}
"""ISO 639-2's bibliographic codes that differ from the others."""

_USUAL_SCRIPTS = ("ace_Latn", "bjn_Latn", "kas_Arab", "knc_Latn", "taq_Latn")
"""Languages that NLLB-200 has in two scripts, in the one that a bare code means: CLDR's likely script."""

_TRADITIONAL = {"tw", "hk", "mo"}
"""BCP 47 regions that write Chinese in traditional characters, another language to models."""


def _form(code: str) -> str:
    return code.lower().replace("_", "-")


_MODEL_CODES = {code: model for model, codes in FLORES_CODES.items() for code in codes} | {
    code: model for names in (NTREX_CODES, ONLY_FLORES_200) for model, code in names.items()
}
_MODEL_CODES |= {code: code.partition("_")[0] for code in MBART_50}  # en_XX
_MODEL_CODES |= _OTHER_NAMES | _FLORES_PLUS
_MODEL_CODES |= {code: code for code in M2M_124}

_BARE = {
    code.partition("_")[0]: _MODEL_CODES.get(code, code) for code in (*reversed(NLLB_200), *_USUAL_SCRIPTS)
}
_BARE |= {short: _BARE[long] for short, long in _TWO_LETTERS.items()}
_BY_FORM = _BARE | {_form(code): code for code in NLLB_200}
_BY_FORM |= {_form(code): model for code, model in _MODEL_CODES.items()}
_BY_FORM |= {code: _BY_FORM[usual] for code, usual in _BIBLIOGRAPHIC.items()}

_WORDS = set("als ban bug din fon fur geo in mac mag mao may min ori per que run sag sat slo war".split())  # noqa: SIM905
"""Codes that are also words or abbreviations, and thus common in names of files and columns."""


def is_listed(name: str) -> bool:
    """Whether the tables list a name as a language's: ``en``, ``EN``, ``eng_Latn``; not ``run``."""
    form = _form(name)
    return form not in _WORDS and (form in _BY_FORM or _of_bcp47(form) is not None)


def model_code(code: str) -> str:
    """M2M's code for another: ``zh`` for ``zho_Hans``, ``zho_simpl``, ``zh-CN``; ``pt`` for ``pt-BR``.

    For a language that M2M lacks, the FLORES-200 code under any of its names: ``epo_Latn`` for ``eo`` and
    ``epo``, ``zho_Hant`` for ``zh-TW``. Unknown codes are returned unchanged.
    """
    form = _form(code)
    return _MODEL_CODES.get(code) or _BY_FORM.get(form) or _of_bcp47(form) or code


def model_codes(own: Collection[str]) -> dict[str, str]:
    """M2M's code for each of a model's own codes.

    ``ku`` is Sorani in M2M. A model that has Sorani as ``ckb``, as MADLAD-400, means Kurmanji by it: ``kmr``.
    """
    codes = {code: model_code(code) for code in own}
    if "ku" in codes and "ckb" in codes and "kmr" not in codes:
        codes["ku"] = "kmr"
    return codes


def find_code(name: str, known: Collection[str]) -> str:
    """The code among ``known`` for a name: itself, M2M's code for it, or its only code with a script.

    ``tyv`` is ``tyv_Cyrl`` if a model has it in that script alone. M2M's code for the name if none is known.
    """
    usual = model_code(name)
    if name in known or usual in known:
        return name if name in known else usual
    scripts = [code for code in known if _form(code).partition("-")[0] == _form(name)]
    return scripts[0] if len(scripts) == 1 else usual


def _of_bcp47(form: str) -> str | None:
    """The language of a tag with a script, a region or a variant; None if one of these is unknown.

    Three letters with a region are a separate variety, as NTREX-128's ``fra-CA``.
    """
    language, *subtags = form.split("-")
    if language == "zh" and subtags[0] == "yue":
        language, *subtags = subtags
    script = subtags.pop(0) if subtags and re.fullmatch("[a-z]{4}", subtags[0]) else ""
    region = subtags.pop(0) if subtags and re.fullmatch("[a-z]{2}|[0-9]{3}", subtags[0]) else ""
    are_variants = all(re.fullmatch("[0-9][a-z0-9]{3}|valencia|tarask", subtag) for subtag in subtags)
    model = _BY_FORM.get(language)
    if model is None or not are_variants or (region and len(language) == 3 and language != "yue"):
        return None
    own_language, _, own_script = flores200_code(model).partition("_")
    if model == "zh" and not script and region in _TRADITIONAL:
        script = "hant"
    if script in ("", own_script.lower()):
        return model
    return _BY_FORM.get(f"{own_language}-{script}")


def flores200_code(code: str) -> str:
    """The FLORES-200 code of a language: ``fuv_Latn`` for ``ff``; an unmapped code is unchanged."""
    model = model_code(code)
    return FLORES_CODES[model][1] if model in FLORES_CODES else ONLY_FLORES_200.get(model, code)


MODEL_LANGUAGES: tuple[str, ...] = tuple(dict.fromkeys(map(model_code, (*M2M_124, *NLLB_200, *MBART_50))))
"""Every language of the published models, by its code here."""
