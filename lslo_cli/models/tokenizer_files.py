"""The files of a tokenizer: fairseq's, lslo's own, and those of each family on the hub."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lslo_cli.errors import InputError
from lslo_cli.method.codes import model_codes
from lslo_cli.method.families import FAMILIES, Family, models_of
from lslo_cli.method.vocabularies import MBART_25
from lslo_cli.models.segmentation import HUB_TOKENIZER, SENTENCEPIECE, SPIECE, read_segmenter
from lslo_cli.models.stock_files import HUB_SETTINGS, OWN_FAMILY
from lslo_cli.parsing import parse_json

DICTIONARY = "dict.txt"
FAMILY = "family.json"
OWN_WORDS = "words"
"""The key of family.json that states added words with their flags, which tokenizer.json may not have."""
HUB_VOCABULARY = "vocab.json"
HUB_ADDED_TOKENS = "added_tokens.json"
OWN_LANGUAGES = "languages"
"""The key of family.json that states languages whose tokens the family's form does not tell from pieces."""
SMALL_100_CODE = "tokenization_small100.py"
TOKENIZER_FILES = (
    *(SENTENCEPIECE, SPIECE, DICTIONARY, FAMILY),
    *(HUB_VOCABULARY, HUB_ADDED_TOKENS, HUB_TOKENIZER, HUB_SETTINGS),
    SMALL_100_CODE,  # never run: its presence identifies the model
)

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"

_MBART_25_TOKENIZERS = ("MBartTokenizer", "MBartTokenizerFast")
"""transformers' names for the tokenizer of mBART-25."""

_COPY_AGAIN = "copy or download it again"


def read_family(folder: Path) -> Family:
    """The family of a tokenizer: as recorded by lslo, or by the hub's files.

    If they name none, a tokenizer.json alone determines it by its language tokens. The default is M2M-124,
    the scheme of lslo's own models. Raises InputError for mBART-25, which reads ``x </s> [src]``.
    """
    present = {name for name in TOKENIZER_FILES if (folder / name).is_file()}
    settings = read_json(folder, HUB_SETTINGS) if HUB_SETTINGS in present else {}
    for name, content, entry in (
        (FAMILY, read_json(folder, FAMILY) if FAMILY in present else {}, "family"),
        (HUB_SETTINGS, settings, OWN_FAMILY),
    ):
        if entry in content:
            if content[entry] not in FAMILIES:
                raise InputError(
                    f"{folder / name} names an unknown family '{content[entry]}'",
                    f"choose among {', '.join(FAMILIES)}",
                )
            return FAMILIES[content[entry]]
    if SMALL_100_CODE in present:
        return FAMILIES["small-100"]
    if settings.get("tokenizer_class") in _MBART_25_TOKENIZERS:
        raise _mbart_25_error(folder)
    for family in FAMILIES.values():
        if settings.get("tokenizer_class") in family.tokenizers or (
            family.sentencepiece_ids and SPIECE in present
        ):
            return family
    if HUB_VOCABULARY in present:
        return FAMILIES["m2m-124" if DICTIONARY in present or _adds_languages(folder) else "m2m-100"]
    if HUB_TOKENIZER in present and DICTIONARY not in present:
        tokens = {token for part in _fast_tokenizer_ids(folder) for token in part}
        for family in FAMILIES.values():
            if family.is_bare and (found := tokens.intersection(family.languages)):
                if family is FAMILIES["mbart-50"] and found <= {*MBART_25}:
                    raise _mbart_25_error(folder)
                return family
    return FAMILIES["m2m-124"]


def _mbart_25_error(folder: Path) -> InputError:
    return InputError(
        f"the model in {folder} is an mBART-25, which reads languages at other places than mBART-50",
        f"use mBART-50: {models_of('mbart-50')}",
    )


def segmenter_path(folder: Path) -> Path:
    """The sentencepiece model of a folder, or the tokenizer.json that was saved without one."""
    names = (SENTENCEPIECE, SPIECE, HUB_TOKENIZER)
    return folder / next((name for name in names if (folder / name).is_file()), SENTENCEPIECE)


def _pieces(folder: Path) -> Sequence[str]:
    """Those of the folder's segmenter. Raises InputError, naming the files present, if there is none."""
    path = segmenter_path(folder)
    return read_segmenter(path, read_bytes(folder, path.name)).pieces


def read_entries(folder: Path, family: Family) -> list[str]:
    """The tokens after the specials, in the order of their ids.

    From dict.txt; else from the hub's vocab.json; else from tokenizer.json; else from the sentencepiece model
    itself. The ids of added tokens are in added_tokens.json, or else in tokenizer_config.json. Languages have
    the files' ids, or else follow all pieces in the order of the published model. Raises InputError for a
    missing or damaged file, and for two that disagree.
    """
    if (folder / DICTIONARY).is_file():
        return _dictionary_entries(folder)
    if (folder / HUB_VOCABULARY).is_file():
        files = {HUB_VOCABULARY: numbered(folder, HUB_VOCABULARY), **_added_ids(folder)}
        parts = [*files.values(), _languages_after(folder, files, family)]
        entries = _in_id_order(folder, [*files, HUB_VOCABULARY], parts)
    elif (folder / HUB_TOKENIZER).is_file():
        vocabulary, added = _fast_tokenizer_ids(folder)
        names, parts = [HUB_TOKENIZER, HUB_TOKENIZER], [vocabulary, added]
        if (folder / HUB_ADDED_TOKENS).is_file():
            names, parts = [*names, HUB_ADDED_TOKENS], [*parts, numbered(folder, HUB_ADDED_TOKENS)]
        entries = _in_id_order(folder, names, parts)
    elif family.is_bare:
        entries = _sentencepiece_entries(folder)
        if stated := _added_ids(folder):
            pieces = {token: index for index, token in enumerate((*SPECIALS, *entries))}
            entries = _in_id_order(folder, [SENTENCEPIECE, *stated], [pieces, *stated.values()])
    else:
        return _dictionary_entries(folder)  # raises, since it is missing
    tokens = [family.language_token(code) for code in family.languages]
    if set(tokens).isdisjoint(entries):
        entries += tokens
    if family.is_bare and MASK not in entries:
        entries.append(MASK)
    return entries


def stated_languages(folder: Path) -> tuple[str, ...]:
    """The languages that family.json names. Raises InputError if it is damaged."""
    stated = read_json(folder, FAMILY).get(OWN_LANGUAGES, []) if (folder / FAMILY).is_file() else []
    if not (isinstance(stated, list) and all(isinstance(code, str) for code in stated)):
        raise InputError(f"{folder / FAMILY} names languages that are no codes: {stated!r}", _COPY_AGAIN)
    return tuple(stated)


def language_ids(ids: Mapping[str, int], family: Family, stated: Collection[str] = ()) -> dict[str, int]:
    """The ids of language tokens, by the codes that experiments use: ``en``. ``stated`` are codes of more.

    If two of the model's codes map to one, as ``az`` and ``az_RU`` of MADLAD-400, the second keeps its own.
    """
    codes = {code: index for token, index in ids.items() if (code := family.code_of(token))}
    codes |= {code: ids[token] for code in stated if (token := family.language_token(code)) in ids}
    usual = model_codes(codes)
    languages: dict[str, int] = {}
    for code in sorted(codes, key=lambda code: usual[code] != code):
        languages[code if usual[code] in languages else usual[code]] = codes[code]
    return languages


def languages_in(folder: Path) -> tuple[str, ...]:
    """The languages with a token in the tokenizer's files, by id.

    Raises InputError if a file is missing or damaged.
    """
    family = read_family(folder)
    tokens = _pieces(folder) if family.sentencepiece_ids else (*SPECIALS, *read_entries(folder, family))
    ids = {token: index for index, token in enumerate(tokens)}
    languages = language_ids(ids, family, stated_languages(folder))
    return tuple(sorted(languages, key=languages.__getitem__))


def read_bytes(folder: Path, name: str) -> bytes:
    """The content of a file. Raises InputError, naming the files present, if it is missing."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise InputError(
            f"no {name} in {folder}; it holds {', '.join(present) or 'nothing'}",
            f"a base model needs {SENTENCEPIECE} and {DICTIONARY} (or the hub's {HUB_VOCABULARY} "
            f"with {HUB_ADDED_TOKENS}), or {HUB_TOKENIZER}",
        ) from error


def _dictionary_entries(folder: Path) -> list[str]:
    """The entries of fairseq's dict.txt, a piece and its count in each line."""
    entries = []
    # Only "\n" ends a line: pieces may hold other characters that str.splitlines would split at.
    lines = read_bytes(folder, DICTIONARY).decode("utf-8", errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        piece, space, count = line.removesuffix("\r").rpartition(" ")
        if not (piece and space and count.isdigit()):
            raise InputError(
                f"{folder / DICTIONARY}, line {number}: '{line}' is not a piece and its count",
                "take the dict.txt that came with the model",
            )
        entries.append(piece)
    return entries


def _sentencepiece_entries(folder: Path) -> list[str]:
    """The pieces in the model's own order, that of NLLB-200's and mBART-50's ids."""
    return [piece for piece in _pieces(folder) if piece not in SPECIALS]


def numbered(folder: Path, name: str) -> dict[str, int]:
    try:
        return {token: int(index) for token, index in read_json(folder, name).items()}
    except (ValueError, TypeError) as error:
        raise InputError(f"{folder / name} does not map tokens to ids: {error}", _COPY_AGAIN) from error


def _fast_tokenizer_ids(folder: Path) -> list[dict[str, int]]:
    """Pieces and added tokens of tokenizer.json, whose vocabulary is a table or a list of (piece, score)."""
    try:
        content = read_json(folder, HUB_TOKENIZER)
        vocabulary = content["model"]["vocab"]
        if isinstance(vocabulary, list):
            vocabulary = {piece: index for index, (piece, _) in enumerate(vocabulary)}
        return [vocabulary, {token["content"]: token["id"] for token in content["added_tokens"]}]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder / HUB_TOKENIZER} holds no vocabulary: {error!r}", _COPY_AGAIN) from error


def _added_ids(folder: Path) -> dict[str, dict[str, int]]:
    """The ids of added tokens, under the name of the file that states them; empty if none does."""
    if (folder / HUB_ADDED_TOKENS).is_file():
        return {HUB_ADDED_TOKENS: numbered(folder, HUB_ADDED_TOKENS)}
    ids = _decoder_ids(folder)
    return {HUB_SETTINGS: ids} if ids else {}


def _languages_after(folder: Path, files: Mapping[str, dict[str, int]], family: Family) -> dict[str, int]:
    """The ids of languages, which follow vocab.json, if the files do not state any.

    Raises InputError for an added token that has one of these ids.
    """
    stated = {token: index for part in files.values() for token, index in part.items()}
    first = len(files[HUB_VOCABULARY])
    tokens = {family.language_token(code): first + place for place, code in enumerate(family.languages)}
    if not stated.keys().isdisjoint(tokens):
        return {}
    names = {index: token for token, index in tokens.items()}
    if taken := next((token for token, index in stated.items() if index in names), None):
        raise InputError(
            f"{folder}: the added token '{taken}' has the id {stated[taken]:,}, as has the language token "
            f"'{names[stated[taken]]}'",
            "transformers 5 numbers added tokens so; give them ids after all languages, from "
            f"{first + len(tokens):,}, in {HUB_ADDED_TOKENS}, and train their embeddings",
        )
    return tokens


def _adds_languages(folder: Path) -> bool:
    """Whether there are languages among the added tokens, and not just all of M2M-100."""
    family = FAMILIES["m2m-100"]
    added = {code for ids in _added_ids(folder).values() for token in ids if (code := family.code_of(token))}
    return bool(added) and added != set(family.languages)


def _decoder_ids(folder: Path) -> dict[str, int]:
    """The ids of added tokens in tokenizer_config.json, if there are any."""
    try:
        settings = read_json(folder, HUB_SETTINGS) if (folder / HUB_SETTINGS).is_file() else {}
        numbered = settings.get("added_tokens_decoder", {})
        return {token["content"]: int(index) for index, token in numbered.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{folder / HUB_SETTINGS} has no ids of tokens: {error!r}", _COPY_AGAIN) from error


def _in_id_order(folder: Path, names: list[str], parts: Sequence[dict[str, int]]) -> list[str]:
    """The tokens after the specials by id, from parts of the files ``names``.

    Raises InputError for a token with two ids, and for ids with gaps or without the specials.
    """
    ids: dict[str, int] = {}
    for name, part in zip(names, parts, strict=True):
        if twice := next((token for token in part if ids.get(token, part[token]) != part[token]), None):
            raise InputError(
                f"{folder / names[0]} and {name} disagree: '{twice}' is {ids[twice]} and {part[twice]}",
                "copy the files of the same model",
            )
        ids |= part
    names = list(dict.fromkeys(names))
    tokens = sorted(ids, key=ids.__getitem__)
    if [ids[token] for token in tokens] != list(range(len(tokens))) or tuple(tokens[:4]) != SPECIALS:
        raise InputError(
            f"the ids in {folder / names[0]}{''.join(f' and {name}' for name in names[1:])} are not 0 to "
            f"{len(tokens) - 1:,}, each once, with {' '.join(SPECIALS)} first",
            f"use a copy of the model with fairseq's {DICTIONARY}",
        )
    return tokens[len(SPECIALS) :]


def read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = parse_json(read_bytes(folder, name))
        if not isinstance(content, dict):
            raise TypeError(f"it is a {type(content).__name__}")
        return content
    except (ValueError, TypeError) as error:
        raise InputError(f"{folder / name} does not map tokens to ids: {error}", _COPY_AGAIN) from error


def made_up(count: int, present: Collection[str]) -> list[str]:
    """Names for ``count`` rows without a token, none of them among those ``present``."""
    names = map("madeupword{:04d}".format, itertools.count())
    return list(itertools.islice((name for name in names if name not in present), max(0, count)))
