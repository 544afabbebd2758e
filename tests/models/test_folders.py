"""Tokenizer files as people have them: saved again, resized, or with languages trained elsewhere."""

import json

import pytest
from sentencepiece import SentencePieceProcessor

from lslo_cli.errors import InputError
from lslo_cli.method.vocabularies import MBART_25, MBART_50
from lslo_cli.models.segmentation import SENTENCEPIECE
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import read_family
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


def test_ids_come_from_the_settings_where_no_other_file_states_them(nllb):
    ids = add_tokens(nllb, ["<mask>", "fra_Latn", "eng_Latn", "tyv_Cyrl"])
    (nllb / "added_tokens.json").unlink()
    numbered = {str(index): {"content": token} for token, index in ids.items()}
    settings = {"tokenizer_class": "NllbTokenizer", "added_tokens_decoder": numbered}
    (nllb / "tokenizer_config.json").write_text(json.dumps(settings))
    assert Tokenizer.load(nllb).language_id("tyv_Cyrl") == ids["tyv_Cyrl"]


def test_files_that_disagree_are_refused_by_name(nllb):
    ids = add_tokens(nllb, ["<mask>", "eng_Latn", "fra_Latn"])
    pieces = SentencePieceProcessor(model_file=str(nllb / SENTENCEPIECE))
    vocabulary = {pieces.id_to_piece(index): index + 1 for index in range(3, len(pieces))}
    vocabulary |= {token: index for index, token in enumerate(["<s>", "<pad>", "</s>", "<unk>"])}
    swapped = {"eng_Latn": ids["fra_Latn"], "fra_Latn": ids["eng_Latn"], "<mask>": ids["<mask>"]}
    added = [{"content": token, "id": index} for token, index in swapped.items()]
    content = {"model": {"vocab": vocabulary}, "added_tokens": added}
    (nllb / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="tokenizer.json and added_tokens.json disagree: 'eng_Latn' is"):
        Tokenizer.load(nllb)


def test_a_dictionary_of_other_pieces_is_refused(nllb):
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *(f"piece{number}" for number in range(50)), "__en__"]
    (nllb / "tokenizer_config.json").unlink()
    (nllb / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    with pytest.raises(InputError, match=r"lacks [0-9]+ of [0-9]+ pieces of sentencepiece\.bpe\.model"):
        Tokenizer.load(nllb)


def test_a_copy_of_m2m_124_from_the_hub_may_be_rounded_up(tmp_path, write_model):
    folder = write_model(tmp_path / "m2m", "m2m-124")
    tokens = Tokenizer.load(folder).vocab_size
    assert len(Tokenizer.load(folder, rows=tokens + 61).unused) == 61


@pytest.mark.parametrize(
    ("settings", "languages"),
    [({"tokenizer_class": "MBartTokenizer"}, MBART_25), ({"src_lang": "en_XX"}, MBART_25), ({}, MBART_50)],
)
def test_mbart_25_is_not_taken_for_mbart_50(nllb, settings, languages):
    tokens = [{"content": code, "id": number} for number, code in enumerate(languages)]
    (nllb / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {}}, "added_tokens": tokens}))
    (nllb / "tokenizer_config.json").write_text(json.dumps(settings))
    if languages is MBART_50:
        assert read_family(nllb).name == "mBART-50"
    else:
        with pytest.raises(InputError, match="is an mBART-25") as refused:
            read_family(nllb)
        assert "facebook/mbart-large-50-many-to-many-mmt" in refused.value.hint
