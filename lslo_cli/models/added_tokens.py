"""Words that were added to a tokenizer beside its sentencepiece model: where text is split at them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lslo_cli.errors import InputError
from lslo_cli.method.families import Family
from lslo_cli.models.segmentation import (
    HUB_TOKENIZER,
    MADE_UP,
    AddedWord,
    FastSegmenter,
    Segmenter,
    SentencePiece,
    WordsAndPieces,
    read_segmenter,
)
from lslo_cli.models.stock_files import HUB_SETTINGS
from lslo_cli.models.tokenizer_files import (
    DICTIONARY,
    FAMILY,
    HUB_ADDED_TOKENS,
    HUB_VOCABULARY,
    MASK,
    OWN_WORDS,
    SPECIALS,
    numbered,
    read_bytes,
    read_json,
    segmenter_path,
    stated_languages,
)
from lslo_cli.wording import several


def find_segmenter(folder: Path, family: Family) -> Segmenter:
    """The folder's segmenter, which splits a text at added words as transformers' tokenizer of it does.

    That is tokenizer.json where it states such words. Where vocab.json or dict.txt gives the ids, text is
    split at the words first, and sentencepiece gets what is between them. Raises InputError, naming the files
    present, if there is no segmenter, and naming the words if nothing says how text is split at them.
    """
    path = segmenter_path(folder)
    content = read_bytes(folder, path.name)
    segmenter = read_segmenter(path, content)
    languages = {family.language_token(code) for code in stated_languages(folder)}
    in_json, listed = (
        _words(
            [token for name in names for token in _stated(folder, name) if token["content"] not in languages],
            *(family, segmenter),
        )
        for names in ((HUB_TOKENIZER,), (HUB_ADDED_TOKENS, HUB_SETTINGS, FAMILY))
    )
    by_dictionary = any((folder / name).is_file() for name in (DICTIONARY, HUB_VOCABULARY))
    if by_dictionary and isinstance(segmenter, SentencePiece):
        words = in_json | listed if (folder / DICTIONARY).is_file() else listed
        return WordsAndPieces(content, words.values()) if words else segmenter
    if missing := [word for word in listed if word not in in_json]:
        raise InputError(
            f"{folder}: no {HUB_TOKENIZER} says how text is split at the added tokens {several(missing)}",
            "let transformers write it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
        )
    if not in_json:
        return segmenter
    return FastSegmenter(read_bytes(folder, HUB_TOKENIZER), in_json)


def _stated(folder: Path, name: str) -> list[dict[str, Any]]:
    """The added tokens that a file states, as tokenizer.json has them; none if there is no such file."""
    if not (folder / name).is_file():
        return []
    if name == HUB_ADDED_TOKENS:
        return [{"content": token} for token in numbered(folder, name)]
    content = read_json(folder, name)
    if name == FAMILY:
        stated = content.get(OWN_WORDS, [])
    else:
        stated = content.get("added_tokens") or content.get("added_tokens_decoder", {}).values()
    return [token for token in stated if isinstance(token, dict) and "content" in token]


def _words(stated: Iterable[dict[str, Any]], family: Family, segmenter: Segmenter) -> dict[str, AddedWord]:
    """Those that may occur in a text: not specials, languages, padding or what sentencepiece keeps whole."""
    return {
        token["content"]: AddedWord(
            token["content"], *(bool(token.get(key)) for key in ("lstrip", "rstrip", "single_word"))
        )
        for token in stated
        if token["content"] not in (*SPECIALS, MASK)
        and family.code_of(token["content"]) is None
        and not MADE_UP.match(token["content"])
        and not (isinstance(segmenter, SentencePiece) and segmenter.keeps(token["content"]))
    }
