"""Small models of every family, with random weights, in the file format of published models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    MBartConfig,
    MBartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from lslo_cli.method.families import FAMILIES
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer_files import SPECIALS
from lslo_cli.models.vocabulary import train_vocabulary

TEXT = {
    "eng": ["the cat sees the small house", "a dog sleeps in the house", "the small dog sees a cat"],
    "fra": ["le chat voit la petite maison", "un chien dort dans la maison", "le petit chien voit un chat"],
    "nld": ["de kat ziet het kleine huis", "een hond slaapt in het huis", "de kleine hond ziet een kat"],
}
SHAPE: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "max_position_embeddings": 64,
}
MADLAD_LANGUAGES = ("en", "fr", "nl", "kk", "tr", "de")


def madlad_pieces(languages: Sequence[str], text: Mapping[str, Sequence[str]], size: int) -> bytes:
    """A sentencepiece model with bytes and a token ``<2en>`` for each language among its pieces."""
    model = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=chain.from_iterable(text.values()),
        model_writer=model,
        vocab_size=size,
        model_type="unigram",
        byte_fallback=True,
        user_defined_symbols=[f"<2{code}>" for code in languages],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def _write_madlad(folder: Path) -> Path:
    """Write a model whose ids are the sentencepiece model's own."""
    pieces = madlad_pieces(MADLAD_LANGUAGES, TEXT, 340)
    (folder / "spiece.model").write_bytes(pieces)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    config = T5Config(
        vocab_size=len(SentencePieceProcessor(model_proto=pieces)) + 5,
        d_model=16,
        num_layers=2,
        num_decoder_layers=1,
        d_ff=24,
        d_kv=6,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=0,
    )
    torch.manual_seed(4)
    network = T5ForConditionalGeneration(config)
    network.lm_head.weight = torch.nn.Parameter(torch.randn(config.vocab_size, 16) / 4)
    network.save_pretrained(folder)
    return folder


def write_family(folder: Path, family: str, init_std: float = 0.02) -> Path:
    """Write a model of the family with random weights, of deviation ``init_std`` except T5's."""
    folder.mkdir()
    if family == "madlad-400":
        return _write_madlad(folder)
    train_vocabulary(TEXT, 60, folder)
    for name in ("dict.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    processor = SentencePieceProcessor(model_file=str(folder / SENTENCEPIECE))
    pieces = [processor.id_to_piece(index) for index in range(3, len(processor))]
    vocabulary = {token: index for index, token in enumerate([*SPECIALS, *pieces])}
    languages = [FAMILIES[family].language_token(code) for code in FAMILIES[family].languages]
    rows = len(vocabulary) + len(languages)
    if family in ("m2m-124", "m2m-100", "small-100"):
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    if family == "m2m-124":
        added = {token: len(vocabulary) + index for index, token in enumerate(languages)}
        (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    if family in ("m2m-100", "small-100"):
        rows += 8  # made-up words
    if family == "small-100":
        (folder / "tokenization_small100.py").write_text("raise SystemExit('never run')\n")
    if family == "nllb-200":
        rows += 3  # <mask> and two without a token
        added = [*SPECIALS, *languages, "<mask>"]
        ids = vocabulary | {token: len(vocabulary) + index for index, token in enumerate(added[4:])}
        content = {
            "model": {"type": "BPE", "vocab": vocabulary},
            "added_tokens": [{"content": token, "id": ids[token]} for token in added],
        }
        (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "NllbTokenizer"}')
    if family == "mbart-50":
        rows += 1
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MBart50Tokenizer"}')
    torch.manual_seed(4)
    shape = SHAPE | {"init_std": init_std}
    if family == "mbart-50":
        config = MBartConfig(vocab_size=rows, scale_embedding=True, forced_bos_token_id=20, **shape)
        network = MBartForConditionalGeneration(config)
    else:
        network = M2M100ForConditionalGeneration(M2M100Config(vocab_size=rows, **shape))
    network.save_pretrained(folder)
    return folder
