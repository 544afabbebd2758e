"""Language codes: how data sets name the languages that the base model calls ``en``, ``zh``, ``no``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from lslo_cli.errors import InputError, UsageError, nearest
from lslo_cli.method.codes import FLORES_CODES, NTREX_CODES, ONLY_FLORES_200, is_listed, model_code
from lslo_cli.method.vocabularies import M2M_124

OTHER_VARIETIES = {"ff": ("fuc", "Pulaar")}
"""Model code -> (file code, name) of another variety in NTREX-128, which is not used in its place."""

_CODE = re.compile("[a-z]{2,3}([_-](simpl|trad)|([_-][A-Z][a-z]{3})?([_-]([A-Z]{2}|[0-9]{3}))?)")
_COLUMNS = {"id", "url", "src", "tgt", "trg", "ref", "hyp", "doc", "row", "num", "key"}
_EXTENSIONS = {"txt", "tok", "bpe", "tmx", "xlf", "ods", "zip", "tar", "tgz", "zst", "xz"}
_NOT_CODES = _COLUMNS | _EXTENSIONS
"""Common non-language columns and extensions; a column ``id`` is Indonesian only if requested by name."""
NUMBERS_ROWS = "id"
"""A column's name that is also a language's code."""


def file_codes(code: str) -> tuple[str, ...]:
    """The names a data set may use for a language, in the order to try.

    FLORES-101, FLORES-200, NTREX-128, then the model's own: ``ar`` -> ``("ara", "arb_Arab", "arb", "ar")``.
    ``code`` may be any of these; an unmapped code is its only name.
    """
    model = model_code(code)
    others = [names[model] for names in (ONLY_FLORES_200, NTREX_CODES) if model in names]
    return tuple(dict.fromkeys((*FLORES_CODES.get(model, ()), *others, model)))


def is_language_code(name: str) -> bool:
    """Whether a name is in the tables or has the form of a code: ``EN``, ``wol_Latn``, ``qta``.

    ``keys`` is not, nor is ``en-fr``, which is a pair of languages rather than the English of France.
    """
    first, _, second = name.partition("-")
    if name.lower() in _NOT_CODES or (second in M2M_124 and name not in (f"{first}-{first}", "pt-br")):
        return False
    return bool(_CODE.fullmatch(name) or is_listed(name))


def is_file_code(name: str) -> bool:
    """Whether the end of a file's name, as of ``train.id``, is a language's: also ``id``, Indonesian."""
    return name == NUMBERS_ROWS or is_language_code(name)


def check_known(codes: Iterable[str], known: Collection[str], name: str) -> None:
    """Raise InputError if the base ``name``, which knows ``known``, lacks some codes, naming them all."""
    missing = [code for code in codes if code not in known]
    if missing:
        raise InputError(
            f"base model '{name}' has no token for {', '.join(missing)}.{nearest(missing[0], known)}",
            f"choose among its {len(known)} languages ({', '.join(known)}), give another --model, or add "
            f"it to this one: --add-lang {missing[0]} --like RELATIVE",
        )


def check_new_languages(relatives: Mapping[str, str], known: Collection[str], name: str) -> None:
    """Raise UsageError if the base ``name`` knows a new language, or does not know its relative.

    ``relatives`` are the new languages, each with its relative; ``known`` are those of the base.
    """
    for code, relative in relatives.items():
        if model_code(code) in known:
            raise UsageError(
                f"--add-lang {code}: base model '{name}' knows this language already, as {model_code(code)}",
                f"name it in --langs as {model_code(code)}",
            )
        if model_code(relative) not in known:
            raise UsageError(
                f"--like {relative}: base model '{name}' has no token for this language, from which '{code}' "
                f"could start.{nearest(relative, known)}",
                f"choose among its {len(known)} languages: {', '.join(known)}",
            )
