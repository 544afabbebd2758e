"""What is written loads in stock transformers and CTranslate2 with the same ids, and the other way round."""

import json
import shutil
import unicodedata
from io import BytesIO

import pytest
import torch
from sentencepiece import SentencePieceTrainer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from lslo_cli.errors import InputError
from lslo_cli.method.families import FAMILIES
from lslo_cli.models.base import load_base, new_base, save_base
from lslo_cli.models.segmentation import FastSegmenter, SentencePiece
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import SPECIALS
from lslo_cli.recipe import BaseSection
from lslo_cli.search.metric import SpBleu

LINES = {
    "en": ["The cat sees the small house.", "A dog sleeps, doesn't it?", "3.5 % of 1,000 houses"],
    "ar": ["القطة ترى البيت الصغير", "الرئيسُ الأمريكيُّ ينام", "كلب صغير، أليس كذلك؟"],
    "hi": ["बिल्ली छोटा घर देखती है", "एक कुत्ता सो रहा है", "क़लम और फ़िल्म"],
    "ja": ["猫は小さな家を見る", "犬が寝ている。", "ｶﾀｶﾅ と ＡＢＣ"],
    "ko": ["고양이가 작은 집을 본다", "개가 자고 있다", "작은 개"],
    "vi": ["Con mèo nhìn thấy ngôi nhà nhỏ", "Một con chó đang ngủ", "ngôi nhà"],
    "yo": ["Ológbò rí ilé kékeré náà", "Ajá kan ń sùn", "Òkìkí rẹ̀ gẹ́gẹ́ bí"],
    "ru": ["Кошка видит маленький дом", "Собака спит", "ёлка и йод"],
}
OTHERS = [
    "  space   around\tand\u00a0inside\u3000it",
    "unseen: ☃ 🙂🙂 ქართული, and __ar__?",
    "aaaaaaaa -------- ......",
    "½ of Ⅳ ﬁne ﬂats…",
    "zero\u200bwidth, a\u200dB, \ufeffmark",
    "naïve café (NFD)".replace("ï", unicodedata.normalize("NFD", "ï")),
    "",
]
SHAPE = BaseSection(encoder_layers=1, decoder_layers=1, d_model=16, ffn_dim=24, heads=2, dropout=0.0)


def trained(kind: str) -> SentencePiece:
    model = BytesIO()
    lines = [line for text in LINES.values() for line in text]
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=320, model_type=kind, minloglevel=2,
        character_coverage=1.0, hard_vocab_limit=False,
    )  # fmt: skip
    return SentencePiece(model.getvalue())


def tokenizer(family: str, kind: str) -> Tokenizer:
    """Pieces in another order than sentencepiece's, then all languages of the family."""
    segmenter, family = trained(kind), FAMILIES[family]
    pieces = sorted(piece for piece in segmenter.pieces if piece not in SPECIALS)
    mask = ["<mask>"] if family.token == "{}" else []
    languages = [family.language_token(code) for code in family.languages]
    return Tokenizer(segmenter, [*pieces, *languages, *mask], family=family)


KINDS = {"m2m-124": "bpe", "m2m-100": "bpe", "small-100": "bpe", "nllb-200": "bpe", "mbart-50": "unigram"}
"""The kind of sentencepiece model that each family has."""


@pytest.fixture(scope="module", params=KINDS.items(), ids=KINDS)
def saved(request, tmp_path_factory):
    """A tiny random model as ``base train`` writes it."""
    base = new_base(tokenizer(*request.param), SHAPE, seed=1)
    return save_base(base, tmp_path_factory.mktemp("saved") / "model")


def written_out(tokenizer: Tokenizer, code: str) -> str:
    return tokenizer.tokens[tokenizer.language_id(code)]


def test_stock_transformers_give_the_same_ids(saved):
    ours = saved.tokenizer
    theirs = AutoTokenizer.from_pretrained(saved.folder)
    assert len(theirs) == ours.vocab_size == saved.model.config.vocab_size
    for language, lines in LINES.items():
        code = language if language in ours.languages else "en"
        theirs.src_lang = written_out(ours, code)
        for line in (*lines, *map(str.strip, OTHERS)):
            expected = [ours.language_id(code), *ours.encode(line), ours.eos_id]
            assert theirs(line, split_special_tokens=True).input_ids == expected, line
            assert theirs.decode(theirs(line).input_ids[:1]) == written_out(ours, code)


def test_stock_transformers_give_the_same_logits_and_translate(saved):
    ours = saved.tokenizer
    model = AutoModelForSeq2SeqLM.from_pretrained(saved.folder).eval()
    theirs = AutoTokenizer.from_pretrained(saved.folder, src_lang=written_out(ours, "en"))
    batch = theirs(LINES["en"][0], return_tensors="pt")
    prompt = torch.tensor([[ours.eos_id, ours.language_id("ar")]])
    with torch.no_grad():
        found = model(**batch, decoder_input_ids=prompt).logits
        assert torch.equal(found, saved.model(**batch, decoder_input_ids=prompt).logits)
    target = theirs.convert_tokens_to_ids(written_out(ours, "ar"))
    ids = model.generate(**batch, forced_bos_token_id=target, max_new_tokens=4)
    assert ids[0, :2].tolist() == [ours.eos_id, target]


@pytest.mark.parametrize(("family", "language"), [("madlad-400", "<2fr>"), ("mbart-50", "fr_XX")])
def test_special_tokens_spelt_out_are_text_to_a_unigram_tokenizer_json_alone(
    tmp_path, write_model, family, language
):
    if family == "madlad-400":
        ours = load_base(str(write_model(tmp_path / "model", family))).tokenizer
    else:
        ours = tokenizer(family, "unigram")
    again = FastSegmenter(ours.stock_files()["tokenizer.json"])
    for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>", language):
        for line in (f"the cat {token} sees", token, f"a{token}b"):
            assert [again.pieces[index] for index in again.encode(line)] == [
                ours.tokens[index] for index in ours.encode(line)
            ], line
    assert again.split("a </s>") == ours.segmenter.split("a </s>")
    row = "madeupword0001"  # whose zeros may be divided in two ways
    assert row not in again.split(row) and "".join(again.split(row)) == "".join(ours.segmenter.split(row))


def test_what_transformers_saves_again_loads_here_without_a_sentencepiece_model(saved, tmp_path):
    AutoTokenizer.from_pretrained(saved.folder).save_pretrained(tmp_path)
    AutoModelForSeq2SeqLM.from_pretrained(saved.folder).save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.model"))
    again, ours = load_base(str(tmp_path)).tokenizer, saved.tokenizer
    assert again.family is ours.family and again.languages == ours.languages
    for line in (line for lines in (*LINES.values(), OTHERS) for line in lines):
        assert again.encode(line) == ours.encode(line), line
        assert again.decode(again.encode(line)) == ours.decode(ours.encode(line))
    third = save_base(load_base(str(tmp_path)), tmp_path / "third")
    assert AutoTokenizer.from_pretrained(third.folder)("a dog").input_ids[1:-1] == ours.encode("a dog")


def test_a_unigram_model_of_another_family_loads_with_the_language_written_before_the_text(tmp_path):
    ours = tokenizer("m2m-124", "unigram")
    ours.save(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "m2m_100"}')
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for code, lines in LINES.items():
        for line in lines:
            assert theirs(f"__{code}__ {line}").input_ids == ours.source_ids(ours.encode(line), code, "en")


def test_pieces_that_cross_words_are_cut_as_sentencepiece_cuts_them(tmp_path):
    model = BytesIO()
    lines = ["of the house of the dog", "of the cat", "in the house of the cat"] * 20
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=40, model_type="bpe",
        split_by_whitespace=False, minloglevel=2,
    )  # fmt: skip
    segmenter = SentencePiece(model.getvalue())
    assert any("▁" in piece[1:] for piece in segmenter.pieces)
    ours = Tokenizer(segmenter, [piece for piece in segmenter.pieces if piece not in SPECIALS], ["en"])
    ours.save(tmp_path)
    again = FastSegmenter((tmp_path / "tokenizer.json").read_bytes())
    for line in lines[:3]:
        assert [again.pieces[index] for index in again.encode(line)] == segmenter.split(line)


def test_a_model_of_whole_words_has_no_files_for_transformers(tmp_path):
    segmenter = trained("word")
    Tokenizer(segmenter, [piece for piece in segmenter.pieces if piece not in SPECIALS], ["en"]).save(
        tmp_path
    )
    assert not (tmp_path / "tokenizer.json").exists()
    assert Tokenizer.load(tmp_path).encode("The cat")


def test_ctranslate2_converts_what_is_written(saved, tmp_path):
    ctranslate2 = pytest.importorskip("ctranslate2")
    converter = ctranslate2.converters.TransformersConverter(str(saved.folder))
    converter.convert(str(tmp_path / "converted"))
    vocabulary = json.loads((tmp_path / "converted" / "shared_vocabulary.json").read_text("utf-8"))
    assert vocabulary == list(saved.tokenizer.tokens)
    translator = ctranslate2.Translator(str(tmp_path / "converted"))
    source = [saved.tokenizer.tokens[index] for index in saved.tokenizer.source_ids([40, 41], "en", "ar")]
    prefix = [written_out(saved.tokenizer, "ar")]
    (result,) = translator.translate_batch([source], target_prefix=[prefix], max_decoding_length=4)
    assert result.hypotheses[0][:1] == prefix


def test_scores_over_the_pieces_of_a_tokenizer_json_are_those_of_its_sentencepiece_model(saved):
    by_model, by_json = (
        SpBleu(saved.folder / name) for name in ("sentencepiece.bpe.model", "tokenizer.json")
    )
    hypotheses, references = ["The dog sees ☃ it."], ["The cat sees ☃ the house."]
    scores = [spbleu.scores([], [hypotheses], references)[0] for spbleu in (by_json, by_model)]
    assert scores[0].counts == scores[1].counts


@pytest.mark.parametrize("content", ["", "{", '{"model": {"type": "BPE"}}', "[]"])
def test_a_damaged_tokenizer_json_alone_is_one_clear_error(saved, tmp_path, content):
    folder = shutil.copytree(saved.folder, tmp_path / "copy")
    for name in ("sentencepiece.bpe.model", "dict.txt"):
        (folder / name).unlink()
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json") as caught:
        Tokenizer.load(folder)
    assert str(folder) in caught.value.message and caught.value.hint
