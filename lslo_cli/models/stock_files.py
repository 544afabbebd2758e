"""The tokenizer files that stock transformers reads, from a sentencepiece model and the table of ids."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from lslo_cli.method.families import FAMILIES, Family
from lslo_cli.models.segmentation import HUB_TOKENIZER, Segmenter, SentencePiece, WordsAndPieces
from lslo_cli.models.stock_check import check_words

HUB_SETTINGS = "tokenizer_config.json"
OWN_FAMILY = "lslo_family"
"""The key of tokenizer_config.json that names the family; transformers preserves it when saving."""

_SPACE = "▁"
_END = {"SpecialToken": {"id": "</s>", "type_id": 0}}
_FIRST_BYTE = "<0x00>"
"""The first piece of byte fallback, which encodes unknown characters as bytes."""
_UNIGRAM, _BPE = 1, 2
"""The kinds of sentencepiece model that tokenizers supports, by their number in the protobuf."""
_MODEL_PIECE, _MODEL_TRAINER, _MODEL_NORMALIZER, _TRAINER_KIND, _NORMALIZER_CHARSMAP = 1, 2, 3, 3, 2
"""Numbers of the fields of sentencepiece's protobuf that are read here."""


def stock_files(
    segmenter: Segmenter, tokens: Sequence[str], languages: Sequence[str], family: Family, pad: str = "<pad>"
) -> dict[str, bytes]:
    """tokenizer.json and tokenizer_config.json, by name; none for a model of whole words or characters.

    ``tokens`` are all tokens by id, ``languages`` the language tokens among them. With these files
    transformers' tokenizer encodes a text x as ``[l] x </s>``, where l is its ``src_lang``, a token such as
    ``__en__``; its ids are those of :class:`~lslo_cli.models.tokenizer.Tokenizer`. Raises InputError, naming
    the word, if these files cannot express where a text is split at an added word.
    """
    if isinstance(segmenter, SentencePiece):
        fast = _converted(segmenter, tokens, languages)
        if fast is None:
            return {}
        content = json.dumps(fast, ensure_ascii=False).encode()
    else:
        content = segmenter.content
    kind = json.loads(content)["model"]["type"]
    settings = _settings(kind, tokens, languages, family) | {"pad_token": pad}
    files = {HUB_TOKENIZER: content, HUB_SETTINGS: (json.dumps(settings, indent=1) + "\n").encode()}
    if isinstance(segmenter, WordsAndPieces):
        check_words(files, segmenter, tokens)
    return files


def _settings(kind: str, tokens: Sequence[str], languages: Sequence[str], family: Family) -> dict[str, Any]:
    """tokenizer_config.json. The class is the stock one that puts the language token before a text."""
    is_mbart = kind == "Unigram" and set(FAMILIES["mbart-50"].languages) <= set(languages)
    stock = "NllbTokenizer" if kind == "BPE" else "MBart50Tokenizer" if is_mbart else None
    first = next((token for token in languages if family.code_of(token) in ("en", "eng_Latn", "en_XX")), None)
    return {
        "tokenizer_class": stock or "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>" if "<mask>" in tokens else None,
        "additional_special_tokens": list(languages),
        **({"src_lang": first or languages[0]} if stock and languages else {}),
        "legacy_behaviour": False,
        "clean_up_tokenization_spaces": False,
        OWN_FAMILY: next(key for key, known in FAMILIES.items() if known is family),
    }


def _converted(
    segmenter: SentencePiece, tokens: Sequence[str], languages: Sequence[str]
) -> dict[str, Any] | None:
    """A sentencepiece model as a tokenizer.json whose ids are the indices in ``tokens``."""
    fields = dict(_fields(segmenter.content, skip=_MODEL_PIECE))
    kind = dict(_fields(fields.get(_MODEL_TRAINER, b""))).get(_TRAINER_KIND, _UNIGRAM)
    if kind not in (_UNIGRAM, _BPE):
        return None
    processor = segmenter.processor
    scores = {
        piece: processor.get_score(index)
        for index, piece in enumerate(segmenter.pieces[: len(processor)])
        if not (processor.is_control(index) or processor.is_unknown(index))
    }
    metaspace = {
        "type": "Metaspace",
        "replacement": _SPACE,
        "prepend_scheme": "always",
        "split": not any(_SPACE in piece[1:] for piece in scores),
    }
    special = [token for token in ("<s>", "<pad>", "</s>", "<unk>", *languages, "<mask>") if token in tokens]
    ids = {token: index for index, token in enumerate(tokens)}
    words = segmenter.words if isinstance(segmenter, WordsAndPieces) else ()
    added = [_added(token, ids[token]) for token in special]
    # sentencepiece ignores the space at the ends of what is between words; Metaspace would make it a piece.
    around = {"lstrip": True, "rstrip": True, "special": False}
    added += [_added(word, ids[word]) | around for word in words]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=itemgetter("id")),
        "normalizer": _normalizer(dict(_fields(fields.get(_MODEL_NORMALIZER, b"")))),
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, _END],
            "pair": [{"Sequence": {"id": part, "type_id": 0}} for part in "AB"] + [_END],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [ids["</s>"]], "tokens": ["</s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace]}
        if _FIRST_BYTE in ids
        else metaspace,
        "model": _bpe(ids, scores) if kind == _BPE else _unigram(tokens, scores),
    }


def _added(token: str, index: int) -> dict[str, Any]:
    return {
        "id": index,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _normalizer(settings: dict[int, Any]) -> dict[str, Any]:
    """sentencepiece's normalization: its table of characters, then single inner spaces only."""
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]
    if charsmap := settings.get(_NORMALIZER_CHARSMAP):
        encoded = base64.b64encode(charsmap).decode("ascii")
        steps.insert(0, {"type": "Precompiled", "precompiled_charsmap": encoded})
    return {"type": "Sequence", "normalizers": steps}


def _bpe(ids: dict[str, int], scores: dict[str, float]) -> dict[str, Any]:
    """Byte-pair encoding: sentencepiece merges to the best-scored piece, tokenizers by order of merges."""
    known = {piece for piece in scores if piece in ids}
    pairs = [
        (-scores[piece], piece[:cut], piece[cut:])
        for piece in known
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]
    pairs.sort(key=lambda pair: (pair[0], len(pair[1]), pair))
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": ids,
        "merges": [[left, right] for _, left, right in pairs],
    }


def _unigram(tokens: Sequence[str], scores: dict[str, float]) -> dict[str, Any]:
    """A unigram model; tokens that are not pieces get the lowest score, so that text seldom yields them."""
    lowest = min(scores.values())
    vocabulary = [[token, scores.get(token, lowest)] for token in tokens]
    return {
        "type": "Unigram",
        "unk_id": tokens.index("<unk>"),
        "vocab": vocabulary,
        "byte_fallback": _FIRST_BYTE in tokens,
    }


def _fields(message: bytes, skip: int | None = None) -> Iterator[tuple[int, Any]]:
    """Number and value of the fields of a serialized protobuf message, without those numbered ``skip``."""
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            yield number, varint()
            continue
        length = varint() if kind == 2 else 8 if kind == 1 else 4
        if number != skip:
            yield number, message[position : position + length]
        position += length
