"""Tokenizer files as people have them: saved again, resized, or with languages trained elsewhere."""

import json

import pytest
from sentencepiece import SentencePieceProcessor

from lslo_cli.errors import InputError
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.vocabulary import train_vocabulary

LINES = ["the cat sees the small house", "a dog sleeps in the house", "the small dog sees a cat"]


@pytest.fixture
def nllb(tmp_path):
    """The slow tokenizer of an NLLB whose last language was trained elsewhere."""
    train_vocabulary({"eng": LINES}, 40, tmp_path)
    (tmp_path / "dict.txt").unlink()
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "NllbTokenizer"}')
    return tmp_path


def add_tokens(folder, tokens):
    first = len(SentencePieceProcessor(model_file=str(folder / SENTENCEPIECE))) + 1
    ids = {token: first + number for number, token in enumerate(tokens)}
    (folder / "added_tokens.json").write_text(json.dumps(ids))
    return ids


def test_ids_come_from_added_tokens(nllb):
    ids = add_tokens(nllb, ["<mask>", "fra_Latn", "eng_Latn", "tyv_Cyrl"])
    tokenizer = Tokenizer.load(nllb)
    assert tokenizer.language_id("en") == ids["eng_Latn"]
    assert tokenizer.language_id("tyv_Cyrl") == ids["tyv_Cyrl"]


def test_ids_with_a_gap_are_refused(nllb):
    ids = add_tokens(nllb, ["<mask>", "eng_Latn"])
    (nllb / "added_tokens.json").write_text(json.dumps(ids | {"fra_Latn": 9999}))
    with pytest.raises(InputError, match="each once"):
        Tokenizer.load(nllb)


def test_any_number_of_rows_may_be_without_a_token(nllb):
    add_tokens(nllb, ["<mask>", "eng_Latn"])
    tokens = Tokenizer.load(nllb).vocab_size
    assert Tokenizer.load(nllb, rows=tokens + 61).vocab_size == tokens + 61
